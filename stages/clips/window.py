"""One static crop window per clip: head and shoulders, with room for the head's motion."""

from dataclasses import dataclass

import numpy as np

from stages.base.io.image_io import Image, resize
from stages.clips.bars import Margins
from stages.clips.detector import Box

# In sides of the detector's box, which reaches from the brows to the chin (measured on real
# clips): with hair and chin in motion a head needs 1.2 of it at least; the middle of head and
# shoulders lies 0.6 below its top.
_HEAD = 1.2
_MIDDLE = 0.6


@dataclass(frozen=True)
class Window:
    """A square of the video, in whole pixels; it may reach over the border."""

    x: int
    y: int
    side: int

    def cut(self, image: Image, size: int) -> Image:
        """Cut the window out of a picture and scale it to (size, size, 3)."""
        import cv2

        height, width = image.shape[:2]
        left, top = max(0, -self.x), max(0, -self.y)
        right = max(0, self.x + self.side - width)
        bottom = max(0, self.y + self.side - height)
        part = image[max(0, self.y) : self.y + self.side, max(0, self.x) : self.x + self.side]
        if left or top or right or bottom:
            part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
        return resize(np.ascontiguousarray(part), size)


def face_height(boxes: list[Box | None]) -> float:
    """Median height of the followed face, in pixels."""
    return float(np.median([box.side for box in boxes if box is not None]))


def window(
    boxes: list[Box | None],
    width: int,
    height: int,
    room: float,
    bars: Margins = (0, 0, 0, 0),
) -> Window:
    """Choose the crop of a clip.

    Args:
        boxes: the followed face; at least one is there.
        width: of the video, in pixels.
        height: of the video, in pixels.
        room: side of the window around a face that keeps still, in face heights.
        bars: black ones at the left, top, right and bottom, which are no part of the picture.

    Returns:
        A square inside the picture where the whole head fits into one, else over its border.
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
    """Begin of a window around `centre`, moved into the picture as far as it fits."""
    begin = round(centre - side / 2)
    if side >= length:
        return round((length - side) / 2)
    return min(max(begin, 0), length - side)
