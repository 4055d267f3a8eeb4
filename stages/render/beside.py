"""The side-by-side video: what was, what the generator makes of it, and what the voice makes."""

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from stages.base.io.image_io import Image, resize
from stages.clips.frames import Frames
from stages.render.heldout import Span

LABELS = ("truth", "from true landmarks", "from the voice")
_STRIP = 24  # height of the labels, px
_GREY = 235


def truth(parts: Sequence[Span], size: int) -> Iterator[Image]:
    """Decode the frames of spans, (size, size, 3) each."""
    for span in parts:
        frames = Frames(span.clip.video, size)
        for index in range(span.first, span.end):
            yield frames[index]


def side_by_side(columns: Sequence[Iterable[Image]], panel: int) -> Iterator[Image]:
    """Put pictures of several videos beside each other, under their labels."""
    header = _header(len(columns), panel)
    for row in zip(*columns, strict=True):
        scaled = [resize(picture, panel) for picture in row]
        yield np.concatenate([header, np.concatenate(scaled, axis=1)])


def _header(count: int, panel: int) -> Image:
    strip = np.full((_STRIP, count * panel, 3), _GREY, np.uint8)
    scale = min(0.5, panel / 420)
    for index, label in enumerate(LABELS[:count]):
        place = (index * panel + 6, _STRIP - 8)
        cv2.putText(strip, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 1, 16)
    return strip
