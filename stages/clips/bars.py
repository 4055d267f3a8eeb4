"""Black bars around a picture: letterbox and pillarbox."""

import numpy as np
from numpy.typing import NDArray

from stages.base.io.image_io import Image

_BLACK = 24  # the brightest that a bar's pixels are; compression leaves some light beside edges
_LEAST = 0.02  # of the picture's length: the narrowest bar, and how unlike two opposite ones may be

Margins = tuple[int, int, int, int]
"""Pixels at the left, top, right and bottom."""


def margins(image: Image) -> Margins:
    """Tell how far black reaches into an RGB picture, (H, W, 3), from each side."""
    rows = image.reshape(len(image), -1).max(axis=1)
    columns = image.max(axis=0).max(axis=1)
    (left, right), (top, bottom) = _ends(columns > _BLACK), _ends(rows > _BLACK)
    return left, top, right, bottom


def _ends(light: NDArray[np.bool_]) -> tuple[int, int]:
    at = np.flatnonzero(light)
    return (int(at[0]), len(light) - 1 - int(at[-1])) if len(at) else (len(light), len(light))


def bars(seen: list[Margins], width: int, height: int) -> Margins:
    """Tell the bars of a shot from the margins of its pictures.

    Bars lie on opposite sides, are as wide there, and black in every picture; what else is dark,
    such as a black background, is part of the picture.

    Args:
        seen: margins of some pictures; none where there are none.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
    """
    if not seen:
        return 0, 0, 0, 0
    left, top, right, bottom = (min(side) for side in zip(*seen, strict=True))
    left, right = _pair(left, right, width)
    top, bottom = _pair(top, bottom, height)
    return left, top, right, bottom


def _pair(first: int, last: int, length: int) -> tuple[int, int]:
    alike = abs(first - last) <= _LEAST * length <= min(first, last)
    return (first, last) if alike and first + last < length else (0, 0)
