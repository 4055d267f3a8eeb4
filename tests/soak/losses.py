"""What a fault has destroyed that was there before the command: nothing must."""

import hashlib
from pathlib import Path

from tests.soak.fingerprint import Fingerprint
from tests.soak.toy import git


def find(
    root: Path, snapshot: Path, before: Fingerprint, after: Fingerprint, tagged: dict[str, str]
) -> list[str]:
    """Name what is lost right after a fault, before anything is run again.

    Args:
        root: the project.
        snapshot: it before the command.
        before: what it held then.
        after: what it would hold after an undisturbed run.
        tagged: `tags` before the command.
    """
    lost = []
    if _text(root / "params.yaml") not in (before["params.yaml"], after["params.yaml"]):
        lost.append("params.yaml is neither that before nor that after the command")
    for name in ("data/raw", "data/portrait"):
        for path in sorted((snapshot / name).rglob("*")):
            kept = str(path.relative_to(snapshot))
            if path.is_file() and after["files"].get(kept) == before["files"].get(kept):
                lost += _changed(root / kept, path, kept)
    for path in sorted((snapshot / ".dvc/cache/files").rglob("*")):
        if path.is_file():
            kept = str(path.relative_to(snapshot))
            lost += _changed(root / kept, path, kept)
    found = tags(root)
    for tag, commit in tagged.items():
        if found.get(tag) != commit:
            lost.append(f"{tag} is {found.get(tag, 'missing')}, was {commit}")
    return lost


def _changed(path: Path, before: Path, name: str) -> list[str]:
    if not path.is_file():
        return [f"{name} is missing"]
    return [] if _hash(path) == _hash(before) else [f"{name} has other bytes"]


def tags(root: Path) -> dict[str, str]:
    """Return git's tags and what they point to."""
    lines = git(root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags").splitlines()
    return dict(line.split() for line in lines)


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _hash(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
