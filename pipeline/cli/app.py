"""The command line: a thin layer over modules of the running half of `pipeline`."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from pipeline.runtime.user_errors import UserError, report_user_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn how one person talks, from video, and give that style to a portrait and a voice. "
    "`dvc repro` is the main job; these commands are what is around it.",
)


Inbox = Annotated[str, typer.Option(help="A folder of videos, or what fsspec reads: s3://…")]
Whose = Annotated[str, typer.Option(help="Whose they are; a new person is added as seen.")]
Jobs = Annotated[
    Optional[int],  # noqa: UP045  # typer reads it
    typer.Option("-j", "--jobs", min=1, help="Stages at once; as many as cores unless given."),
]


@app.command()
def add(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders of videos.")],
    subject: Annotated[str, typer.Option(help="The person: a-z, 0-9 and _.")],
    unseen: Annotated[bool, typer.Option("--unseen", help="Hold the person out.")] = False,
    keep_sample: Annotated[
        bool, typer.Option("--keep-sample", help="Keep the sample subjects in.")
    ] = False,
) -> None:
    """Copy videos of one person into the project; yours stay as they are."""
    from pipeline.execution import stage_seconds
    from pipeline.project import project_edits

    role = "unseen" if unseen else "seen"
    added = project_edits.add(videos, subject, role=role, keep_sample=keep_sample)
    for warning in added.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{subject} ({role}): {len(added.copied)} copied, {len(added.present)} there before")
    if added.left:
        typer.echo(f"left: {', '.join(added.left)} (back with `idiolect sample`)")
    typer.echo(f"next: `dvc repro`, {stage_seconds.expectation()}")
    typer.echo(f"undo: `idiolect remove {subject}` (the copies stay in data/raw/{subject})")


@app.command()
def remove(subject: Annotated[str, typer.Argument(help="The person.")]) -> None:
    """Take a person out of the project; the videos stay in data/raw."""
    from pipeline.project import project_edits

    deleted = project_edits.remove(subject)
    typer.echo(f"{subject}: out of params.yaml, {len(deleted)} results deleted")
    if project_edits.no_one_seen():
        typer.echo("no seen subject is left: add one, or `idiolect sample`, before `dvc repro`")
        return
    typer.echo(f"kept: data/raw/{subject}; next: `dvc repro`")


@app.command()
def sample() -> None:
    """Bring the sample subjects back."""
    from pipeline.project import project_edits

    typer.echo(f"in: {', '.join(project_edits.add_sample())}; next: `dvc repro`")


@app.command()
def neutral(
    image: Annotated[
        Optional[Path],  # noqa: UP045  # typer reads it
        typer.Argument(help="A portrait of one person, lips closed, facing ahead."),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Go back to the sample's face.")] = False,
) -> None:
    """Set the neutral image, the face that style patterns are made with; yours stays as it is."""
    from pipeline.project import project_edits

    if sample == (image is not None):
        raise UserError("neutral", "expected either a picture or --sample")
    if image is None:
        was = (
            "back to the sample's face"
            if project_edits.sample_neutral()
            else "is the sample's face"
        )
        typer.echo(f"neutral image: {was}; next: `dvc repro`")
        return
    cut = project_edits.set_neutral(image)
    typer.echo(f"neutral image: {image}, a face of {cut.face:.0f} px, cut to {cut.side} px")
    typer.echo(
        f"see it: {project_edits.PORTRAIT}; next: `dvc repro`; undo: `idiolect neutral --sample`"
    )


@app.command()
def preset(name: Annotated[str, typer.Argument(help="tiny, laptop or paper.")]) -> None:
    """Write a preset's numbers into params.yaml; subjects stay."""
    from pipeline.execution import stage_seconds
    from pipeline.project import project_edits

    project_edits.apply_preset(name)
    typer.echo(f"params.yaml: preset {name}; next: `dvc repro`, {stage_seconds.expectation()}")


@app.command()
def render(
    identity: Annotated[str, typer.Option(help="Whose face: a trained subject.")],
    audio: Annotated[Path, typer.Option(help="The voice: any audio or video file.")],
    out: Annotated[Path, typer.Option(help="The video to write (.mp4).")],
    style: Annotated[
        Optional[str],  # noqa: UP045  # typer reads it
        typer.Option(help="Whose way of talking; the identity's own unless given."),
    ] = None,
) -> None:
    """Make a talking video: a face, a style and a voice, chosen apart."""
    from stages.render.talk import render_talk

    render_talk(identity, style or identity, audio, out)
    typer.echo(out)


@app.command()
def repro(
    stages: Annotated[
        Optional[list[str]],  # noqa: UP045  # typer reads it
        typer.Argument(help="Stages, or groups (`render`), with all they need; all if none."),
    ] = None,
    jobs: Jobs = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only tell what would run, and why.")] = False,
) -> None:
    """Run what is stale, as `dvc repro` does, independent stages side by side."""
    from pipeline.execution import console, reproduce

    code, works = reproduce.reproduce(stages or (), jobs, listener=console.listener, dry=dry)
    if dry:
        for work in works:
            typer.echo(f"{work.name}: {', '.join(work.why) or 'if what it needs comes out new'}")
    reproduce.tell(works, typer.echo)
    raise typer.Exit(code)


