"""Commands that run stages, render and evaluate.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.root import Dry, Jobs, app
from pipeline.runtime.user_errors import UserError


@app.command()
def render(
    audio: Annotated[Path, typer.Option(help="Voice: any audio or video file.")],
    out: Annotated[Path, typer.Option(help="Video to write (.mp4).")],
    identity: Annotated[str | None, typer.Option(help="Face: a trained subject.")] = None,
    portrait: Annotated[
        Path | None, typer.Option(help="Face: a picture of any one person; needs --style.")
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(help="Face: a person's own video; the voice moves its mouth and jaw only."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help="Style: any subject, even unseen. Default: the identity."),
    ] = None,
    restyle: Annotated[
        bool,
        typer.Option(
            "--restyle", help="Draw neutral motion; the style's ISPs restore its amplitude."
        ),
    ] = False,
) -> None:
    """Render a talking video from a face, a style and a voice, each chosen independently."""
    if sum(face is not None for face in (identity, portrait, onto)) != 1:
        raise UserError("render", "expected either --identity or --portrait or --onto")
    if onto is not None:
        from stages.render.onto_video import render_onto

        if restyle:
            raise UserError("render", "expected --restyle with --identity, found --onto")
        render_onto(onto, audio, out, style)
    elif portrait is not None:
        from stages.render.any_portrait import render_portrait

        if style is None:
            raise UserError("render", "expected --style with --portrait", "name a subject")
        if restyle:
            raise UserError("render", "expected --restyle with --identity, found --portrait")
        render_portrait(portrait, style, audio, out)
    elif identity is not None:
        from stages.render.any_audio import render_audio

        render_audio(identity, style or identity, audio, out, restyle=restyle)
    if style is not None and style != identity:
        from stages.render.trained_models import describe_style

        typer.echo(describe_style(style))
    typer.echo(out)


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
        typer.Option(min=2, help="Train this project with so many seeds, and show the spread."),
    ] = None,
) -> None:
    """Score the videos of any tool against real ones, or the spread over seeds of the trainings."""
    if seeds and not (real or generated or pairs):
        from pipeline.experiments.seeds import run

        typer.echo(run(seeds).read_text())
        raise typer.Exit
    if seeds or not (real and generated):
        raise UserError("evaluate", "expected --real and --generated, or --seeds alone")
    from pipeline.report.external_videos import evaluate_videos

    report = evaluate_videos(real, generated, pairs, out)
    for name, reason in report.rejected.items():
        typer.echo(f"rejected: {name}: {reason}", err=True)
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
    dry: Dry = False,
) -> None:
    """Run the stale stages, as `dvc repro` does, with independent stages in parallel."""
    from pipeline.execution import console, reproduce
    from pipeline.project import estimates
    from pipeline.report.page.updater import PageUpdater

    if dry:
        _, runs = reproduce.reproduce(stages or (), jobs, callbacks=console.console, dry=True)
        for run in runs:
            typer.echo(f"{run.name}: {', '.join(run.changes) or 'if the results it needs change'}")
        reproduce.print_summary(runs, typer.echo)
        raise typer.Exit(0)
    with PageUpdater() as page:
        code, runs = reproduce.reproduce(
            stages or (),
            jobs,
            callbacks=console.console,
            on_plan=page.on_plan,
            on_stage_end=page.on_stage_end,
        )
        reproduce.print_summary(runs, typer.echo)
        estimates.record(runs)
        if path := page.close(runs):
            typer.echo(f"page: {path}")
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
