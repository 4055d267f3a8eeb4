"""Helper processes that may be stopped, and never outlive who started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from pipeline.runtime.user_errors import UserError

_LOOK_SECONDS = 0.25


class Stopped(UserError):
    """A helper was told to stop."""


def run(module: str, arguments: Sequence[str], stop: Event | None = None) -> tuple[int, list[str]]:
    """Run a module as a process of its own session; return its exit code and all that it said.

    Args:
        module: its `main` calls `pipeline.runtime.parent_death.end_with_parent`.
        arguments: of its command line.
        stop: ends it when set.

    Raises:
        Stopped: `stop` was set.

    However this ends, by Ctrl-C or a cancelled run too, the process and its children are gone.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said = _wait(process, module, stop)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, [line for line in said.splitlines() if line.strip()]


def _wait(process: "subprocess.Popen[str]", name: str, stop: Event | None) -> str:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK_SECONDS)[0]
        if stop and stop.is_set():
            raise Stopped(name, "stopped")
