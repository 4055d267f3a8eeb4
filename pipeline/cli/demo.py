"""`idiolect demo`: `idiolect repro`, then a list of the results."""

import json
import time
from contextlib import suppress
from pathlib import Path

import typer

from pipeline.execution import console
from pipeline.execution.reproduce import print_summary, reproduce
from pipeline.execution.stage_run import State
from pipeline.project import estimates, git
from pipeline.report import offline_plots
from pipeline.report.page.updater import PageUpdater
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError

_SECONDS = Path("reports/seconds.json")
_STATE = ("dvc.lock", "params.yaml", "versions.yaml")
_RESULTS = (
    ("videos", "reports/videos/*.mp4"),
    ("side by side", "reports/videos/*/beside.mp4"),
    ("another's style", "reports/videos/*/as_*.mp4"),
    ("portrait", "reports/videos/*/portrait.mp4"),
    ("own video", "reports/videos/*/onto.mp4"),
    ("data sheets", "reports/sheets/*.png"),
    ("style references", "reports/references/*.png"),
    ("style patterns", "reports/isp/*.png"),
    ("donor frames", "reports/donors/*.png"),
    ("evaluation", "reports/evaluation/tables.md"),
    ("evaluation", "reports/evaluation/figures/*.png"),
)


def run() -> int:
    """Run the stale stages and list the results; return the exit code."""
    began = time.monotonic()
    if not offline_plots.SCRIPT.is_file():
        with suppress(UserError):  # optional; without it, plots need a network
            offline_plots.write_script()
    with PageUpdater() as page:
        code, stages = reproduce(
            callbacks=console.console, on_plan=page.on_plan, on_change=page.on_change
        )
        print_summary(stages, typer.echo)
        estimates.record(stages)
        index = page.close(stages)
    if code:
        _print_page(index)
        return code
    seconds = {run.name: round(run.seconds, 1) for run in stages if run.state is State.RAN}
    if seconds:
        write_atomic(_SECONDS, json.dumps(seconds, indent=1))
    took = console.format_duration(time.monotonic() - began).removeprefix("about ")
    typer.echo(f"\ndone in {took}: {len(seconds)} stages ran\n")
    for title, pattern in _RESULTS:
        for path in sorted(Path().glob(pattern)):
            typer.echo(f"{title:>18}  {path}")
    typer.echo(f"{'metrics':>18}  reports/metrics.json (`dvc metrics show`)")
    typer.echo(f"{'curves':>18}  `dvc plots show`")
    if line := commit_line():
        typer.echo(f"\nto let `dvc metrics diff` compare later runs with this one:\n  {line}")
    _print_page(index)
    return 0


def _print_page(path: Path | None) -> None:
    if path:
        typer.echo(f"\nall of it on one page: {path}")


def commit_line() -> str:
    """Return the command that commits these results; empty if git has them, or is not used."""
    try:
        changed = git.changed(_STATE)
    except UserError:
        return ""
    if "dvc.lock" not in changed:
        return ""
    return f'git add {" ".join(changed)} && git commit -m "Results of the first run"'
