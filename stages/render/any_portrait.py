"""Render any portrait speaking any audio in a person's style; nobody is trained on the portrait.

render_portrait(Path("face.jpg"), "sample_lively", Path("voice.wav"), Path("talk.mp4"))
"""

from collections.abc import Iterator
from pathlib import Path

from stages.base.config.params import read_section
from stages.base.io.image_io import Image
from stages.clips.params import ClipsParams
from stages.landmarks.params import LandmarksParams
from stages.motion.predict import Motion
from stages.portrait.identity import as_motion_person
from stages.portrait.params import PortraitParams
from stages.portrait.picture import read_portrait
from stages.render.any_audio import decode_voice, encode_talk
from stages.render.controls import UNCHANGED, Controls
from stages.render.full_frame import Frame, check_frame, paste_into_background, portrait_background
from stages.render.params import RenderParams
from stages.render.portrait_frames import portrait_frames
from stages.render.trained_models import load_models


def render_portrait(
    picture: Path,
    style: str,
    audio: Path,
    out: Path,
    *,
    controls: Controls = UNCHANGED,
    frame: Frame = "square",
) -> int:
    """Render a portrait speaking audio in a style; return the number of frames.

    Args:
        picture: a picture of one person from the front; it is not changed.
        style: who lends the style: a trained subject, or an unseen one.
        audio: any audio or video file with sound.
        out: the video to write, H.264 and AAC, ending in .mp4.
        controls: changes to motion, size and rate, and the part of the voice.
        frame: "full" pastes the square into the whole picture.

    Raises:
        UserError: the picture does not show one face from the front, large enough, or another
            input is missing or wrong.
        NotTrained: the style is not of this project.
    """
    params = read_section("portrait", PortraitParams)
    clips, landmarks = (
        read_section("clips", ClipsParams),
        read_section("landmarks", LandmarksParams),
    )
    check_frame(frame, controls)
    with decode_voice(audio, out, controls) as voice:
        portrait = read_portrait(picture, params, clips, landmarks)
        models = load_models((), portrait.size, style)
        panel = read_section("render", RenderParams).panel
        background = portrait_background(picture, clips) if frame == "full" else None

        def draw(motions: Iterator[Motion]) -> Iterator[Image]:
            squares = portrait_frames(models, portrait, style, motions)
            return paste_into_background(squares, background, panel)

        face = as_motion_person(portrait, models.motion.person(style))
        return encode_talk(models, style, face, voice, out, draw, controls)
