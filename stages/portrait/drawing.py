"""Draw frames of a portrait: the warped source, the inside of its mouth, closing lips and lids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stages.base.io.image_io import Image
from stages.donors.painter import PartPlan
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.source_images import Source
from stages.portrait.lids import LidPainter, keep_lids_apart
from stages.portrait.lips import LipPainter, keep_lips_open
from stages.portrait.mouth import MouthPainter


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
        return self.draw_planned(driving, self.plan(driving))

    def plan(self, driving: Driving) -> list[PartPlan]:
        """Choose the mouths of a piece; pieces follow each other in time."""
        return [] if self.mouth is None else self.mouth.plan(driving)

    def draw_planned(self, driving: Driving, plans: Sequence[PartPlan]) -> Iterator[Image]:
        """Yield frames by their plan, in any thread."""
        apart = keep_lips_open(keep_lids_apart(driving, self.source), self.source)
        frames: Iterable[Image] = (
            self.generator.frames(self.source, apart, self.isps, self.batch)
            if self.network
            else self.generator.warped_source(self.source, apart)
        )
        frames = LipPainter(self.source).paint(frames, driving)
        if self.mouth is not None:
            frames = self.mouth.paint_planned(frames, driving, plans)
        return LidPainter(self.source).paint(frames, driving)