@app.command()
def demo() -> None:
    """Run the whole DAG on what params.yaml names and show where its results are."""
    from pipeline.cli.demo import run

    raise typer.Exit(run())


@app.command()
def sweep(
    values: Annotated[list[str], typer.Argument(help="KEY=VALUE,VALUE… of params.yaml.")],
) -> None:
    """Run every combination of params as a DVC experiment and compare them frame by frame."""
    from pipeline.experiments import sweep as sweeps

    _tell(sweeps.run(sweeps.combinations(values)))


@app.command()
def ablate() -> None:
    """Leave out each part of the method in turn and compare: half an hour in the laptop preset."""
    from pipeline.experiments import sweep as sweeps

    _tell(sweeps.run(sweeps.ABLATION, sweeps.ABLATED))


def _tell(table: Path) -> None:
    """Print a comparison of runs and where it lies."""
    typer.echo(table.read_text())
    typer.echo(f"table: {table}; plot: {table.with_name('plot.png')}; also `dvc exp show`")


@app.command()
def champion() -> None:
    """Tell who is champion, since when, by which metrics, and who was before."""
    from pipeline.promotion import showing

    typer.echo(showing.champion())


@app.command()
def promote(
    anyway: Annotated[
        str, typer.Option(metavar="WHY", help="Promote whatever the rules say, for this reason.")
    ] = "",
    dry: Annotated[bool, typer.Option("--dry", help="Only show the decision.")] = False,
) -> None:
    """Judge what lies here by promotion.yaml: make it champion, or keep the present one."""
    from pipeline.promotion import champions

    decision = champions.judge()
    if anyway:
        decision = decision.anyway(anyway)
    typer.echo(decision.markdown())
    if decision.faulty:
        raise typer.Exit(1)
    if not dry and not decision.unchanged:
        typer.echo(champions.record(decision))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A revision of git, or `champion`.")],
    second: Annotated[
        str, typer.Argument(help="Another; what lies here unless given.")
    ] = "workspace",
) -> None:
    """Lay two revisions side by side: params, metrics, pictures."""
    from pipeline.promotion import champions, comparing, rules

    sides = (champions.resolve(first), champions.resolve(second))
    typer.echo(comparing.text(comparing.compare(*sides, rules.load())))


@app.command()
def rollback(
    to: Annotated[
        Optional[int],  # noqa: UP045  # typer reads it
        typer.Option(help="Number of the champion; the one before unless given."),
    ] = None,
) -> None:
    """Go back to an earlier champion, its models and params; code stays."""
    from pipeline.promotion.rollback import rollback as roll

    done = roll(to)
    was = "" if done.champion == done.before else f" (was {done.before})"
    typer.echo(f"here: {done.target}; the champion is {done.champion}{was}")
    for note in done.notes:
        typer.echo(note)
    typer.echo(f"undo: `{done.undo()}`")


@app.command()
def retrain(
    inbox: Inbox,
    subject: Whose,
    jobs: Jobs = None,
) -> None:
    """Take in new videos, run what is stale, and promote the outcome or keep the champion."""
    _flows()
    from pipeline.flows.retrain import run

    done, told = run(inbox, subject, jobs)
    typer.echo(told)
    raise typer.Exit(0 if done else 1)


@app.command()
def serve(
    inbox: Inbox,
    subject: Whose,
    cron: Annotated[str, typer.Option(help="When, in this machine's zone.")] = "0 3 * * *",
    jobs: Jobs = None,
) -> None:
    """Retrain on a schedule, one run at a time, until Ctrl-C."""
    _flows()
    from pipeline.flows.serving import serve as serving

    serving(inbox, subject, cron, jobs)


def _flows() -> None:
    """Say in one line that the extra is missing."""
    from importlib.util import find_spec

    if find_spec("prefect") is None:
        raise UserError(
            "prefect", "is not installed", "pip install -c constraints.txt -e '.[flows]'"
        )


@app.command()
def doctor() -> None:
    """Tell what this machine has and how many minutes to expect."""
    from pipeline.project.doctor import report

    raise typer.Exit(report())


@app.command()
def verify(
    against: Annotated[
        Optional[Path],  # noqa: UP045  # typer reads it
        typer.Option(help="Instead: compare dvc.lock with another, stage by stage."),
    ] = None,
    write_lock: Annotated[
        Optional[Path],  # noqa: UP045  # typer reads it
        typer.Option(help="If nothing differs, write dvc.lock here with this CPU's flags."),
    ] = None,
) -> None:
    """Hash the item store, the outs and DVC's cache again; name what differs."""
    from pipeline.project import compare_locks
    from pipeline.project import verify as verifying

    if against and write_lock:
        raise UserError("verify", "expected --against or --write-lock, found both")
    raise typer.Exit(compare_locks.compare(against) if against else verifying.run(write_lock))


def main() -> None:
    """Run the command line; a problem is one line and exit code 1."""
    with report_user_errors():
        app()
