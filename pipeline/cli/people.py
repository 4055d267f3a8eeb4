"""Commands about people: their videos, the neutral image, and the preset of params.yaml.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.root import app, flag
from pipeline.runtime.user_errors import UserError, one_line


@app.command()
def add(
    videos: Annotated[list[Path], typer.Argument(help="Videos or folders of videos.")],
    subject: Annotated[str, typer.Option(help="Name of the person: a-z, 0-9 and _.")],
    unseen: Annotated[bool, flag("--unseen", help="Exclude the person from all training.")] = False,
    population: Annotated[
        bool,
        flag("--population", help="Train speech and motion on the person; make no pictures."),
    ] = False,
    keep_sample: Annotated[bool, flag("--keep-sample", help="Keep the sample subjects.")] = False,
) -> None:
    """Copy videos of one person into the project; the originals do not change."""
    from pipeline.project import estimates, people

    if unseen and population:
        raise UserError(subject, "expected one of --unseen and --population, found both")
    role = "unseen" if unseen else "population" if population else "seen"
    added = people.add(videos, subject, role=role, keep_sample=keep_sample)
    for warning in added.warnings:
        typer.echo(f"warning: {one_line(warning)}", err=True)
    present = f"{len(added.present)} already present"
    typer.echo(f"{subject} ({role}): {len(added.copied)} copied, {present}")
    if added.left:
        back = "`idiolect sample`, then `idiolect repro`, restores what DVC's cache has"
        typer.echo(f"removed: {', '.join(added.left)} and their results ({back})")
    typer.echo(f"next: `idiolect repro`, {estimates.expectation()}")
    typer.echo(f"undo: `idiolect remove {subject}` (the copies stay in data/raw/{subject})")


@app.command()
def remove(subject: Annotated[str, typer.Argument(help="Name of the person.")]) -> None:
    """Remove a person and all results from the project; keep the videos in data/raw."""
    from pipeline.project import people

    deleted = people.remove(subject)
    typer.echo(f"{subject}: removed from params.yaml, {len(deleted)} results deleted")
    if not people.has_seen_subjects():
        typer.echo(
            "no seen subject is left: add one, or `idiolect sample`, before `idiolect repro`"
        )
        return
    typer.echo(f"kept: data/raw/{subject}; next: `idiolect repro`")


@app.command()
def sample() -> None:
    """Add the sample subjects again."""
    from pipeline.project import people

    typer.echo(f"added: {', '.join(people.add_sample())}; next: `idiolect repro`")


@app.command()
def neutral(
    image: Annotated[
        Path | None, typer.Argument(help="Image of one face with closed lips.")
    ] = None,
    sample: Annotated[bool, flag("--sample", help="Use the sample's face instead.")] = False,
) -> None:
    """Set the neutral image: the face that all style patterns show."""
    from pipeline.project import neutral_image

    if sample == (image is not None):
        raise UserError("neutral", "expected either an image or --sample")
    if image is None:
        changed = neutral_image.use_sample()
        state = "reset to the sample's face" if changed else "is already the sample's face"
        typer.echo(f"neutral image: {state}; next: `idiolect repro`")
        return
    cut = neutral_image.set_portrait(image)
    typer.echo(f"neutral image: {image}, a face of {cut.face:.0f} px, cut to {cut.side} px")
    typer.echo(
        f"copy: {neutral_image.PORTRAIT}; next: `idiolect repro`; undo: `idiolect neutral --sample`"
    )


@app.command()
def preset(
    name: Annotated[str, typer.Argument(help="tiny, laptop, gpu, gpu-512 or paper.")],
) -> None:
    """Write the values of a preset into params.yaml; keep the subjects."""
    from pipeline.project import estimates
    from pipeline.project.presets import apply_preset

    apply_preset(name)
    typer.echo(f"params.yaml: preset {name}; next: `idiolect repro`, {estimates.expectation()}")
