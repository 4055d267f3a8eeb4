"""One static crop window per clip: head and shoulders, with room for the head's motion."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.pictures import Image, resize
from stages.clips.bars import Margins
from stages.clips.detector import Box

# In sides of the detector's box, which reaches from the brows to the chin (measured on real
# clips): with hair and chin in motion a head needs 1.2 of it at least; the middle of head and
# shoulders lies 0.6 below its top.
_HEAD = 1.2
_MIDDLE = 0.6
_ANOTHER = 1.0  # farther off than a head's own width, or twice as large: not the same face


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


def follow(samples: list[list[Box]]) -> list[Box | None]:
    """Keep one person: in each sample the face nearest to where the largest one usually is."""
    largest = [boxes[0] for boxes in samples if boxes]
    if not largest:
        return [None] * len(samples)
    usual = _usual(largest)
    near = [min(boxes, key=lambda box: _apart(box, usual), default=None) for boxes in samples]
    return [box if box is not None and _apart(box, usual) < _ANOTHER else None for box in near]


def others(samples: list[list[Box]], followed: list[Box | None]) -> float:
    """Share of the samples in which another face is seen than the followed one."""
    more = [len(boxes) > (one is not None) for boxes, one in zip(samples, followed, strict=True)]
    return sum(more) / max(len(more), 1)


def _usual(boxes: list[Box]) -> Box:
    """Return where most of the boxes are: the median of those of one person."""
    usual = _median(boxes)
    if sum(_apart(box, usual) < _ANOTHER for box in boxes) * 2 > len(boxes):
        return usual
    # Two people are the largest in turn: the median lies between them, where nobody is.
    people: list[list[Box]] = []
    for box in boxes:
        own = next((p for p in people if _apart(box, p[0]) < _ANOTHER), None)
        if own is None:
            people.append([box])
        else:
            own.append(box)
    return _median(max(people, key=len))


def _median(boxes: list[Box]) -> Box:
    return Box(*np.median(np.array(boxes), axis=0).tolist())


def _apart(box: Box, usual: Box) -> float:
    across, down = (abs(a - b) / usual.side for a, b in zip(box.centre, usual.centre, strict=True))
    return max(across, down, abs(math.log2(box.side / usual.side)))


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
