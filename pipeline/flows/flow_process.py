"""Work of a flow in a separate process, which can be stopped and ends with the flow.

python -m pipeline.flows.flow_process --help
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

from pipeline.execution.stage_process import kill_session, start_session
from pipeline.project import remote
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError, report_user_errors

MODULE = "pipeline.flows.flow_process"
DATABASE = "idiolect.db"  # in Prefect's home; a user's own flows are in prefect.db
_POLL_SECONDS = 0.25
_KEPT_DAYS = 30

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Internal processes of the flows.",
)


@app.command()
def server(port: int, parent: int) -> None:
    """Run Prefect's server on loopback until the parent process ends.

    It has a database of its own, in which it deletes runs with their logs after 30 days, and events
    after Prefect's 7; settings of the user's own come first.
    """
    from prefect.settings import get_current_settings

    end_with_parent(parent)
    settings = get_current_settings()
    own = settings.to_environment_variables(exclude_unset=True)  # of the environment and profiles
    os.environ.update(_server_settings(settings.home) | own)
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - the death signal stays set


def _server_settings(home: Path) -> dict[str, str]:
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / DATABASE}",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(_KEPT_DAYS * 86400),
    }


@app.command()
def check_inbox(subject: str) -> None:
    """Judge the videos of the inbox folder; print the reasons by file name as JSON."""
    from pipeline.flows.inbox import check_folder
    from stages.base.config.subjects import Subject

    end_with_parent()
    print(json.dumps(check_folder(Subject.parse(subject))))


@app.command()
def fetch() -> None:
    """Fetch files and the run cache from DVC's remote; check out data files that are absent."""
    from dvc.cli import main as dvc

    end_with_parent()
    try:
        print(remote.fetch(champions=False))
    finally:  # what an earlier one has fetched is in the cache
        tracked = Path("data").rglob("*.dvc")
        absent = [str(path) for path in tracked if not path.with_suffix("").exists()]
        code = dvc(["--wait-for-lock", "checkout", *absent]) if absent else 0
    raise typer.Exit(code)


@app.command()
def push(stage: str) -> None:
    """Push the outs of a stage and its entry of the run cache to DVC's remote."""
    end_with_parent()
    print(remote.push([stage], champions=False))


class FlowProcessStopped(UserError):
    """A process of a flow was stopped."""


def run(arguments: Sequence[str], stop: Event | None = None) -> tuple[int, list[str]]:
    """Run a command of this module in a session of its own; return its exit code and output lines.

    Args:
        arguments: the command and its own.
        stop: ends the process when set.

    Raises:
        FlowProcessStopped: `stop` was set.

    The process and its children have ended when this returns or raises, also after Ctrl-C.
    """
    with start_session([sys.executable, "-m", MODULE, *arguments]) as process:
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
            raise FlowProcessStopped(MODULE, "stopped")


if __name__ == "__main__":
    with report_user_errors():
        app()
