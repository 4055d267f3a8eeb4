"""The frames of a portrait that speaks in a person's style.

The portrait is the generator's source at full size. The inside of the mouth comes from the style
person's donors; lips and lids close by the portrait's own pixels.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.params import read_section, seen_subjects
from stages.base.io.image_io import Image
from stages.donors.artifacts import DONORS_DIR
from stages.donors.library import Donors, read_donors
from stages.donors.painter import PartPlan
from stages.donors.parts import Mouth
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.motion.predict import Motion, retarget
from stages.portrait.drawing import Drawer
from stages.portrait.identity import as_motion_person, as_source_image
from stages.portrait.mouth import MouthPainter
from stages.portrait.params import PortraitParams
from stages.portrait.picture import Portrait
from stages.render.parallel_drawing import Batch, draw_ahead, make_batches
from stages.render.params import RenderParams
from stages.render.trained_models import Models


def open_drawer(generator: Generator, portrait: Portrait, style: str) -> Drawer:
    """Return the drawer of a portrait with ISPs and mouths of a style; raise MissingInput."""
    render = read_section("render", RenderParams)
    source = as_source_image(portrait, generator.size)
    donors = read_donors_for_style(style) if render.donors else {}
    mouth = MouthPainter(donors[Mouth.name], source) if Mouth.name in donors else None
    network = read_section("portrait", PortraitParams).network
    isps = read_isps(style).chosen_images()
    return Drawer(generator, source, isps, network, mouth, render.batch)


def read_donors_for_style(style: str) -> Mapping[str, Donors]:
    """Read the donors of a style; an unseen person has none, and borrows the first seen one's.

    Raises:
        MissingInput: nobody has donors.
    """
    for name in (style, *seen_subjects()):
        if (DONORS_DIR / name / "donors.parquet").is_file():
            return read_donors(name)
    raise MissingInput(
        DONORS_DIR, f"no donors of {style}, nor of a seen subject", "run `idiolect repro`"
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

    Returns:
        Frames, (S, S, 3), S the portrait's size.
    """
    mover = models.motion.person(style)
    face = as_motion_person(portrait, mover)
    drawer = open_drawer(models.generator, portrait, style)

    def draw(rows: Driving, plans: Sequence[PartPlan]) -> list[Image]:
        return list(drawer.draw_planned(rows, plans))

    def pieces() -> Iterator[Iterator[Batch]]:
        for motion in motions:
            if len(motion):
                driving = Driving.from_columns(retarget(motion, mover, face))
                yield make_batches(draw, driving, drawer.plan(driving), drawer.batch)

    return draw_ahead(pieces())
