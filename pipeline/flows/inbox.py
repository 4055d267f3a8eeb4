"""New videos from a folder or a bucket: known by their sha256, judged before they are taken in.

    python -m pipeline.flows.inbox ROLE/NAME     # judge what lies in .idiolect/inbox, as `clips`
    does

What was seen is remembered in .idiolect/inbox.json, so that a file that has not changed is not
fetched again; deleting it costs that time alone.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.execution import helper_process
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.item_store import file_hash
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import MissingInput, UserError, report_user_errors
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject

FOLDER = Path(".idiolect/inbox")
SEEN = Path(".idiolect/inbox.json")
RAW = Path("data/raw")
_MODULE = "pipeline.flows.inbox"
_JUDGED = "judged: "
_KNOWN = {"sha256", "reason"}


@dataclass(frozen=True)
class Taken:
    """What was found in an inbox.

    Attributes:
        new: copies of videos that the subject does not have yet, in `FOLDER`.
        refused: files that were judged bad before, with the reasons.
    """

    new: tuple[Path, ...]
    refused: tuple[str, ...]


def take(inbox: str, subject: str) -> Taken:
    """Copy what is new in an inbox to `FOLDER`; the inbox is only read.

    Args:
        inbox: a folder, or what fsspec reads: `s3://bucket/folder`, `memory://x` …
        subject: whose videos they are.

    Raises:
        MissingInput: there is no such folder.
        UserError: it cannot be read, or its kind needs a package that is not here.

    A video is new where no file of data/raw/SUBJECT has its sha256, whatever it is called.
    """
    clear()
    seen = _seen()
    known = {file_hash(path) for path in (RAW / subject).glob("*") if path.is_file()}
    new: list[Path] = []
    refused: list[str] = []
    try:
        for source, remote, mark in _listed(inbox):
            entry = seen.get(mark) or {}
            sha256 = entry.get("sha256")
            if sha256 is None or (sha256 not in known and not entry.get("reason")):
                copy = FOLDER / Path(remote).name
                with atomic_file(copy) as part:
                    source.get_file(remote, str(part))
                sha256 = file_hash(copy)
                seen[mark] = entry = {"sha256": sha256, "reason": _reason(seen, sha256)}
                if sha256 in known or entry["reason"]:
                    copy.unlink()
                else:
                    known.add(sha256)
                    new.append(_renamed(copy, subject, sha256))
            if entry.get("reason") and sha256 not in known:
                refused.append(entry["reason"])
    finally:
        _remember(seen)
    return Taken(tuple(new), tuple(dict.fromkeys(refused)))


def clear() -> None:
    """Delete the copies."""
    shutil.rmtree(FOLDER, ignore_errors=True)


def _listed(inbox: str) -> list[tuple[Any, str, str]]:
    """List the files of an inbox: its file system, the path there, and a mark of path and state."""
    import fsspec

    try:
        source, root = fsspec.core.url_to_fs(inbox)
        if not source.isdir(root):
            raise MissingInput(inbox, "no such folder", "name one that holds videos")
        paths = sorted(source.find(root, maxdepth=1))
        named = [path for path in paths if not Path(path).name.startswith(".")]
        return [(source, path, f"{path} {source.ukey(path)}") for path in named]
    except (ImportError, ValueError, OSError) as error:
        raise UserError(inbox, f"cannot be read: {' '.join(str(error).split())}") from None


def _renamed(copy: Path, subject: str, sha256: str) -> Path:
    """Give a copy another name where another video of the subject's has its own."""
    if not (RAW / subject / copy.name).exists():
        return copy
    return copy.rename(copy.with_stem(f"{copy.stem}-{sha256[:8]}"))


def _seen() -> dict[str, dict[str, str]]:
    try:
        content = json.loads(SEEN.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {k: e for k, e in content.items() if isinstance(e, dict) and set(e) == _KNOWN}


def _reason(seen: dict[str, dict[str, str]], sha256: str) -> str:
    """Return why a file of the same bytes was refused before."""
    return next((e["reason"] for e in seen.values() if e["sha256"] == sha256), "")


def _remember(seen: dict[str, dict[str, str]]) -> None:
    with atomic_file(SEEN) as part:
        part.write_text(json.dumps(seen, indent=1))


def judge(videos: Sequence[Path], subject: Subject, stop: Event | None = None) -> dict[Path, str]:
    """Judge videos of `FOLDER` as the stage `clips` does, in a process of its own.

    Returns:
        For each video why it is bad; empty where a shot of it is good.

    Raises:
        UserError: judging itself failed, with its last words.

    What is measured is kept in .idiolect/items, where the stage finds it. A verdict is remembered.
    """
    code, said = helper_process.run(_MODULE, [str(subject)], stop)
    told = [line for line in said if line.startswith(_JUDGED)]
    if code or not told:
        raise UserError(FOLDER, said[-1].removeprefix("error: ") if said else "judging it failed")
    reasons: dict[str, str] = json.loads(told[-1].removeprefix(_JUDGED))
    found = {path: reasons.get(path.name, f"{path.name}: has no row") for path in videos}
    seen, hashes = _seen(), {file_hash(path): reason for path, reason in found.items()}
    for entry in seen.values():
        entry["reason"] = hashes.get(entry["sha256"], entry["reason"])
    _remember(seen)
    return found


def _judge(subject: Subject) -> dict[str, str]:
    """Judge all of `FOLDER`; return the reasons by file name, empty for good ones."""
    from stages.clips.clips import run
    from stages.clips.params import ClipsParams

    with_role = Subject(subject.role, FOLDER.name)
    made = Path(".idiolect/inbox_clips")
    try:
        rows = run(with_role, read_section("clips", ClipsParams), FOLDER.parent, made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    good = {row.video for row in rows if row.status == "ok"}
    reasons: dict[str, list[str]] = {}
    for row in rows:
        told = f"{row.status}: {row.video}: {row.reason}"
        reasons.setdefault(row.file, []).extend([] if row.video in good else [told])
    return {name: "; ".join(told) for name, told in reasons.items()}


def main(arguments: list[str]) -> None:
    """Judge for the subject that the command line names."""
    with report_user_errors():
        end_with_parent()
        if len(arguments) != 1:
            raise UserError(_MODULE, "expected one argument, ROLE/NAME")
        print(_JUDGED + json.dumps(_judge(Subject.parse(arguments[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
