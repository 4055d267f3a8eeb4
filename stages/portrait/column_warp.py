"""Move an eye or a mouth column by column, so that lids or lips that meet leave nothing between.

Ours. Radial basis functions, which warp the rest of the picture, cannot bring apart points of the
source together: they leave a slit, or tear. Here each opening has its own frame: the origin between
its corners, the first axis along them, their distance as unit. In every column the stretches
between marked heights are scaled to the driven ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from stages.base.arrays import Floats, Floats32, Points
from stages.base.io.image_io import Image

_NARROWEST = 1e-6  # avoids division by zero where curves meet


@dataclass(frozen=True)
class Opening:
    """Curves around an opening of one picture.

    Attributes:
        middle: between the corners, (2,), px.
        along: from corner to corner, (2,), px.
        curves: polynomials of each curve's height at a place along, units; heights grow downwards.
    """

    middle: Floats
    along: Floats
    curves: tuple[Floats, ...]

    @classmethod
    def measure(
        cls, points: Points, corners: tuple[int, int], curves: Sequence[Sequence[int]], degree: int
    ) -> "Opening":
        """Fit curves through landmarks, (68, 2) px."""
        p = np.asarray(points, float)
        left, right = p[list(corners)]
        opening = cls((left + right) / 2, right - left, ())
        x, y = np.moveaxis(opening.to_frame(p), -1, 0)
        fitted = tuple(np.polyfit(x[list(c)], y[list(c)], min(degree, len(c) - 1)) for c in curves)
        return cls(opening.middle, opening.along, fitted)

    @property
    def across(self) -> Floats:
        """The second axis, downwards, (2,), px."""
        return np.array([-self.along[1], self.along[0]])

    def to_frame(self, points: Points) -> Floats:
        """Express px, (…, 2), in the opening's frame."""
        moved = np.asarray(points, float) - self.middle
        axes = np.stack([self.along, self.across], axis=-1)
        return np.asarray(moved @ axes / (self.along @ self.along))

    def to_pixels(self, x: Floats, y: Floats) -> Floats:
        """Return the px, (…, 2), of places in the opening's frame."""
        return np.asarray(self.middle + x[..., None] * self.along + y[..., None] * self.across)

    def heights(self, x: Floats) -> list[Floats]:
        """Return each curve's heights at places along, in order: none is above one before it."""
        inside = np.clip(x, -0.5, 0.5)
        found: list[Floats] = []
        for curve in self.curves:
            height = np.asarray(np.polyval(curve, inside), float)
            found.append(height if not found else np.maximum(height, found[-1]))
        return found


def move_columns(y: Floats, marks: Sequence[Floats], own: Sequence[Floats]) -> Floats:
    """Return the own height of each driven height; beyond the marks, the shift of the nearest.

    Args:
        y: driven heights, (…).
        marks: driven heights that correspond to the own ones, in order, (…) each.
        own: the own ones.
    """
    moved = np.where(y < marks[0], y - marks[0] + own[0], y - marks[-1] + own[-1])
    for (begin, end), (own_begin, own_end) in zip(pairwise(marks), pairwise(own), strict=True):
        part = (y - begin) / np.maximum(end - begin, _NARROWEST)
        moved = np.where((y >= begin) & (y < end), own_begin + part * (own_end - own_begin), moved)
    return np.asarray(moved)


def box_pixels(box: tuple[int, int, int, int]) -> Floats:
    """Return the px of the centres of a box (left, top, right, bottom), (H, W, 2)."""
    left, top, right, bottom = box
    rows, columns = np.mgrid[top:bottom, left:right] + 0.5
    return np.stack([columns, rows], axis=-1)


def blend_coordinates(
    frame: Image, box: tuple[int, int, int, int], source: Image, places: Floats, share: Floats32
) -> None:
    """Blend the source, sampled at places, (H, W, 2) px, into a box of a frame, in place."""
    left, top, right, bottom = box
    where = (places - 0.5).astype(np.float32)
    moved = cv2.remap(source, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    below = frame[top:bottom, left:right].astype(np.float32)
    mixed = below + share[..., None] * (moved - below)
    frame[top:bottom, left:right] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
