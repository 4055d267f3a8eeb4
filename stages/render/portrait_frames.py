"""The frames of a portrait that speaks in a person's style.

The portrait is the generator's source at full size. The inside of the mouth comes from the style
person's donors; lips and lids close by the portrait's own pixels.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.params import read_section, seen_subjects
from stages.base.io.image_io import Image
from stages.donors.artifacts import DONORS_DIR
from stages.donors.library import Donors, read_donors
from stages.donors.parts import Mouth
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.motion.predict import Motion, retarget
from stages.portrait.drawing import Drawer
from stages.portrait.identity import person_of, source_of
from stages.portrait.mouth import MouthPainter
from stages.portrait.params import PortraitParams
from stages.portrait.picture import Portrait
from stages.render.params import RenderParams
from stages.render.trained_models import Models


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


def portrait_frames(
    models: Models, portrait: Portrait, style: str, motions: Iterable[Motion]
) -> Iterator[Image]:
    """Draw a portrait that moves as a style does.

    Args:
        models: motion model and generator; the latter draws at the portrait's size.
        portrait: the face.
        style: whose motion it is, with its ISPs and mouths.
        motions: pieces in order of time.

    Yields:
        Frames, (S, S, 3), S the portrait's size.
    """
    mover, first = models.motion.person(style), 0
    face = person_of(portrait, mover)
    drawer = open_drawer(models.generator, portrait, style)
    for motion in motions:
        driving = Driving.from_columns(retarget(motion, mover, face, first=first))
        first += len(motion)
        yield from drawer.draw(driving)
