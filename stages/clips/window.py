"""The crop of a clip: one square window around head and shoulders, without black bars. Ours."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.io.image_io import Image, resize
from stages.clips.detector import Box

_BLACK = 24  # brightest pixel of a bar: compression leaves some light next to edges
_LEAST = 0.02  # of the picture's length: narrowest bar, and largest difference of two opposite ones

# In sides of the detector's box, which reaches from the brows to the chin; measured on real clips.
_HEAD = 1.2  # smallest window that holds hair and moving chin
_MIDDLE = 0.6  # from the box's top to the middle of head and shoulders


Margins = tuple[int, int, int, int]
"""Pixels at the left, top, right and bottom."""


def black_margins(image: Image) -> Margins:
    """Return the width of the black margin at each side of an RGB picture, (H, W, 3)."""
    rows = image.reshape(len(image), -1).max(axis=1)
    columns = image.max(axis=0).max(axis=1)
    (left, right), (top, bottom) = _ends(columns > _BLACK), _ends(rows > _BLACK)
    return left, top, right, bottom


def _ends(light: NDArray[np.bool_]) -> tuple[int, int]:
    at = np.flatnonzero(light)
    return (int(at[0]), len(light) - 1 - int(at[-1])) if len(at) else (len(light), len(light))


def black_bars(margins: list[Margins], width: int, height: int) -> Margins:
    """Return the letterbox or pillarbox of a shot; 0 at sides without a bar.

    Bars are on opposite sides, equally wide, and black in every picture. Other dark margins, such
    as a black background, are part of the picture.

    Args:
        margins: of some of the shot's pictures.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
    """
    if not margins:
        return 0, 0, 0, 0
    left, top, right, bottom = (min(side) for side in zip(*margins, strict=True))
    left, right = _pair(left, right, width)
    top, bottom = _pair(top, bottom, height)
    return left, top, right, bottom


def _pair(first: int, last: int, length: int) -> tuple[int, int]:
    alike = abs(first - last) <= _LEAST * length <= min(first, last)
    return (first, last) if alike and first + last < length else (0, 0)


@dataclass(frozen=True)
class Window:
    """A square of the video, in whole pixels; it may exceed the border."""

    x: int
    y: int
    side: int

    def cut(self, image: Image, size: int) -> Image:
        """Crop a picture and scale the crop to (size, size, 3); the border is repeated."""
        height, width = image.shape[:2]
        left, top = max(0, -self.x), max(0, -self.y)
        right = max(0, self.x + self.side - width)
        bottom = max(0, self.y + self.side - height)
        part = image[max(0, self.y) : self.y + self.side, max(0, self.x) : self.x + self.side]
        if left or top or right or bottom:
            part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
        return resize(np.ascontiguousarray(part), size)


def face_height(boxes: list[Box | None]) -> float:
    """Return the median height of the person's face, in pixels."""
    return float(np.median([box.side for box in boxes if box is not None]))


def crop_window(
    boxes: list[Box | None],
    width: int,
    height: int,
    room: float,
    bars: Margins = (0, 0, 0, 0),
) -> Window:
    """Choose the crop of a clip.

    Args:
        boxes: the person's face in each sample, at least one; None where it is missing.
        width: of the video, in pixels.
        height: of the video, in pixels.
        room: side of the window around a face without motion, in face heights.
        bars: black bars, which are not part of the picture.

    Returns:
        A square inside the picture if the head fits into one, else exceeding its border.
    """
    left, top, right, bottom = bars
    width, height = width - left - right, height - top - bottom
    there = [box for box in boxes if box is not None]
    xs = np.array([box.centre[0] for box in there]) - left
    ys = np.array([box.y + _MIDDLE * box.side for box in there]) - top
    motion = max(np.ptp(xs), np.ptp(ys))
    face = face_height(boxes)
    head = _HEAD * max(box.side for box in there) + motion
    side = round(min(room * face + motion, max(min(width, height), head)))
    return Window(
        left + _inside((xs.min() + xs.max()) / 2, side, width),
        top + _inside((ys.min() + ys.max()) / 2, side, height),
        side,
    )


def _inside(centre: float, side: int, length: int) -> int:
    """Return the start of a window around `centre`, moved into the picture as far as it fits."""
    begin = round(centre - side / 2)
    if side >= length:
        return round((length - side) / 2)
    return min(max(begin, 0), length - side)
