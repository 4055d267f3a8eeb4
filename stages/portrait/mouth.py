"""Paint the inside of a portrait's mouth from a style person's frames. Ours.

Teeth and tongue keep their own colours and take only part of the skin's brightness: between two
people, skin differs more than teeth do. The mask ends at the portrait's own lips.
"""

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from stages.base.arrays import Floats, Floats32, Points
from stages.base.face.face_measures import face_height, mouth_opening
from stages.base.io.image_io import Image
from stages.donors.library import Donors
from stages.donors.painter import DonorPainter, PartPlan
from stages.donors.parts import Mouth
from stages.donors.warp import Crop, move_crop, patch_box
from stages.generator.driving import Driving
from stages.generator.source_images import Source
from stages.style_mapping.mouth_inside import polygon_share

_SOFTNESS = 0.008  # of the mask, face heights
_OWN = (1.3, 2.0)  # times the portrait's own opening: donors begin to show, show fully
_GREY = np.array([0.299, 0.587, 0.114])
_POWER, _LARGEST_GAIN = 0.5, 1.25  # of the ratio of the skin's brightness; of the gain


class PortraitMouth(Mouth):
    """The inside of a portrait's mouth."""

    def strengths(self, points: Points, source: Points) -> Floats:
        """Return 0 for a mouth like the portrait's, or closed lips, to 1 for an open one."""
        low, high = (times * mouth_opening(source) for times in _OWN)
        own = np.clip((mouth_opening(points) - low) / max(float(high - low), 1e-6), 0, 1)
        return np.asarray(np.minimum(super().strengths(points, source), own[:, None]))


class MouthPainter(DonorPainter):
    """Paints the mouth's inside of the frames of one portrait, piece by piece in order of time.

    Args:
        mouths: the style person's donors.
        source: the portrait.
    """

    def __init__(self, mouths: Donors, source: Source) -> None:
        super().__init__({Mouth.name: mouths}, source)
        self.mouths = mouths
        skin = Mouth().colour(self.image, self.own)
        ratio = (_GREY @ skin) / np.maximum(mouths.colours @ _GREY, 1.0)
        self.gains = np.clip(ratio**_POWER, 1 / _LARGEST_GAIN, _LARGEST_GAIN)

    def plan(self, driving: Driving) -> list[PartPlan]:
        """Choose the mouths of a piece, as `DonorPainter.plan` does."""
        return [self._plan(PortraitMouth(), self.mouths, driving.points)]

    def paint_planned(
        self, frames: Iterable[Image], driving: Driving, plans: Sequence[PartPlan]
    ) -> Iterator[Image]:
        """Paint frames by their plan; arguments as of `DonorPainter.paint_planned`."""
        (plan,) = plans
        for row, frame in enumerate(frames):
            image = frame.copy()
            points = driving.points[row] * np.float32(len(image) / self.stored)
            crops = [
                (self.mouths.crops[i], weight * float(self.gains[i]))
                for i, weight in plan.weights[row].items()
            ]
            _blend(image, points, crops, float(plan.strengths[row, 0]))
            yield image


def _blend(frame: Image, points: Points, crops: list[tuple[Crop, float]], strength: float) -> None:
    """Blend donors, each with its weight times its gain, into the inner lips, in place."""
    patch = Mouth.patches[0]
    left, top, right, bottom = patch_box(patch, points, len(frame))
    if right - left < 2 or bottom - top < 2 or strength <= 0:
        return
    below, size = frame[top:bottom, left:right], (bottom - top, right - left)
    local = (points - np.array([left, top])).astype(np.float32)
    inside = np.zeros((*size, 3), np.float32)
    for crop, factor in crops:
        inside += np.float32(factor) * move_crop(crop, patch, local, size)
    share = np.float32(strength) * _mask(local, size)[..., None]
    mixed = below + share * (inside - below)
    frame[top:bottom, left:right] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _mask(points: Floats32, size: tuple[int, int]) -> Floats32:
    """Draw the inner lips, (H, W), 0 to 1, soft."""
    side = max(size)
    sharp = polygon_share(points[60:68].astype(float), side)[: size[0], : size[1]].astype(
        np.float32
    )
    sigma = max(_SOFTNESS * float(face_height(points)), 0.5)
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), sigma), np.float32)
