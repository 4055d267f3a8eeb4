"""The command line: each command is a thin layer over one function of the other packages.

    idiolect --help

Heavy imports stay inside the commands, which keeps `--help` fast.

Long because a command consists mostly of its options and their help.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from pipeline.runtime.machine_settings import prepare
from pipeline.runtime.user_errors import UserError, report_user_errors

_ANYWHERE = ("doctor", "verify")  # write nothing, and report what is missing themselves

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn how one person talks from video, and apply that style to a portrait and a voice.",
)

Inbox = Annotated[str, typer.Option(help="Folder of videos, or an fsspec URL (s3://…).")]
InboxSubject = Annotated[
    str, typer.Option(help="Name of the person in the videos; a new person is added as seen.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", min=1, help="Maximum number of parallel stages. Default: all cores."
    ),
]
Dry = Annotated[bool, typer.Option("--dry", help="Show what would be done without doing it.")]


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"idiolect {installed('idiolect')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
]


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Version = False,  # noqa: ARG001 - its callback prints it
) -> None:
    from pipeline.execution.project_lock import require_whole_project
    from pipeline.runtime.machine_settings import use_writable_home

    if "--help" in sys.argv[1:]:
        return
    if context.invoked_subcommand not in _ANYWHERE:
        require_whole_project()
    use_writable_home()


@app.command()
def add(
    videos: Annotated[list[Path], typer.Argument(help="Videos or folders of videos.")],
    subject: Annotated[str, typer.Option(help="Name of the person: a-z, 0-9 and _.")],
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Exclude the person from all training.")
    ] = False,
    keep_sample: Annotated[
        bool, typer.Option("--keep-sample", help="Keep the sample subjects.")
    ] = False,
) -> None:
    """Copy videos of one person into the project; the originals do not change."""
    from pipeline.project import estimates, people

    role = "unseen" if unseen else "seen"
    added = people.add(videos, subject, role=role, keep_sample=keep_sample)
    for warning in added.warnings:
        typer.echo(f"warning: {warning}", err=True)
    present = f"{len(added.present)} already present"
    typer.echo(f"{subject} ({role}): {len(added.copied)} copied, {present}")
    if added.left:
        typer.echo(f"removed: {', '.join(added.left)} (add again with `idiolect sample`)")
    typer.echo(f"next: `dvc repro`, {estimates.expectation()}")
    typer.echo(f"undo: `idiolect remove {subject}` (the copies stay in data/raw/{subject})")


@app.command()
def remove(subject: Annotated[str, typer.Argument(help="Name of the person.")]) -> None:
    """Remove a person and all results from the project; keep the videos in data/raw."""
    from pipeline.project import people

    deleted = people.remove(subject)
    typer.echo(f"{subject}: removed from params.yaml, {len(deleted)} results deleted")
    if not people.has_seen_subjects():
        typer.echo("no seen subject is left: add one, or `idiolect sample`, before `dvc repro`")
        return
    typer.echo(f"kept: data/raw/{subject}; next: `dvc repro`")


@app.command()
def sample() -> None:
    """Add the sample subjects again."""
    from pipeline.project import people

    typer.echo(f"added: {', '.join(people.add_sample())}; next: `dvc repro`")


@app.command()
def neutral(
    image: Annotated[
        Path | None, typer.Argument(help="Image of one face with closed lips.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Use the sample's face instead.")
    ] = False,
) -> None:
    """Set the neutral image: the face that all style patterns show."""
    from pipeline.project import neutral_image

    if sample == (image is not None):
        raise UserError("neutral", "expected either an image or --sample")
    if image is None:
        changed = neutral_image.use_sample()
        state = "reset to the sample's face" if changed else "is already the sample's face"
        typer.echo(f"neutral image: {state}; next: `dvc repro`")
        return
    cut = neutral_image.set_portrait(image)
    typer.echo(f"neutral image: {image}, a face of {cut.face:.0f} px, cut to {cut.side} px")
    typer.echo(
        f"copy: {neutral_image.PORTRAIT}; next: `dvc repro`; undo: `idiolect neutral --sample`"
    )


@app.command()
def preset(
    name: Annotated[str, typer.Argument(help="tiny, laptop, gpu, gpu-512 or paper.")],
) -> None:
    """Write the values of a preset into params.yaml; keep the subjects."""
    from pipeline.project import estimates
    from pipeline.project.presets import apply_preset

    apply_preset(name)
    typer.echo(f"params.yaml: preset {name}; next: `dvc repro`, {estimates.expectation()}")


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


@app.command()
def metrics(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="workspace, champion, experiments, revisions. Default: all."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print every metric as CSV, one row each.")
    ] = False,
) -> None:
    """Show the metrics of runs, one row per run and person; with --csv all of them."""
    from pipeline.report.metrics_table import headline_table, metrics_csv

    typer.echo(metrics_csv(runs or ()) if csv else headline_table(runs or ()), nl=not csv)


@app.command()
def experiments(
    metric: Annotated[
        list[str] | None, typer.Option(help="Short name of a headline metric; repeat for more.")
    ] = None,
) -> None:
    """List every experiment with the params that it changed and its metrics."""
    from pipeline.experiments.listing import SHOWN, table

    typer.echo(table(metric or SHOWN))


@app.command()
def champion() -> None:
    """Show the champion, its metrics, and the earlier champions."""
    from pipeline.promotion import champions

    typer.echo(champions.describe())


@app.command()
def promote(
    anyway: Annotated[
        str, typer.Option(metavar="WHY", help="Promote against the rules; WHY is recorded.")
    ] = "",
    dry: Dry = False,
) -> None:
    """Promote the results in the workspace if they pass the rules of promotion.yaml."""
    from pipeline.promotion import champions

    decision = champions.decide_workspace()
    if anyway:
        decision = decision.overridden(anyway)
    typer.echo(decision.markdown())
    if decision.faulty:
        raise typer.Exit(1)
    if not dry and not decision.unchanged:
        typer.echo(champions.record(decision))


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(help="Git revision, name of an experiment, or `champion`.")
    ],
    second: Annotated[str, typer.Argument(help="Another revision.")] = "workspace",
) -> None:
    """Compare params, metrics and images of two revisions."""
    from pipeline.promotion import champions
    from pipeline.promotion.compare import compare as compare_revisions
    from pipeline.promotion.rules import read_rules
    from pipeline.report.page.comparison import comparison_page

    sides = (champions.resolve(first), champions.resolve(second))
    typer.echo(compare_revisions(*sides, read_rules(), comparison_page).text())


@app.command()
def rollback(
    to: Annotated[
        int | None, typer.Option(help="Number of the champion. Default: the previous one.")
    ] = None,
) -> None:
    """Return to the models and params of an earlier champion; keep the code."""
    from pipeline.promotion.rollback import rollback as roll

    typer.echo("\n".join(roll(to)))


@app.command()
def retrain(inbox: Inbox, subject: InboxSubject, jobs: Jobs = None) -> None:
    """Add new videos from an inbox, run the stale stages, and decide on promotion."""
    _require_prefect()
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
    _require_prefect()
    from pipeline.flows.serve import serve as serve_retrain

    serve_retrain(inbox, subject, cron, jobs)


def _require_prefect() -> None:
    """Raise UserError if the extra `flows` is not installed."""
    from importlib.util import find_spec

    if find_spec("prefect") is None:
        raise UserError(
            "prefect", "is not installed", "pip install -c constraints.txt -e '.[flows]'"
        )


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


def main() -> None:
    """Run the command line; report a user error as one line with exit code 1."""
    prepare()
    with report_user_errors():
        app()


if __name__ == "__main__":
    main()
