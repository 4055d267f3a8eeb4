"""Work that a flow does in a process of its own, which can be stopped and ends with the flow.

python -m pipeline.flows.helper --help
"""

import json
import os
import sys
from pathlib import Path

import typer

from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import report_user_errors

MODULE = "pipeline.flows.helper"

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


if __name__ == "__main__":
    with report_user_errors():
        app()
