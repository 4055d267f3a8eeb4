"""Render any portrait speaking any audio in a person's style; nobody is trained on the portrait.

    render_portrait(Path("face.jpg"), "sample_lively", Path("voice.wav"), Path("talk.mp4"))

The portrait is the generator's source at full size. The inside of the mouth comes from the style
person's donors; lids close by the portrait's own skin.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.params import read_section, seen_subjects
from stages.base.io.image_io import Image
from stages.clips.params import ClipsParams
from stages.donors.artifacts import DONORS_DIR
from stages.donors.library import Donors, read_donors
from stages.donors.parts import Mouth
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.generator.source_images import Source
from stages.landmarks.params import LandmarksParams
from stages.motion.predict import Motion, retarget
from stages.portrait.identity import person_of, source_of
from stages.portrait.lids import LidPainter, keep_lids_apart
from stages.portrait.lips import LipPainter, keep_lips_open
from stages.portrait.mouth import MouthPainter
from stages.portrait.params import PortraitParams
from stages.portrait.picture import Portrait, read_portrait
from stages.render.any_audio import decoded, encode_talk
from stages.render.params import RenderParams
from stages.render.render import enlarge
from stages.render.trained_models import Models, load_models


@dataclass(frozen=True)
class Drawer:
    """Draws frames of a portrait, piece by piece in order of time.

    Args:
        generator: a trained generator, of other people.
        source: the portrait.
        isps: the four ISPs of the style, (4, H, W, 3).
        network: whether the generator's network changes the warped portrait.
        mouth: paints the inside of the mouth; None leaves it as the warp shows it.
        batch: frames drawn together.
    """

    generator: Generator
    source: Source
    isps: Image
    network: bool
    mouth: MouthPainter | None
    batch: int

    def draw(self, driving: Driving) -> Iterator[Image]:
        """Yield frames, (drawn_size, drawn_size, 3), of landmarks in px of the portrait."""
        apart = keep_lips_open(keep_lids_apart(driving, self.source), self.source)
        frames: Iterable[Image] = (
            self.generator.frames(self.source, apart, self.isps, self.batch)
            if self.network
            else self.generator.warped_source(self.source, apart)
        )
        frames = LipPainter(self.source).paint(frames, driving)
        if self.mouth is not None:
            frames = self.mouth.paint(frames, driving)
        return LidPainter(self.source).paint(frames, driving)


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
        return encode_talk(
            models, style, voice, out, lambda motions: _frames(models, portrait, style, motions)
        )


def open_drawer(generator: Generator, portrait: Portrait, style: str) -> Drawer:
    """Return the drawer of a portrait with ISPs and mouths of a style; raise MissingInput."""
    render = read_section("render", RenderParams)
    source = source_of(portrait, generator.size)
    donors = mouths_of(style) if render.donors else {}
    mouth = MouthPainter(donors[Mouth.name], source) if Mouth.name in donors else None
    network = read_section("portrait", PortraitParams).network
    isps = read_isps(style).chosen_images()
    return Drawer(generator, source, isps, network, mouth, render.batch)


def mouths_of(style: str) -> Mapping[str, Donors]:
    """Read the donors of a style; an unseen person has none, and borrows the first seen one's.

    Raises:
        MissingInput: nobody has donors.
    """
    for name in (style, *seen_subjects()):
        if (DONORS_DIR / name / "donors.parquet").is_file():
            return read_donors(name)
    raise MissingInput(
        DONORS_DIR, f"no donors of {style}, nor of a seen subject", "run `dvc repro`"
    )


def _frames(
    models: Models, portrait: Portrait, style: str, motions: Iterator[Motion]
) -> Iterator[Image]:
    mover, first = models.motion.person(style), 0
    face = person_of(portrait, mover)
    drawer = open_drawer(models.generator, portrait, style)
    panel = read_section("render", RenderParams).panel
    for motion in motions:
        driving = Driving.from_columns(retarget(motion, mover, face, first=first))
        first += len(motion)
        yield from enlarge(drawer.draw(driving), panel)
