"""Commands that run stages and evaluate.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.root import Jobs, app, flag
from pipeline.runtime.user_errors import UserError, one_line

if TYPE_CHECKING:
    from pipeline.execution.stage_run import StageRun


@app.command()
def evaluate(
    real: Annotated[Path | None, typer.Option(help="Folder of real videos.")] = None,
    generated: Annotated[
        Path | None, typer.Option(help="Folder of generated videos, of any tool.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="CSV with columns real,generated. Default: pairs with the same stem."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for scores.csv and scores.json.")] = Path(
        "reports/external"
    ),
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Number of seeds to train with; prints the spread of each metric."
        ),
    ] = None,
) -> None:
    """Score generated videos against real ones; with --seeds, measure the spread over seeds."""
    if seeds and not (real or generated or pairs):
        from pipeline.experiments.seeds import run

        typer.echo(run(seeds).read_text())
        raise typer.Exit
    if seeds or not (real and generated):
        raise UserError("evaluate", "expected --real and --generated, or --seeds alone")
    from pipeline.report.external_videos import evaluate_videos

    report = evaluate_videos(real, generated, pairs, out)
    for name, reason in report.rejected.items():
        typer.echo(f"rejected: {one_line(f'{name}: {reason}')}", err=True)
    if report.scores:
        typer.echo(
            f"{report.table()}\n\npairs: {len(report.scores)}; {out}/scores.csv, scores.json"
        )
    raise typer.Exit(1 if report.rejected else 0)


@app.command()
def repro(
    stages: Annotated[
        list[str] | None,
        typer.Argument(help="Stages or groups, with all upstream stages. Default: all."),
    ] = None,
    jobs: Jobs = None,
    dry: Annotated[bool, flag("--dry", help="Name the stale stages and why; run none.")] = False,
    keep_going: Annotated[
        bool,
        flag(
            "--keep-going",
            help="Train on the others if a person has no usable clip: that person becomes unseen.",
        ),
    ] = False,
) -> None:
    """Run the stale stages, as `dvc repro` does, with independent stages in parallel."""
    from pipeline.execution import console, reproduce
    from pipeline.project import estimates
    from pipeline.project.leave_out import failed_people, run_without_failed
    from pipeline.report.page.updater import PageUpdater

    if dry:
        _, runs = reproduce.reproduce(stages or (), jobs, callbacks=console.console, dry=True)
        for stage in runs:
            typer.echo(
                f"{stage.name}: {', '.join(stage.changes) or 'if the results it needs change'}"
            )
        reproduce.print_summary(runs, typer.echo)
        raise typer.Exit(0)

    def run() -> tuple[int, "list[StageRun]"]:
        with PageUpdater() as page:
            code, runs = reproduce.reproduce(
                stages or (),
                jobs,
                callbacks=console.console,
                on_plan=page.on_plan,
                on_change=page.on_change,
            )
            reproduce.print_summary(runs, typer.echo)
            estimates.record(runs)
            if path := page.close(runs):
                typer.echo(f"page: {path}")
        return code, runs

    if keep_going:
        raise typer.Exit(run_without_failed(run, typer.echo))
    code, ended = run()
    if code == 1 and (names := ", ".join(failed_people(ended))):
        typer.echo(f"to train on the others, without {names}: `idiolect repro --keep-going`")
    raise typer.Exit(code)


@app.command()
def report() -> None:
    """Write reports/index.html: one page with all results, videos, data, curves and lineage."""
    from pipeline.report.page.build import write_page

    typer.echo(write_page())


@app.command()
def demo() -> None:
    """Run the stale stages and list the results."""
    from pipeline.cli.demo import run

    raise typer.Exit(run())


@app.command()
def sweep(
    values: Annotated[
        list[str], typer.Argument(help="KEY=VALUE,VALUE… with a key of params.yaml.")
    ],
) -> None:
    """Run every combination of params as a DVC experiment and compare them frame by frame."""
    from pipeline.experiments import sweep as sweeps

    _show_comparison(sweeps.run(sweeps.combinations(values)))


@app.command()
def ablate() -> None:
    """Run the method without each of its parts in turn and compare (30 min, laptop preset)."""
    from pipeline.experiments import sweep as sweeps

    _show_comparison(sweeps.run(sweeps.ABLATION, sweeps.ABLATED))


def _show_comparison(table: Path) -> None:
    typer.echo(table.read_text())
    typer.echo(f"table: {table}; plot: {table.with_name('plot.png')}; also `idiolect experiments`")
