"""What a project holds, without times and names of commits: equal for equal results."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.soak.toy import git

Fingerprint = dict[str, Any]
_STATE = ("dvc.lock", "params.yaml", "data")
_OWN = ("index.html", "compare", "sweep")  # with times, or of the last sweep alone
_PARTIAL = re.compile(r"\..+\.part(\..+)?")


def take(root: Path) -> Fingerprint:
    """Return params, lock, files by hash, and champions with the state that their tags hold."""
    lock = root / "dvc.lock"
    return {
        "params.yaml": (root / "params.yaml").read_text(),
        "dvc.lock": YAML(typ="safe").load(lock.read_text())["stages"] if lock.exists() else {},
        "files": files(root),
        "champions": champions(root),
        "changed": git(root, "status", "--porcelain", "--", *_STATE).splitlines(),
    }


def files(root: Path) -> dict[str, str]:
    found = {}
    for folder in ("data", "models", "reports"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root)
            own = name.parts[0] == "reports" and (
                name.parts[1] in _OWN or "promotion" in name.parts
            )
            if path.is_file() and not own and not any(map(_PARTIAL.fullmatch, name.parts)):
                found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def champions(root: Path) -> list[str]:
    """Return a hash of each champion's state, by the order of their numbers."""
    tags = git(root, "tag", "--list", "champion/*").split()
    tags.sort(key=lambda tag: int(tag.rpartition("/")[2]))
    return [_state_of_tag(root, tag) for tag in tags]


def _state_of_tag(root: Path, tag: str) -> str:
    """Hash what a tag holds; dvc.lock as its content, for its order is that of the runs."""
    lock = YAML(typ="safe").load(git(root, "show", f"{tag}:dvc.lock"))
    tree = git(root, "ls-tree", "-r", tag, "--", "params.yaml", "data")
    return hashlib.sha256(f"{tree}{json.dumps(lock, sort_keys=True)}".encode()).hexdigest()


def differences(found: Fingerprint, expected: Fingerprint) -> list[str]:
    """Describe what differs; the order of champions alone counts, so that one may be there twice."""
    lines = [
        f"{key}: {_short(found[key])} for {_short(expected[key])}"
        for key in ("params.yaml", "changed")
        if found[key] != expected[key]
    ]
    for key in ("dvc.lock", "files"):
        lines += [
            f"{key} {name}: {_state(name, found[key], expected[key])}"
            for name in sorted({*found[key], *expected[key]})
            if found[key].get(name) != expected[key].get(name)
        ]
    once = [
        one for i, one in enumerate(found["champions"]) if found["champions"][i - 1 : i] != [one]
    ]
    there = expected["champions"]
    if once != [one for i, one in enumerate(there) if there[i - 1 : i] != [one]]:
        lines.append(f"champions: {len(found['champions'])} for {len(there)}")
    return lines


def _state(name: str, found: dict[str, Any], expected: dict[str, Any]) -> str:
    return "missing" if name not in found else "extra" if name not in expected else "other content"


def _short(value: object) -> str:
    return repr(value)[:80]
