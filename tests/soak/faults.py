"""Run a command of idiolect in a forked process that ends, or finds the disk full, at a chosen write.

A write is what Python announces to audit hooks: a file opened to be written, a rename, a deletion, a
new folder, a process started. The fork has all heavy imports of its parent, so that a run takes a
fraction of a second.
"""

import contextlib
import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime.parent_death import end_with_parent

PRELOADED = (
    *("dvc.cli", "dvc.repo", "dvc.api", "dvc.repo.experiments.queue.tempdir", "dvc.stage.cache"),
    *("cv2", "av", "torch", "mediapipe", "pyarrow.parquet", "pandas", "skimage.data"),
    *("pipeline.cli.app", "pipeline.execution.reproduce", "pipeline.execution.console"),
    *("pipeline.project.people", "pipeline.project.verify", "pipeline.project.neutral_image"),
    *("pipeline.promotion.champions", "pipeline.promotion.rollback", "pipeline.experiments.sweep"),
    *("pipeline.report.page.updater", "pipeline.report.external_videos"),
    *("stages.render.any_audio", "stages.render.any_portrait", "stages.render.onto_video"),
)
_CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("subprocess.Popen", "sqlite3.connect"),
}
_ELSEWHERE = ("/dev/", "/proc/", "/sys/")
_MOST_MEMORY = 6 << 30  # bytes: this machine must survive a command that does not end
Action = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: exit code (-9 if killed), what it printed, its writes, peak memory in GB."""

    code: int
    output: str
    writes: int
    memory: float

    def lines(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.strip()]


def preload() -> None:
    """Import what commands import, once for all forks; none of it may start a thread.

    A fork has no copy of its parent's threads: OpenCV and torch would wait for theirs for ever.
    """
    for name in PRELOADED:
        import_module(name)
    import_module("cv2").setNumThreads(1)
    import_module("torch").set_num_threads(1)


def kill() -> None:
    """End this process as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill(filler: Path) -> None:
    """Leave no byte free on the file system of `filler`."""
    number = os.open(filler, os.O_WRONLY | os.O_CREAT)
    room = os.fstatvfs(number)
    if size := room.f_bavail * room.f_frsize:
        os.posix_fallocate(number, 0, size)
    os.close(number)


def run(
    root: Path,
    arguments: Sequence[str],
    log: Path,
    *,
    action: Action | None = None,
    at: int = 0,
    seconds: float = 1500.0,  # beside other work
    main: Callable[[], object] | None = None,
) -> Outcome:
    """Run `idiolect ARGUMENTS` in `root`; do `action` before its write number `at`, from 1.

    All processes of the run have ended when it returns; one that lives on by itself for ten
    seconds after the command is an error.
    """
    counter = log.with_suffix(".writes")
    counter.unlink(missing_ok=True)
    parent, pid = os.getpid(), os.fork()
    if not pid:
        end_with_parent(parent)
        _child(root, arguments, log, counter, action, at, main)
    end = time.monotonic() + seconds
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > end:
            _kill_session(pid)
            raise TimeoutError(f"{arguments} took longer than {seconds:g} s")
        time.sleep(0.01)
    _wait_for_session(pid, arguments)
    writes = counter.stat().st_size if counter.exists() else 0
    output = log.read_text(errors="replace")
    return Outcome(os.waitstatus_to_exitcode(status), output, writes, used.ru_maxrss / 1e6)


def _child(
    root: Path,
    arguments: Sequence[str],
    log: Path,
    counter: Path,
    action: Action | None,
    at: int,
    main: Callable[[], object] | None,
) -> None:
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        faulthandler.enable()  # a crash prints where
        os.chdir(root)
        sys.argv = ["idiolect", *arguments]
        sys.addaudithook(_Writes(counter, action, at))
        code = _call(main)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)


def _call(main: Callable[[], object] | None) -> int:
    from pipeline.cli.app import main as command

    try:
        (main or command)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python itself would print
        import traceback

        traceback.print_exc()
        return 1
    return 0


class _Writes:
    """An audit hook that counts writes, a byte each in a file, and acts at one of them."""

    def __init__(self, counter: Path, action: Action | None, at: int) -> None:
        self.count, self.action, self.at = 0, action, at
        self.pid = os.getpid()
        self.busy = False
        self.file = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.busy or os.getpid() != self.pid or not self._is_write(event, arguments):
            return
        self.busy = True
        self.count += 1
        os.write(self.file, b".")
        if self.count == self.at and self.action:
            self.action()
        self.busy = False

    @staticmethod
    def _is_write(event: str, arguments: tuple[Any, ...]) -> bool:
        if event != "open":
            return event in _CHANGES
        path, _, flags = arguments
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        return bool(flags & os.O_ACCMODE) and not name.startswith(_ELSEWHERE) and name != ""


def session(pid: int) -> list[psutil.Process]:
    """List the processes of a session that live."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            dead = process.status() == psutil.STATUS_ZOMBIE
            if os.getsid(process.pid) == pid and not dead:
                found.append(process)
    return found


def _wait_for_session(pid: int, arguments: Sequence[str]) -> None:
    end = time.monotonic() + 10
    while left := session(pid):
        if time.monotonic() > end:
            names = [" ".join(process.cmdline())[:80] for process in left]
            _kill_session(pid)
            raise RuntimeError(f"{arguments} left processes: {names}")
        time.sleep(0.02)


def _kill_session(pid: int) -> None:
    for process in session(pid):
        with contextlib.suppress(psutil.Error):
            process.kill()
