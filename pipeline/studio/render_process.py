"""One render in a process of its own: `idiolect render`, its progress, its end.

    python -m pipeline.studio.render_process PARENT ARGUMENT…

Becomes `idiolect render ARGUMENT…` that dies with the process PARENT.
"""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

from pipeline.execution.stage_process import kill_session, start_session
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.progress import LINE_SECONDS

_PROGRESS = re.compile(r".+: (\d+)/(\d+) ([\d.]+)/s (\d+) s left.*")
_LAST_LINES = 20


@dataclass(frozen=True)
class Progress:
    """Frames done and in all, frames per second, and seconds left."""

    done: int
    total: int
    rate: float
    left: int


class RenderProcess:
    """A running `idiolect render`.

    Args:
        arguments: of `idiolect render`.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.progress: Progress | None = None
        self.code: int | None = None
        self.cancelled = False
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._started = Event()
        module = "pipeline.studio.render_process"
        command = [sys.executable, "-m", module, str(os.getpid()), *arguments]
        # The kernel kills the child when the thread that started it ends, so this one stays.
        self._thread = Thread(target=self._run, args=(command,), daemon=True)
        self._thread.start()
        self._started.wait()

    def cancel(self) -> None:
        """Kill the render and all processes that it has started; return when it is gone."""
        if self.code is None and self._process is not None:
            self.cancelled = True
            kill_session(self._process.pid)
        self._thread.join(timeout=10)

    def error(self) -> str:
        """Return why the render has failed, one line; empty if it has not."""
        if self.code in {0, None}:
            return ""
        if self.cancelled:
            return "cancelled"
        errors = [line for line in self._lines if line.startswith("error: ")]
        last = self._lines[-1] if self._lines else "no output"
        return errors[-1].removeprefix("error: ") if errors else f"code {self.code}: {last}"

    def _run(self, command: Sequence[str]) -> None:
        try:
            process = start_session(command, os.environ | {LINE_SECONDS: "0.5"})
            self._process = process
        except OSError as error:
            self._lines.append(f"error: this machine: {error.strerror}")
            self.code = 1
            return
        finally:
            self._started.set()
        Thread(target=_kill_orphans, args=(process.pid,), daemon=True).start()
        with process:
            for line in process.stdout or ():
                self._read(line.rstrip())
        self.code = process.returncode

    def _read(self, line: str) -> None:
        if found := _PROGRESS.fullmatch(line):
            done, total, rate, left = found.groups()
            self.progress = Progress(int(done), int(total), float(rate), int(left))
        elif line:
            self._lines.append(line)


def _kill_orphans(leader: int) -> None:
    """Kill what a render leaves behind, which would keep its pipe open."""
    with suppress(ChildProcessError):  # it is reaped already
        os.waitid(os.P_PID, leader, os.WEXITED | os.WNOWAIT)
        kill_session(leader)


def main(parent: str, *arguments: str) -> None:
    """Become `idiolect render` in this process."""
    end_with_parent(int(parent))  # holds after exec too
    command = [sys.executable, "-m", "pipeline.cli.app", "render", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - keeps the signal, and starts no shell


if __name__ == "__main__":
    main(*sys.argv[1:])
