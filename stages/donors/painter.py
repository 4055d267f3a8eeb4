"""Paint the inside of mouths and closed lids of drawn frames from real frames of the person."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.base.arrays import Floats, Floats32
from stages.base.io.image_io import Image
from stages.donors.library import Donors
from stages.donors.parts import PARTS, Part
from stages.donors.path import choose_path, fade
from stages.donors.warp import blend
from stages.generator.driving import Driving
from stages.generator.source_images import Source


@dataclass(frozen=True)
class PartPlan:
    """Which donors a part of N frames shows.

    Attributes:
        strengths: how far they show, (N, P), for each patch of the part.
        weights: of each frame's donors, by their index.
    """

    strengths: Floats
    weights: list[dict[int, float]]

    def batches(self, size: int) -> Iterator["PartPlan"]:
        """Yield the plans of so many frames at a time, in order."""
        for first in range(0, len(self.weights), size):
            part = slice(first, first + size)
            yield PartPlan(self.strengths[part], self.weights[part])


class DonorPainter:
    """Paints the frames of one source, piece by piece in order of time.

    The donor of a piece's last frame is remembered: a piece goes on where the last one ended.

    Args:
        library: the identity's donors by part.
        source: the source image of the frames.
    """

    def __init__(self, library: Mapping[str, Donors], source: Source) -> None:
        self.stored = source.stored
        self.image, self.own = source.image, source.points * (source.stored / source.size)
        self.parts = [(part, library[part.name]) for part in PARTS if part.name in library]
        self.before: dict[str, int] = {}

    def paint(self, frames: Iterable[Image], driving: Driving) -> Iterator[Image]:
        """Paint frames.

        Args:
            frames: drawn frames of any size, (H, H, 3).
            driving: their landmarks, px of the stored frame.

        Yields:
            The same frames with parts from donors.
        """
        if len(driving):
            yield from self.paint_planned(frames, driving, self.plan(driving))

    def plan(self, driving: Driving) -> list[PartPlan]:
        """Choose the donors of a piece, one plan a part; pieces follow each other in time."""
        return [self._plan(part, donors, driving.points) for part, donors in self.parts]

    def paint_planned(
        self, frames: Iterable[Image], driving: Driving, plans: Sequence[PartPlan]
    ) -> Iterator[Image]:
        """Paint frames by their plans, in any thread; other arguments as of `paint`."""
        for row, frame in enumerate(frames):
            image = frame.copy()
            points = driving.points[row] * np.float32(len(image) / self.stored)
            for (part, donors), plan in zip(self.parts, plans, strict=True):
                crops = [(donors.crops[i], weight) for i, weight in plan.weights[row].items()]
                for patch, strength in enumerate(plan.strengths[row]):
                    blend(image, part, patch, points, crops, float(strength))
            yield image

    def _plan(self, part: Part, donors: Donors, points: Floats32) -> PartPlan:
        strengths = part.strengths(points, self.own)
        queries = part.descriptors(points, part.colour(self.image, self.own))
        known = part.descriptors(donors.points, donors.colours)
        before = self.before.get(part.name)
        path = choose_path(queries, known, strengths.max(1), before)
        self.before[part.name] = int(path[-1])
        return PartPlan(strengths, fade(path, before))
