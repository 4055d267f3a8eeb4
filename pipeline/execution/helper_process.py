"""Helper processes that can be stopped and end with their parent."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from pipeline.execution.stage_process import kill_session
from pipeline.runtime.user_errors import UserError

_POLL_SECONDS = 0.25


class Stopped(UserError):
    """A helper process was stopped."""


def run(module: str, arguments: Sequence[str], stop: Event | None = None) -> tuple[int, list[str]]:
    """Run a module in a session of its own; return its exit code and its lines of output.

    Args:
        module: a module whose `main` calls `pipeline.runtime.parent_death.end_with_parent`.
        arguments: its command line.
        stop: ends the helper process when set.

    Raises:
        Stopped: `stop` was set.

    The process and its children have ended when this returns or raises, also after Ctrl-C.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output = _wait(process, module, stop)
        except BaseException:
            kill_session(process.pid)
            raise
    return process.returncode, [line for line in output.splitlines() if line.strip()]


def _wait(process: "subprocess.Popen[str]", module: str, stop: Event | None) -> str:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_POLL_SECONDS)[0]
        if stop and stop.is_set():
            raise Stopped(module, "stopped")
