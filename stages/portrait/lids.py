"""Close a portrait's lids: the skin above the eye is stretched over it until the lids meet. Ours.

Another person's lids do not fit the skin around the eye, and the warp of the whole picture leaves a
slit of squeezed eye. An eye that is nearly as open as in the portrait stays as it is drawn.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from stages.base.arrays import Floats, Floats32, Points
from stages.base.face.face_measures import eye_opening
from stages.base.io.image_io import Image
from stages.donors.parts import Eyes
from stages.donors.warp import patch_box
from stages.generator.driving import Driving
from stages.generator.source_images import Source
from stages.portrait.column_warp import Opening, blend_coordinates, box_pixels, move_columns

_FROM, _FULL = 0.95, 0.8  # shares of the portrait's opening: painting begins, is full
_OPEN, _SHUT = 0.8, 0.35  # shares of the portrait's opening: as driven from here, shut to here
_MEET = 5 / 6  # where shut lids meet, from the upper to the lower, as in `stages.motion.eyes`
_LASHES = 0.05  # height above the upper lid that is not stretched, eye widths
_SKIN = 0.55  # share of the way from the lid to the brow that is bare skin
_BELOW = 0.5  # the skin below the eye moves down to here, eye widths
_LEAST = 0.45  # share of the portrait's opening that a warp needs
# Corners; upper and lower lid from corner to corner; brow.
_EYES = (
    ((36, 39), ((36, 37, 38, 39), (36, 41, 40, 39)), (18, 19, 20)),
    ((42, 45), ((42, 43, 44, 45), (42, 47, 46, 45)), (23, 24, 25)),
)


class LidPainter:
    """Paints closing lids into the frames of a portrait.

    Args:
        source: the portrait.
    """

    def __init__(self, source: Source) -> None:
        self.stored, self.image = source.stored, source.image
        self.own = source.points * np.float32(source.stored / source.size)
        self.opening = eye_opening(self.own)
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
        box = patch_box(self.shape.patches[side], points, len(image))
        left, top, right, bottom = box
        if right - left < 2 or bottom - top < 2:
            return
        local = (points - np.array([left, top])).astype(np.float32)
        mask, _ = self.shape.masks(side, local, (bottom - top, right - left))
        places = lid_coordinates(box_pixels(box), points, self.own, side, share)
        blend_coordinates(image, box, self.image, places, np.float32(strength) * mask)


def lid_coordinates(pixels: Floats, driven: Points, own: Points, side: int, share: float) -> Floats:
    """Return the place in the portrait of pixels around a driven eye.

    Args:
        pixels: (…, 2), px of the frame.
        driven: landmarks of the frame, (68, 2), px.
        own: landmarks of the portrait, (68, 2), px.
        side: the image's left eye, 0, or right one, 1.
        share: of the portrait's opening that the driven eye has. The gap ends at 0 below some
            share: detected landmarks of shut eyes still lie apart.

    Returns:
        (…, 2), px of the portrait.
    """
    corners, lids, brow = _EYES[side]
    frame, portrait = (Opening.measure(p, corners, lids, 3) for p in (driven, own))
    x, y = np.moveaxis(frame.to_frame(pixels), -1, 0)
    upper, lower = frame.heights(x)
    wanted = _OPEN * min(max((share - _SHUT) / (_OPEN - _SHUT), 0.0), 1.0)
    closing = max(0.0, 1 - wanted / max(share, 1e-6)) * (lower - upper)
    upper, lower = upper + _MEET * closing, lower - (1 - _MEET) * closing
    brows = [
        float(of.to_frame(points[list(brow)])[:, 1].mean())
        for of, points in ((frame, driven), (portrait, own))
    ]
    marks, own_marks = _marks(brows[0], upper, lower), _marks(brows[1], *portrait.heights(x))
    return portrait.to_pixels(x, move_columns(y, marks, own_marks))


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
    for corners, (upper_lid, lower_lid), _ in _EYES:
        pairs = list(zip(upper_lid[1:3], lower_lid[1:3], strict=True))
        keep_apart(out, own, corners, pairs, _LEAST)
    return replace(driving, points=out.astype(np.float32))


def keep_apart(
    points: Floats,
    own: Floats,
    corners: tuple[int, int],
    pairs: Iterable[tuple[int, int]],
    least: float,
) -> None:
    """Move pairs of driven points, upper and lower, apart to a share of their own gap, in place.

    Args:
        points: driven landmarks, (N, 68, 2).
        own: landmarks of the portrait, (68, 2).
        corners: of the opening; gaps are measured in their distance.
        pairs: upper and lower points.
        least: the share.
    """
    left, right = corners
    along = points[:, right] - points[:, left]
    width = np.linalg.norm(along, axis=-1, keepdims=True)
    down = np.stack([-along[:, 1], along[:, 0]], axis=-1) / width
    for upper, lower in pairs:
        gap = np.linalg.norm(own[lower] - own[upper]) / np.linalg.norm(own[right] - own[left])
        found = ((points[:, lower] - points[:, upper]) * down).sum(-1, keepdims=True)
        missing = np.maximum(least * gap * width - found, 0) / 2 * down
        points[:, upper] -= missing
        points[:, lower] += missing
