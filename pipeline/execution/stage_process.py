"""The process of one stage, in a session of its own, and its output.

    python -m pipeline.execution.stage_process STAGE PARENT

It calls DVC, which decides whether the stage has to run. The exit code is the result.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, cast

import psutil

from pipeline.execution.dvc_project import run_stage
from pipeline.execution.repair import copy_lock
from pipeline.execution.stage_run import RunCallbacks, StageRun
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError

PULL = "IDIOLECT_PULL"  # if set, DVC may download missing files from its remote
_READ_BYTES, _PIPE_BYTES = 4096, 65536  # bytes per read; the capacity of a pipe
_PROGRESS = re.compile(r".+: (\d+/\d+ [\d.]+/s \d+ s left.*)")


class StageProcess:
    """A running stage; its output is read from a pipe, without blocking.

    Args:
        stage: the stage.
        env: its environment.
        callbacks: receive its lines and its progress.
    """

    def __init__(self, stage: StageRun, env: Mapping[str, str], callbacks: RunCallbacks) -> None:
        self.stage, self.callbacks = stage, callbacks
        self.partial_line = b""
        self.log = stage.log.open("wb", buffering=0)
        module = "pipeline.execution.stage_process"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, stage.name, str(os.getpid())],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pipe = cast(IO[bytes], self._process.stdout)
        os.set_blocking(self.pipe.fileno(), False)

    def read(self) -> bool:
        """Read up to 4 KiB; return False at the end of the output.

        Raises:
            UserError: the log cannot be written.
        """
        try:
            data = os.read(self.pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return True
        try:
            self.log.write(data)
        except OSError as error:
            found = f"cannot be written: {str(error.strerror).lower()}"
            raise UserError(self.stage.log, found, "make room and run again") from None
        *lines, self.partial_line = re.split(rb"[\r\n]+", self.partial_line + data)
        if len(self.partial_line) > _PIPE_BYTES:
            lines, self.partial_line = [*lines, self.partial_line], b""
        for line in lines:
            self._handle(line)
        return bool(data)

    def read_rest(self) -> None:
        """Read what the pipe holds, then stop: an orphaned process may still write to it."""
        for _ in range(_PIPE_BYTES // _READ_BYTES):
            self.read()
        self._handle(self.partial_line)

    def close(self) -> None:
        """Close the pipe and the log."""
        self.pipe.close()
        self.log.close()

    def _handle(self, data: bytes) -> None:
        line = data.decode(errors="replace").rstrip()
        if progress := _PROGRESS.fullmatch(line):
            self.stage.note = progress[1]
            self.callbacks.stage_progress(self.stage)
        elif line:
            self.stage.last_lines.append(line)
            self.callbacks.stage_output(self.stage, line)

    def exit_code(self) -> int | None:
        """Return its exit code once it has ended and all processes of its session are killed."""
        # It is reaped last: until then its id, which is the session's, cannot be reused.
        if not os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None
        self.kill()
        return self._process.wait()

    def terminate(self) -> None:
        """Send SIGTERM to its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill every process of its session, in any process group."""
        kill_session(self._process.pid)


def start_session(
    command: Sequence[str], env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a program in a session of its own, with a pipe for all its output as text."""
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def kill_session(leader: int) -> None:
    """Kill every process of a session, also if its leader has ended."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def main(stage: str, parent: str) -> int:
    """Run a stage in this process; return its `dvc_project.Result`."""
    end_with_parent(int(parent))
    # On SIGTERM, DVC waits for its stage: a training writes a checkpoint first.
    signal.signal(signal.SIGTERM, lambda *_: None)
    return run_stage(stage, pull=PULL in os.environ, after=copy_lock)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
