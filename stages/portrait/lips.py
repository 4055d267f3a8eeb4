"""Close the lips of a portrait that shows an open mouth: they move until they meet. Ours.

The warp of the whole picture leaves a slit of squeezed teeth. A mouth that is as open as in the
portrait, or more, stays as it is drawn; so do all mouths of a portrait with closed lips.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from stages.base.arrays import Floats, Floats32, Points
from stages.base.face.face_measures import face_height, mouth_opening
from stages.base.io.image_io import Image
from stages.donors.parts import Mouth
from stages.donors.warp import patch_box
from stages.generator.driving import Driving
from stages.generator.source_images import Source
from stages.portrait.column_warp import Opening, blend_coordinates, box_pixels, move_columns
from stages.portrait.lids import keep_apart

_FROM, _FULL = 1.0, 0.85  # shares of the portrait's opening: painting begins, is full
_OPEN = 0.01  # an open portrait's mouth, face heights
_LEAST = 0.5  # share of the portrait's opening that a warp needs
_ABOVE, _BELOW = 0.12, 0.2  # of the skin that moves with the lips, mouth widths
_GROWTH, _SOFTNESS = 0.05, 0.02  # of the mask around the lips, face heights
_CORNERS = (48, 54)
# Outer upper, inner upper, inner lower, outer lower lip, from corner to corner.
_CURVES = (
    (48, 49, 50, 51, 52, 53, 54),
    (48, 60, 61, 62, 63, 64, 54),
    (48, 60, 67, 66, 65, 64, 54),
    (48, 59, 58, 57, 56, 55, 54),
)
_PAIRS = ((61, 67), (62, 66), (63, 65))
_DEGREE = 4


class LipPainter:
    """Paints closing lips into the frames of a portrait.

    Args:
        source: the portrait.
    """

    def __init__(self, source: Source) -> None:
        self.stored, self.image = source.stored, source.image
        self.own = source.points * np.float32(source.stored / source.size)
        self.opening = float(mouth_opening(self.own))

    def paint(self, frames: Iterable[Image], driving: Driving) -> Iterator[Image]:
        """Paint frames; arguments as of `LidPainter.paint`."""
        if self.opening < _OPEN:
            yield from frames
            return
        shares = mouth_opening(driving.points) / self.opening
        strengths = np.clip((_FROM - shares) / (_FROM - _FULL), 0, 1)
        for frame, row, strength in zip(frames, driving.points, strengths, strict=True):
            image = frame.copy()
            if strength > 0:
                self._paint_lips(image, row * np.float32(len(image) / self.stored), float(strength))
            yield image

    def _paint_lips(self, image: Image, points: Floats32, strength: float) -> None:
        box = patch_box(replace(Mouth.patches[0], margin=0.4), points, len(image))
        left, top, right, bottom = box
        if right - left < 2 or bottom - top < 2:
            return
        local = (points - np.array([left, top])).astype(np.float32)
        mask = _mask(local, (bottom - top, right - left))
        places = lip_coordinates(box_pixels(box), points, self.own)
        blend_coordinates(image, box, self.image, places, np.float32(strength) * mask)


def lip_coordinates(pixels: Floats, driven: Points, own: Points) -> Floats:
    """Return the place in the portrait, (…, 2) px, of pixels around driven lips.

    Args:
        pixels: (…, 2), px of the frame.
        driven: landmarks of the frame, (68, 2), px.
        own: landmarks of the portrait, (68, 2), px.
    """
    frame, portrait = (Opening.measure(p, _CORNERS, _CURVES, _DEGREE) for p in (driven, own))
    x, y = np.moveaxis(frame.to_frame(pixels), -1, 0)
    marks, own_marks = ([h[0] - _ABOVE, *h, h[-1] + _BELOW] for h in _heights(frame, portrait, x))
    return portrait.to_pixels(x, move_columns(y, marks, own_marks))


def _heights(frame: Opening, portrait: Opening, x: Floats) -> tuple[list[Floats], list[Floats]]:
    return frame.heights(x), portrait.heights(x)


def _mask(points: Floats32, size: tuple[int, int]) -> Floats32:
    """Draw the lips and a margin, (H, W), 0 to 1, soft."""
    unit = float(face_height(points))
    mask = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(mask, np.round(cv2.convexHull(points[48:60])).astype(np.int32), 255)
    side = 2 * max(1, round(_GROWTH * unit)) + 1
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(_SOFTNESS * unit, 0.5))
    return np.asarray(soft, np.float32)


def keep_lips_open(driving: Driving, source: Source) -> Driving:
    """Return landmarks whose lips are far enough apart for the warp of an open mouth.

    Args:
        driving: landmarks, px of the stored portrait.
        source: the portrait.
    """
    if mouth_opening(source.points) < _OPEN:
        return driving
    out = np.array(driving.points, float)
    keep_apart(out, np.asarray(source.points, float), _CORNERS, _PAIRS, _LEAST)
    return replace(driving, points=out.astype(np.float32))
