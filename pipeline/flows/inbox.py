"""New videos from a folder or a bucket, identified by sha256 and judged before they are added.

.idiolect/inbox.json records every file and its verdict, so that an unchanged file is not fetched
again. Deleting it costs only that time.
"""

import errno
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.flows import flow_process
from pipeline.runtime.atomic_files import atomic_file, write_atomic
from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject

FOLDER = Path(".idiolect/inbox")
RECORDS = Path(".idiolect/inbox.json")
RAW = Path("data/raw")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Record:
    """One file of an inbox: its sha256, and why it was rejected (empty if it was not)."""

    sha256: str
    reason: str


_RECORDS = TypeAdapter(dict[str, Record])  # by path and state of the file


@dataclass(frozen=True)
class Fetched:
    """What an inbox holds for a subject.

    Attributes:
        new: copies of videos that the subject does not have yet, in `FOLDER`.
        rejected: the reasons of files that were rejected before, and of entries that are no
            complete regular file.
    """

    new: tuple[Path, ...]
    rejected: tuple[str, ...]


def fetch(inbox: str, subject: str) -> Fetched:
    """Copy new videos of an inbox to `FOLDER`; the inbox does not change.

    Args:
        inbox: a folder, or an fsspec URL: `s3://bucket/folder`, `memory://x` …
        subject: the person in the videos.

    Raises:
        MissingInput: the folder does not exist.
        UserError: it cannot be read, or its protocol needs a package that is not installed.

    A video is new if no file of data/raw/SUBJECT has its sha256, under any name.
    """
    clear()
    records = _read_records()
    reasons = {record.sha256: record.reason for record in records.values()}
    present = {file_hash(path) for path in (RAW / subject).glob("*") if path.is_file()}
    new: list[Path] = []
    rejected: list[str] = []
    try:
        for source, remote in _list_files(inbox):
            state, problem = _state(source, remote)
            sha256 = records[state].sha256 if state in records else ""
            if not problem and (not sha256 or (sha256 not in present and not reasons[sha256])):
                problem = _copy(source, remote, state)
            if problem:
                rejected.append(f"skipped: {Path(remote).name}: {problem}")
                continue
            if (copy := FOLDER / Path(remote).name).exists():
                sha256 = file_hash(copy)
                records[state] = Record(sha256, reasons.setdefault(sha256, ""))
                if sha256 in present or reasons[sha256]:
                    copy.unlink()
                else:
                    present.add(sha256)
                    new.append(_rename_if_taken(copy, subject, sha256))
            if sha256 not in present:
                rejected.append(reasons[sha256])
    finally:
        _write_records(records)
    return Fetched(tuple(new), tuple(dict.fromkeys(rejected)))


def clear() -> None:
    """Delete the copies."""
    shutil.rmtree(FOLDER, ignore_errors=True)


def check(inbox: str) -> None:
    """Raise MissingInput or UserError, as `fetch` does, if an inbox cannot be listed."""
    next(_list_files(inbox), None)


def _list_files(inbox: str) -> Iterator[tuple[Any, str]]:
    """Yield the file system of an inbox and the path of each entry that is no folder."""
    import fsspec

    if not inbox:  # fsspec takes it for the working folder
        raise MissingInput("--inbox", "expected a folder, found an empty name")
    try:
        source, root = fsspec.core.url_to_fs(inbox)
        found = "is not a folder" if source.exists(root) else "no such folder"
        found = "" if source.isdir(root) else found
        files = [] if found else sorted(source.find(root, maxdepth=1))
    except Exception as error:  # noqa: BLE001 - each protocol's package has errors of its own
        raise UserError(inbox, f"cannot be read: {' '.join(str(error).split())}") from None
    if found:
        raise MissingInput(inbox, found, "name one that holds videos")
    for path in files:
        if not Path(path).name.startswith("."):
            yield source, path


def _state(source: Any, remote: str) -> tuple[str, str]:
    """Return a key of a file's path and state, and why it cannot be read; one of them is empty."""
    try:
        if source.info(remote)["type"] != "file":
            return "", "is not a regular file"
        return f"{remote} {source.ukey(remote)}", ""
    except OSError as error:
        return "", f"cannot be read: {error.strerror or error}"


def _copy(source: Any, remote: str, state: str) -> str:
    """Copy a file to `FOLDER`; return why it is not taken, empty if it is.

    Raises:
        OSError: this disk is full.
    """
    copy = FOLDER / Path(remote).name
    try:
        with atomic_file(copy) as part:
            source.get_file(remote, str(part))
    except OSError as error:
        if error.errno in _FULL:
            raise
        return f"cannot be read: {error.strerror or error}"
    if _state(source, remote)[0] == state:
        return ""
    copy.unlink()
    return "is still being written; the next run takes it"


def _rename_if_taken(copy: Path, subject: str, sha256: str) -> Path:
    """Rename a copy if another video of the subject has its name."""
    if not (RAW / subject / copy.name).exists():
        return copy
    return copy.rename(copy.with_stem(f"{copy.stem}-{sha256[:8]}"))


def _read_records() -> dict[str, Record]:
    """Read the records; none if they are torn, which only costs a second fetch."""
    try:
        return _RECORDS.validate_json(RECORDS.read_bytes())
    except (OSError, ValueError):
        return {}


def _write_records(records: dict[str, Record]) -> None:
    write_atomic(RECORDS, _RECORDS.dump_json(records, indent=1))


def check_new_videos(videos: Sequence[Path], subject: Subject) -> dict[Path, str]:
    """Judge videos of `FOLDER` as the stage `clips` does, in a process of the flow.

    Returns:
        For each video why it is rejected; empty if a shot of it is good.

    Raises:
        UserError: judging failed; the message is its last line of output.

    The measurements stay in .idiolect/items for the stage; the verdicts stay in `RECORDS`.
    """
    code, lines = flow_process.run(["check-inbox", str(subject)])
    if code or not lines:
        raise UserError(FOLDER, lines[-1].removeprefix("error: ") if lines else "judging failed")
    reasons: dict[str, str] = json.loads(lines[-1])
    verdicts = {path: reasons.get(path.name, f"{path.name}: has no row") for path in videos}
    by_hash = {file_hash(path): reason for path, reason in verdicts.items()}
    records = _read_records()
    for record in records.values():
        record.reason = by_hash.get(record.sha256, record.reason)
    _write_records(records)
    return verdicts


def check_folder(subject: Subject) -> dict[str, str]:
    """Judge all videos of `FOLDER` here; return the reasons by file name, empty for good ones."""
    from stages.clips.clips import run
    from stages.clips.params import ClipsParams

    in_inbox = Subject(subject.role, FOLDER.name)
    out = Path(".idiolect/inbox_clips")
    try:
        rows = run(in_inbox, read_section("clips", ClipsParams), FOLDER.parent, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    good = {row.video for row in rows if row.status == "ok"}
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reason = f"{row.status}: {row.video}: {row.reason}"
        reasons.setdefault(row.file, []).extend([] if row.video in good else [reason])
    return {name: "; ".join(parts) for name, parts in reasons.items()}
