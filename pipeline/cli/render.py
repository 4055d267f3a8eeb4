"""`idiolect render`: a talking video from a face, a style, a voice, and controls.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.root import app, flag
from pipeline.runtime.user_errors import UserError


@app.command()
def render(
    audio: Annotated[Path | None, typer.Option(help="Voice: any audio or video file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Video to write (.mp4); NAME.yaml beside it is its record.")
    ] = None,
    identity: Annotated[str | None, typer.Option(help="Face: a trained subject.")] = None,
    portrait: Annotated[
        Path | None, typer.Option(help="Face: a picture of any one person; needs --style.")
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(
            help="Face: an added video of a trained person; the voice moves mouth and jaw only."
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help="Style: any subject, even unseen. Default: the identity."),
    ] = None,
    restyle: Annotated[
        bool,
        flag("--restyle", help="Draw neutral motion; the style's ISPs restore its amplitude."),
    ] = False,
    frame: Annotated[
        Literal["square", "full"],
        typer.Option(help="full: the head in its own picture, where the background is still."),
    ] = "square",
    mouth: Annotated[float, typer.Option(help="Factor on the mouth's motion, 0 to 2.")] = 1.0,
    head: Annotated[float, typer.Option(help="Factor on the head's motion, 0 to 2.")] = 1.0,
    blinks: Annotated[
        float | None, typer.Option(help="Blinks a minute, 0 to 60. Default: the style's.")
    ] = None,
    gaze: Annotated[
        Literal["style", "camera"], typer.Option(help="camera: the eyes look into the camera.")
    ] = "style",
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed of head motion, blinks and gaze. Default: training.seed."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Height and width of the video, px, even.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of the video. Default: the motion's.")
    ] = None,
    start: Annotated[float, typer.Option(help="Start in the voice file, s.")] = 0.0,
    duration: Annotated[
        float | None, typer.Option(help="Length of the voice to use, s. Default: to its end.")
    ] = None,
    follow: Annotated[
        bool, flag("--follow", help="Render a WAV file while it grows; --identity only.")
    ] = False,
    again: Annotated[
        Path | None,
        typer.Option(help="Render again from this record (.yaml); only --out may be added."),
    ] = None,
) -> None:
    """Render a talking video from a face, a style and a voice, each chosen independently."""
    from stages.render.voice_file import check_voice

    if again is None and audio is not None and out is not None:  # before torch is imported
        check_voice(audio, out, *(path for path in (portrait, onto) if path is not None))

    from stages.render.controls import Controls
    from stages.render.record import render_recorded
    from stages.render.request import Request

    controls = Controls(mouth, head, blinks, gaze, seed, size, fps, start, duration)
    if again is not None:
        if (
            controls.changed()
            or restyle
            or frame == "full"
            or any((audio, identity, portrait, onto, style))
        ):
            raise UserError("render", "expected --again alone or with --out")
        _render_again(again, out)
        return
    if audio is None or out is None:
        raise UserError("render", "expected --audio and --out, or --again alone")
    if follow:
        if identity is None or portrait or onto or restyle or frame == "full":
            found = "expected --follow with --identity alone, no --frame full and no --restyle"
            raise UserError("render", found)
        from stages.render.follow import render_followed

        render_followed(identity, style or identity, audio, out, controls)
        typer.echo(out)
        return
    request = Request(
        identity=identity,
        portrait=portrait,
        onto=onto,
        style=style,
        audio=audio,
        restyle=restyle,
        controls=controls,
        frame=frame,
    )
    render_recorded(request, out)
    if style is not None and style != identity:
        from stages.render.trained_models import describe_style

        typer.echo(describe_style(style))
    typer.echo(out)


def _render_again(path: Path, out: Path | None) -> None:
    from pipeline.runtime.item_store import file_hash
    from stages.render.record import Record, render_recorded

    record = Record.read(path)
    record.check()
    out = out or path.with_suffix(".mp4")
    render_recorded(record.request, out)
    same = file_hash(out) == record.video
    other = f"other bytes than before: another machine, or another idiolect than {record.idiolect}"
    typer.echo(f"{out}: {'the same bytes as before' if same else other}")
