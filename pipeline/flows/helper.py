"""Work of a flow in a separate process, which can be stopped and ends with the flow.

python -m pipeline.flows.helper --help
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

import typer

from pipeline.execution.stage_process import kill_session
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError, report_user_errors

MODULE = "pipeline.flows.helper"
_POLL_SECONDS = 0.25

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Internal processes of the flows.",
)


@app.command()
def server(port: int, parent: int) -> None:
    """Run Prefect's server on loopback until the parent process ends."""
    end_with_parent(parent)
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - the death signal stays set


@app.command()
def judge(subject: str) -> None:
    """Judge the videos of the inbox folder; print the reasons by file name as JSON."""
    from pipeline.flows.inbox import judge_folder
    from stages.base.config.subjects import Subject

    end_with_parent()
    print(json.dumps(judge_folder(Subject.parse(subject))))


@app.command()
def fetch() -> None:
    """Fetch files and the run cache from DVC's remote; check out data files that are absent."""
    from dvc.cli import main as dvc

    end_with_parent()
    code = dvc(["--wait-for-lock", "fetch", "--run-cache"])
    tracked = Path("data").rglob("*.dvc")
    absent = [str(path) for path in tracked if not path.with_suffix("").exists()]
    if absent:
        code = dvc(["--wait-for-lock", "checkout", *absent]) or code
    raise typer.Exit(code)


@app.command()
def push(stage: str) -> None:
    """Push the outs of a stage and its entry of the run cache to DVC's remote."""
    from dvc.cli import main as dvc

    end_with_parent()
    raise typer.Exit(dvc(["--wait-for-lock", "push", "--run-cache", stage]))


class Stopped(UserError):
    """A helper process was stopped."""


def run(arguments: Sequence[str], stop: Event | None = None) -> tuple[int, list[str]]:
    """Run a command of this module in a session of its own; return its exit code and output lines.

    Args:
        arguments: the command and its own.
        stop: ends the helper process when set.

    Raises:
        Stopped: `stop` was set.

    The process and its children have ended when this returns or raises, also after Ctrl-C.
    """
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output = _wait(process, stop)
        except BaseException:
            kill_session(process.pid)
            raise
    return process.returncode, [line for line in output.splitlines() if line.strip()]


def _wait(process: "subprocess.Popen[str]", stop: Event | None) -> str:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_POLL_SECONDS)[0]
        if stop and stop.is_set():
            raise Stopped(MODULE, "stopped")


if __name__ == "__main__":
    with report_user_errors():
        app()
