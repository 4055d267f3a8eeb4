"""DVC's own files, as this project reads them: dvc.lock, the cache, and who holds its locks.

Their layout is DVC's and may change with a release; no other module knows it. `make next` runs the
tests with the newest release.
"""

import fcntl
import hashlib
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError

LOCK = Path("dvc.lock")
RWLOCK, HOLDER = Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/lock")
_OBJECT, _RUN_ENTRY = re.compile(r"[0-9a-f]{30}(\.dir)?"), re.compile(r"[0-9a-f]{64}")


def stages(path: Path = LOCK) -> dict[str, Any]:
    """Read the stages of a dvc.lock by name; empty if it does not exist.

    Raises:
        BadParams: it is no YAML mapping.
        AttributeError, TypeError, ValueError: its stages are no mapping.
    """
    from stages.base.config.params import read_params

    return dict(read_params(path).get("stages", {})) if path.is_file() else {}


def outs(stage: dict[str, Any]) -> dict[str, str]:
    """Return the hash of each out of a stage in dvc.lock, by path."""
    return {str(out["path"]): str(out["md5"]) for out in stage.get("outs", [])}


def inputs(stage: dict[str, Any]) -> tuple[dict[str, str], Any]:
    """Return the hash of each dependency of a stage in dvc.lock by path, and its params."""
    return {str(dep["path"]): str(dep["md5"]) for dep in stage.get("deps", [])}, stage.get("params")


def is_lock(path: Path) -> bool:
    """Return whether a file is a whole dvc.lock with at least one stage."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    try:
        text = path.read_text()
        content = YAML(typ="safe").load(text)
        return text.endswith("\n") and bool(content) and bool(COMPILED_LOCKFILE_SCHEMA(content))
    except (YAMLError, UnicodeDecodeError, Invalid):
        return False


def object_path(cache: Path, md5: str) -> Path:
    """Return the path in DVC's cache of the file, or folder listing, with this MD5."""
    return cache / md5[:2] / md5[2:]


def objects(cache: Path) -> Iterator[tuple[Path, str]]:
    """Yield path and hash of the files and listings in DVC's cache, in their order."""
    for path in sorted(cache.glob("??/*")):
        if _OBJECT.fullmatch(path.name):
            yield path, path.parent.name + path.name


def content_hash(name: str) -> str:
    """Return the md5 that an object's bytes must have, from DVC's hash."""
    return name.removesuffix(".dir")


def run_entries(runs: Path) -> Iterator[Path]:
    """Yield the entries of DVC's run cache; each is named by `run_entry_hash` of its content."""
    yield from (path for path in sorted(runs.glob("??/*/*")) if _RUN_ENTRY.fullmatch(path.name))


def run_entry_hash(content: bytes) -> str:
    """Hash an entry of DVC's run cache as DVC does: without sizes.

    Raises:
        ValueError: DVC did not write it.
    """
    from dvc.utils import dict_sha256
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entry = YAML(typ="safe").load(content.decode())
        return str(dict_sha256(entry, exclude=["size", "nfiles"]))
    except (YAMLError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_listing(cache: Path, name: str) -> dict[str, str] | None:
    """Return the hashes of a folder's files by relative path; None if lost or damaged."""
    try:
        content = object_path(cache, name).read_bytes()
    except OSError:
        return None
    if _listing_hash(content) != name:
        return None
    return {str(row["relpath"]): str(row["md5"]) for row in json.loads(content)}


def folder_hash(files: dict[str, str]) -> str:
    """Return DVC's hash of a folder from the hashes of its files by relative path."""
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return _listing_hash(json.dumps(rows).encode())


def _listing_hash(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"


def remove_lock_entries(is_running: Callable[[int], bool]) -> None:
    """Delete a torn table of read and written files, and its entries of ended processes.

    Args:
        is_running: whether a process id is that of a process that may hold files.
    """
    try:
        table = json.loads(RWLOCK.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return
    except ValueError:
        RWLOCK.unlink()
        return
    write = {
        name: entry for name, entry in table.get("write", {}).items() if is_running(entry["pid"])
    }
    read = {
        name: [entry for entry in entries if is_running(entry["pid"])]
        for name, entries in table.get("read", {}).items()
    }
    kept = {"write": write, "read": {name: entries for name, entries in read.items() if entries}}
    if kept != table:
        write_atomic(RWLOCK, json.dumps(kept))


def processes() -> Iterator[int]:
    """Yield the ids in DVC's table of read and written files, then that of its lock if held."""
    with suppress(OSError, ValueError):
        table = json.loads(RWLOCK.read_text())
        entries = [*table.get("write", {}).values()]
        for readers in table.get("read", {}).values():
            entries += readers
        yield from dict.fromkeys(int(entry["pid"]) for entry in entries)
    with suppress(OSError, ValueError):
        if _is_locked(HOLDER):
            yield int(HOLDER.read_text().split()[0])


def _is_locked(path: Path) -> bool:
    """Return whether a process holds a lock file; its text stays when the lock is released."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def check_dvc_is_idle() -> None:
    """Raise UserError if another process of DVC runs stages, or holds DVC's lock.

    `repair.repair_rwlock` comes first: it deletes the entries of processes that have ended.
    """
    for pid in processes():
        if pid != psutil.Process().pid and (holder := describe(pid)):
            raise held_by(holder)


def held_by(holder: str = "") -> UserError:
    """Return the error of a project that another process holds; default: whoever has the lock."""
    if not holder:
        holder = next(filter(None, map(describe, processes())), "another process of DVC")
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
