"""The process of one stage, in a session of its own.

    python -m pipeline.execution.stage_process STAGE PARENT

It calls DVC, which decides whether the stage has to run. The exit code is the result.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, cast

import psutil

from pipeline.execution.dvc_project import run_stage
from pipeline.execution.repair import copy_lock
from pipeline.runtime.parent_death import end_with_parent

PULL = "IDIOLECT_PULL"  # if set, DVC may download from its remote what it restores


class StageProcess:
    """A running stage.

    Args:
        stage: the stage's name in DVC.
        env: its environment.
    """

    def __init__(self, stage: str, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.execution.stage_process", stage, str(os.getpid())],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> IO[bytes]:
        """The pipe of its output."""
        return cast(IO[bytes], self._process.stdout)

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
        """Kill every process of its session, in whatever process group."""
        kill_session(self._process.pid)


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
