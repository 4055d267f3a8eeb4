"""Which clips of a person show one scene: the same room, light and clothes.

Ours: the distribution of colours over a clip, compared by Hellinger distance, does not depend on
where the crop lies. A test holds it against real clips of one person in five rooms.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.io.image_io import Image
from stages.clips.frames import Frames

Look = NDArray[np.float32]
_PICTURES = 10  # of a clip, evenly spread
_BINS = (8, 16, 16)  # of lightness and the two colours
_RANGES = (0, 256, 64, 192, 64, 192)  # skin, cloth and walls lie within this part of L*a*b*
_SAME = 0.3


def look(pictures: Sequence[Image]) -> Look:
    """Return the share of each colour, averaged over pictures (H, W, 3) RGB, (2048,)."""
    shares = []
    for picture in pictures:
        lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
        counts = cv2.calcHist([lab], [0, 1, 2], None, _BINS, _RANGES)
        shares.append(counts.ravel() / max(float(counts.sum()), 1.0))
    mean: Look = np.mean(shares, axis=0).astype(np.float32)
    return mean


def look_of(frames: Frames, first: int, end: int) -> Look:
    """Return the look of a clip's frames from first to end (exclusive)."""
    rows = np.unique(np.linspace(first, end - 1, _PICTURES).astype(int))
    return look([frames[int(row)] for row in rows])


def nearest(one: Look, others: Sequence[Look]) -> int | None:
    """Return which of several looks is the nearest of the same scene; None without any."""
    apart = [cv2.compareHist(one, other, cv2.HISTCMP_BHATTACHARYYA) for other in others]
    if not apart or min(apart) >= _SAME:
        return None
    return int(np.argmin(apart))


def group(looks: Sequence[Look]) -> list[int]:
    """Number the scenes of clips in order: a clip joins the nearest scene that it looks like."""
    firsts: list[Look] = []
    numbers = []
    for one in looks:
        found = nearest(one, firsts)
        if found is None:
            found = len(firsts)
            firsts.append(one)
        numbers.append(found)
    return numbers
