"""Which process of DVC holds this project, for example `dvc repro` in another terminal."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.runtime.user_errors import UserError

_LOCK, _TABLE = Path(".dvc/tmp/lock"), Path(".dvc/tmp/rwlock")


def check_dvc_is_idle() -> None:
    """Raise UserError if another process of DVC runs stages, or holds DVC's lock.

    `repair.repair_rwlock` comes first: it deletes the entries of processes that have ended.
    """
    for pid in _processes():
        if pid != psutil.Process().pid and (holder := describe(pid)):
            raise held_by(holder)


def held_by(holder: str = "") -> UserError:
    """Return the error of a project that another process holds; default: whoever has the lock."""
    if not holder:
        holder = next(filter(None, map(describe, _processes())), "another process of DVC")
    return UserError("this project", f"is run by {holder}", "wait or stop it")


def describe(pid: int) -> str:
    """Return command, id and start of a process that runs; empty if it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        words = [Path(word).name if "/" in word else word for word in process.cmdline()]
        words = words[1:] if words and words[0].startswith("python") else words
        since = time.strftime("%H:%M:%S", time.localtime(process.create_time()))
        return f"`{shlex.join(words)}` (process {pid}, since {since})"
    return ""


def _processes() -> Iterator[int]:
    """Yield the ids in DVC's table of read and written files, then that of its lock."""
    with suppress(OSError, ValueError):
        table = json.loads(_TABLE.read_text())
        entries = [*table.get("write", {}).values()]
        for readers in table.get("read", {}).values():
            entries += readers
        yield from dict.fromkeys(int(entry["pid"]) for entry in entries)
    with suppress(OSError, ValueError):
        yield int(_LOCK.read_text().split()[0])
