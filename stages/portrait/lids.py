"""Close a portrait's lids: the skin above the eye is stretched over it until the lids meet. Ours.

Another person's lids do not fit the skin around the eye, and the warp of the whole picture leaves a
slit of squeezed eye. Each eye has its own frame: its origin between the corners, its first axis
along them, their distance as unit. In every column the skin from the brow to the upper lid, the
eye, and the skin below are scaled to where the driven lids are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from stages.base.arrays import Floats, Floats32, Points
from stages.base.face.face_measures import eye_opening
from stages.base.io.image_io import Image
from stages.donors.parts import Eyes
from stages.donors.warp import patch_box
from stages.generator.driving import Driving
from stages.generator.source_images import Source

_FROM, _FULL = 0.95, 0.8  # shares of the portrait's opening: painting begins, is full
_OPEN, _SHUT = 0.8, 0.35  # shares of the portrait's opening: as driven from here, shut to here
_MEET = 5 / 6  # where shut lids meet, from the upper to the lower, as in `stages.motion.eyes`
_LASHES = 0.05  # height above the upper lid that is not stretched, eye widths
_SKIN = 0.55  # share of the way from the lid to the brow that is bare skin
_BELOW = 0.5  # the skin below the eye moves down to here, eye widths
# Corners, upper lid from corner to corner, lower lid likewise, brow.
_EYES = (
    ((36, 39), (36, 37, 38, 39), (36, 41, 40, 39), (18, 19, 20)),
    ((42, 45), (42, 43, 44, 45), (42, 47, 46, 45), (23, 24, 25)),
)
_LEAST = 0.45  # share of the portrait's opening that a warp needs
_DEGREE = 3  # of the polynomial through a lid's four points


@dataclass(frozen=True)
class Eye:
    """One eye of one picture.

    Attributes:
        middle: between the corners, (2,), px.
        along: from corner to corner, (2,), px.
        upper: polynomial of the upper lid, (4,): its height at a place along, eye widths.
        lower: the same of the lower lid.
        brow: height of the brow, eye widths; heights grow downwards.
    """

    middle: Floats
    along: Floats
    upper: Floats
    lower: Floats
    brow: float

    @classmethod
    def measure(cls, points: Points, side: int) -> "Eye":
        """Measure the image's left (0) or right (1) eye of landmarks, (68, 2) px."""
        (left, right), upper, lower, brow = _EYES[side]
        p = np.asarray(points, float)
        middle, along = (p[left] + p[right]) / 2, p[right] - p[left]
        x, y = np.moveaxis(_to_eye(p, middle, along), -1, 0)
        above, below = (np.polyfit(x[list(i)], y[list(i)], _DEGREE) for i in (upper, lower))
        return cls(middle, along, above, below, float(y[list(brow)].mean()))

    def lids(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the heights of both lids at places along, which meet beyond the corners."""
        inside = np.clip(x, -0.5, 0.5)
        upper, lower = np.polyval(self.upper, inside), np.polyval(self.lower, inside)
        return np.minimum(upper, lower), np.maximum(upper, lower)


def _to_eye(points: Floats, middle: Floats, along: Floats) -> Floats:
    """Express px, (…, 2), in an eye's frame."""
    across = np.array([-along[1], along[0]])
    moved = points - middle
    return np.stack([moved @ along, moved @ across], axis=-1) / (along @ along)


class LidPainter:
    """Paints closing lids into the frames of a portrait.

    Args:
        source: the portrait.
    """

    def __init__(self, source: Source) -> None:
        self.stored, self.image = source.stored, source.image
        own = source.points * (source.stored / source.size)
        self.own = [Eye.measure(own, side) for side in (0, 1)]
        self.opening = eye_opening(own)
        self.shape = Eyes()

    def paint(self, frames: Iterable[Image], driving: Driving) -> Iterator[Image]:
        """Paint frames.

        Args:
            frames: drawn frames of any size, (H, H, 3).
            driving: their landmarks, px of the stored portrait.

        Yields:
            The same frames with lids that close.
        """
        shares = eye_opening(driving.points) / self.opening
        strengths = 1 - np.clip((shares - _FULL) / (_FROM - _FULL), 0, 1)
        for row, frame in enumerate(frames):
            image = frame.copy()
            points = driving.points[row] * np.float32(len(image) / self.stored)
            for side, strength in enumerate(strengths[row]):
                if strength > 0:
                    self._paint_eye(image, points, side, float(shares[row, side]), float(strength))
            yield image

    def _paint_eye(
        self, image: Image, points: Floats32, side: int, share: float, strength: float
    ) -> None:
        left, top, right, bottom = patch_box(self.shape.patches[side], points, len(image))
        if right - left < 2 or bottom - top < 2:
            return
        below, size = image[top:bottom, left:right], (bottom - top, right - left)
        corner = np.array([left, top])
        mask, _ = self.shape.masks(side, (points - corner).astype(np.float32), size)
        rows, columns = np.mgrid[top:bottom, left:right] + 0.5
        driven = Eye.measure(points, side)
        places = source_places(np.stack([columns, rows], axis=-1), driven, self.own[side], share)
        moved = cv2.remap(
            self.image,
            (places - 0.5).astype(np.float32),
            None,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        weight = (np.float32(strength) * mask)[..., None]
        image[top:bottom, left:right] = np.rint(below + weight * (moved.astype(float) - below))


def source_places(pixels: Floats, driven: Eye, own: Eye, share: float) -> Floats:
    """Return the place in the portrait of pixels around a driven eye.

    Args:
        pixels: (…, 2), px of the frame.
        driven: the eye in the frame.
        own: the eye in the portrait.
        share: of the portrait's opening that the driven eye has. The gap ends at 0 below some
            share: detected landmarks of shut eyes still lie apart.

    Returns:
        (…, 2), px of the portrait.
    """
    x, y = np.moveaxis(_to_eye(pixels, driven.middle, driven.along), -1, 0)
    upper, lower = driven.lids(x)
    wanted = _OPEN * min(max((share - _SHUT) / (_OPEN - _SHUT), 0.0), 1.0)
    closing = max(0.0, 1 - wanted / max(share, 1e-6)) * (lower - upper)
    upper, lower = upper + _MEET * closing, lower - (1 - _MEET) * closing
    own_upper, own_lower = own.lids(x)
    marks = _marks(driven.brow, upper, lower)
    own_marks = _marks(own.brow, own_upper, own_lower)
    moved = np.where(y < marks[0], y - marks[0] + own_marks[0], y - marks[-1] + own_marks[-1])
    for (begin, end), (own_begin, own_end) in zip(
        pairwise(marks), pairwise(own_marks), strict=True
    ):
        part = (y - begin) / np.maximum(end - begin, 1e-6)
        here = (y >= begin) & (y < end)
        moved = np.where(here, own_begin + part * (own_end - own_begin), moved)
    across = np.array([-own.along[1], own.along[0]])
    return np.asarray(own.middle + x[..., None] * own.along + moved[..., None] * across)


def _marks(brow: float, upper: Floats, lower: Floats) -> list[Floats]:
    """Return heights that correspond in two eyes: skin, lashes, upper and lower lid, skin below."""
    lashes = upper - _LASHES
    skin = np.minimum(upper - _SKIN * np.maximum(upper - brow, 0), lashes - 0.05)
    return [skin, lashes, upper, lower, np.maximum(lower + 0.1, _BELOW)]


def keep_lids_apart(driving: Driving, source: Source) -> Driving:
    """Return landmarks whose eyes are open enough to be warped: lids that meet would tear the eye.

    Args:
        driving: landmarks, px of the stored portrait.
        source: the portrait.
    """
    out, own = np.array(driving.points, float), np.asarray(source.points, float)
    for (left, right), upper_lid, lower_lid, _ in _EYES:
        along = out[:, right] - out[:, left]
        width = np.linalg.norm(along, axis=-1, keepdims=True)
        down = np.stack([-along[:, 1], along[:, 0]], axis=-1) / width
        for upper, lower in zip(upper_lid[1:3], lower_lid[1:3], strict=True):
            gap = np.linalg.norm(own[lower] - own[upper]) / np.linalg.norm(own[right] - own[left])
            found = ((out[:, lower] - out[:, upper]) * down).sum(-1, keepdims=True)
            missing = np.maximum(_LEAST * gap * width - found, 0) / 2 * down
            out[:, upper] -= missing
            out[:, lower] += missing
    return replace(driving, points=out.astype(np.float32))
