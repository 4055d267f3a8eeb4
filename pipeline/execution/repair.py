"""Repair files after killed processes and full disks: dvc.lock, DVC's rwlock, partial files.

DVC writes dvc.lock and `.dvc/tmp/rwlock` in place, so that both can be left torn. A copy of
dvc.lock is made before a run and after each successful stage, while DVC's lock is held.
"""

import filecmp
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.execution import dvc_files, project_lock
from pipeline.execution.dvc_files import LOCK, is_lock
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.code_version import VERSIONS

SAVED, TORN = Path(".idiolect/dvc.lock.saved"), Path(".idiolect/dvc.lock.torn")
_OUTPUTS = ("data", "models", "reports", ".idiolect")
_PARTIAL_NAME = re.compile(r"\..+\.(\d+)\.part(\..+)?")
_PARTIAL_CHECKOUT = re.compile(r"\.[\w-]{22}\.tmp")  # a file that DVC takes from its cache


def copy_lock() -> None:
    """Copy dvc.lock, if there is one; the caller holds DVC's lock."""
    if LOCK.is_file():
        with atomic_file(SAVED) as part:
            shutil.copyfile(LOCK, part)


def remove_unreadable_versions(path: Path = VERSIONS) -> None:
    """Delete a versions.yaml that is no text: every run writes it again from the code."""
    try:
        path.read_text()
    except UnicodeDecodeError:
        path.unlink()


def repair_lock() -> str:
    """Restore a torn dvc.lock from its copy; return a message about it, or "".

    Raises:
        BadFormat: it is torn and has no copy, or it holds the conflict marks of a git merge.
    """
    unchanged = SAVED.is_file() and LOCK.is_file() and filecmp.cmp(LOCK, SAVED, shallow=False)
    if unchanged or not LOCK.is_file() or is_lock(LOCK):  # parsing it takes longer than comparing
        return ""
    if b"\n<<<<<<< " in b"\n" + LOCK.read_bytes():
        raise BadFormat(
            LOCK, "contains git conflict markers", "resolve the conflict, or delete dvc.lock"
        )
    if not (SAVED.is_file() and is_lock(SAVED)):
        todo = "take it from git (`git checkout dvc.lock`), or delete it"
        raise BadFormat(LOCK, "is damaged, and no saved copy exists", todo)
    shutil.copyfile(LOCK, TORN)
    with atomic_file(LOCK) as part:
        shutil.copyfile(SAVED, part)
    return f"dvc.lock was damaged: restored from its saved copy {SAVED}"


@contextmanager
def hold_project() -> Iterator[None]:
    """Hold the project's lock while the block runs, and see that DVC is idle.

    Raises:
        UserError: another run, or `dvc repro`, holds the project.
    """
    with project_lock.hold():
        repair_rwlock()
        dvc_files.check_dvc_is_idle()
        yield


def repair_rwlock() -> None:
    """Delete a torn rwlock, and its entries of processes that have ended.

    DVC itself recognises a killed process by its id alone, which another program may have by
    now.
    """
    dvc_files.remove_lock_entries(_uses_dvc)


def _uses_dvc(pid: int) -> bool:
    """Return whether a process exists and is one that uses DVC."""
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return any(
        Path(word).name in {"dvc", "idiolect"} or word.startswith("pipeline.") for word in command
    )


def remove_partial_checkouts(path: Path) -> None:
    """Delete the partial files that DVC has left beside a file, or in a folder.

    The caller holds the project, so that they are those of a killed process or a full disk.
    """
    beside = [path.parent.glob(".*.tmp"), path.rglob(".*.tmp") if path.is_dir() else ()]
    for file in [file for found in beside for file in found]:
        if _PARTIAL_CHECKOUT.fullmatch(file.name):
            file.unlink(missing_ok=True)


def remove_partial_files(root: Path = Path()) -> None:
    """Delete partial files of `pipeline.runtime.atomic_files` whose processes have ended.

    No stage reads such files, and .dvcignore hides them from DVC; they only fill the disk. The
    caller holds DVC's lock, so that DVC's own partial files are those of killed processes too.
    """
    for path in [path for folder in _OUTPUTS for path in (root / folder).rglob(".*")]:
        name = _PARTIAL_NAME.fullmatch(path.name)
        if name is None and not _PARTIAL_CHECKOUT.fullmatch(path.name):
            continue
        if name is not None and psutil.pid_exists(int(name[1])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
