"""A clip's frames as tiles: landmarks as lines, regions as colours."""

import numpy as np
from numpy.typing import NDArray

from stages.base.face.landmark_groups import GROUPS
from stages.base.io.image_io import Image, resize
from stages.base.io.pixels import FRACTION_BITS, opencv_fixed_point
from stages.parsing.artifacts import REGIONS
from stages.parsing.regions import region_of_label
from stages.sheet.found import Moment

COLOURS = {"mouth": (230, 40, 60), "eyes": (40, 110, 255), "skin": (255, 200, 40)}
_LINES, _DOTS, _SHOULDERS = (0, 255, 120), (255, 255, 255), (255, 120, 0)
_STRENGTH = 0.45  # of a region's colour over the picture


def strip(moments: list[Moment], side: int) -> Image:
    """Lay out frames with their landmarks and, beside these, with their regions.

    Args:
        moments: frames of one clip.
        side: of a tile, px.

    Returns:
        RGB, (side, 2 · side · len(moments), 3).
    """
    marked = [_marked(moment, side) for moment in moments]
    return np.concatenate([*marked, *(_coloured(moment, side) for moment in moments)], axis=1)


def _marked(moment: Moment, side: int) -> Image:
    tile = resize(moment.image, side).copy()
    scale = side / len(moment.image)
    if np.isfinite(moment.points).all():
        for lines in GROUPS.values():
            for line in lines:
                _draw(tile, moment.points[list(line.points)] * scale, _LINES, closed=line.closed)
        for iris in moment.irises[np.isfinite(moment.irises).all(1)] * scale:
            _draw(tile, np.stack([iris, iris]), _DOTS, width=3)
    if np.isfinite(moment.shoulders).all():
        for points in (moment.shoulders[:9], moment.shoulders[9:]):
            _draw(tile, points * scale, _SHOULDERS)
    return tile


def _draw(
    tile: Image,
    points: NDArray[np.float64],
    colour: tuple[int, int, int],
    *,
    closed: bool = False,
    width: int = 1,
) -> None:
    import cv2

    fixed = opencv_fixed_point(points)
    cv2.polylines(tile, [fixed], closed, colour, width, cv2.LINE_AA, FRACTION_BITS)


def _coloured(moment: Moment, side: int) -> Image:
    region = region_of_label()[moment.labels]
    picture = moment.image.astype(np.float32)
    for name, colour in COLOURS.items():
        inside = region == REGIONS.index(name)
        mixed = picture[inside] * (1 - _STRENGTH) + np.array(colour, np.float32) * _STRENGTH
        picture[inside] = mixed
    return resize(picture.astype(np.uint8), side)
