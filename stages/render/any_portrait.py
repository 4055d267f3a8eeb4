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
from stages.portrait.params import PortraitParams
from stages.portrait.picture import read_portrait
from stages.render.any_audio import decoded, encode_talk
from stages.render.params import RenderParams
from stages.render.portrait_frames import portrait_frames
from stages.render.render import enlarge
from stages.render.trained_models import load_models


def render_portrait(picture: Path, style: str, audio: Path, out: Path) -> int:
    """Render a portrait speaking audio in a style; return the number of frames.

    Args:
        picture: a picture of one person from the front; it is not changed.
        style: who lends the style: a trained subject, or an unseen one.
        audio: any audio or video file with sound.
        out: the video to write, H.264 and AAC, ending in .mp4.

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
    with decoded(audio, out) as voice:
        portrait = read_portrait(picture, params, clips, landmarks)
        models = load_models((), portrait.size, style)
        panel = read_section("render", RenderParams).panel

        def draw(motions: Iterator[Motion]) -> Iterator[Image]:
            return enlarge(portrait_frames(models, portrait, style, motions), panel)

        return encode_talk(models, style, voice, out, draw)
