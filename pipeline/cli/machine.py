"""Commands that retrain on a schedule, share, check machine and project, and open the studio.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.root import Inbox, InboxSubject, Jobs, app
from pipeline.runtime.user_errors import UserError


@app.command()
def retrain(inbox: Inbox, subject: InboxSubject, jobs: Jobs = None) -> None:
    """Add new videos from an inbox, run the stale stages, and decide on promotion."""
    _require("prefect", "flows")
    from pipeline.flows.retrain import run

    completed, outcome = run(inbox, subject, jobs)
    typer.echo(outcome)
    raise typer.Exit(0 if completed else 1)


@app.command()
def serve(
    inbox: Inbox,
    subject: InboxSubject,
    cron: Annotated[
        str, typer.Option(help="Schedule: five cron fields, local time.")
    ] = "0 3 * * *",
    jobs: Jobs = None,
) -> None:
    """Run `retrain` on a schedule, one run at a time, until Ctrl-C."""
    _require("prefect", "flows")
    from pipeline.flows.serve import serve as serve_retrain

    serve_retrain(inbox, subject, cron, jobs)


def _require(package: str, extra: str) -> None:
    """Raise UserError if the package of an extra is not installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        todo = f"pip install -c constraints.txt -e '.[{extra}]'"
        raise UserError(package, "is not installed", todo)


@app.command()
def push() -> None:
    """Send all files, those of champions and DVC's run cache to the default remote."""
    from pipeline.project import remote

    typer.echo(remote.push())


@app.command()
def pull() -> None:
    """Fetch all files, those of champions and DVC's run cache from the default remote."""
    from pipeline.project import remote

    typer.echo(remote.pull())


@app.command()
def doctor() -> None:
    """Check this machine and params.yaml, and estimate the duration of a run."""
    from pipeline.project.doctor import report

    raise typer.Exit(report())


@app.command()
def verify(
    against: Annotated[
        Path | None, typer.Option(help="Compare dvc.lock with this file instead.")
    ] = None,
    write_lock: Annotated[
        Path | None,
        typer.Option(help="If nothing differs, write dvc.lock and CPU flags to this file."),
    ] = None,
) -> None:
    """Hash the item store, the outs and DVC's cache again, and list the differences."""
    from pipeline.project import compare_locks
    from pipeline.project import verify as verifying

    if against and write_lock:
        raise UserError("verify", "expected --against or --write-lock, found both")
    raise typer.Exit(compare_locks.compare(against) if against else verifying.run(write_lock))


@app.command()
def studio(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free port.")
    ] = 7860,
) -> None:
    """Open a page on this machine that renders a face, a style and a voice, until Ctrl-C."""
    _require("gradio", "studio")
    from pipeline.studio.server import serve

    serve(port, lambda address: typer.echo(f"studio: {address} (Ctrl-C ends it)"))
