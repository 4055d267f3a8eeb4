"""A clip's frames as tiles: landmarks as lines, regions as colours."""

import numpy as np
from numpy.typing import NDArray

from stages.base.face.landmark_groups import GROUPS
from stages.base.io.image_io import FRACTION_BITS, Image, opencv_fixed_point, resize
from stages.parsing.artifacts import REGIONS
from stages.parsing.regions import region_of_label
from stages.sheet.clip_summary import ShownFrame

COLOURS = {"mouth": (230, 40, 60), "eyes": (40, 110, 255), "skin": (255, 200, 40)}
_LINES, _DOTS, _SHOULDERS = (0, 255, 120), (255, 255, 255), (255, 120, 0)
_STRENGTH = 0.45  # of a region's colour over the image


def draw_tiles(shown: list[ShownFrame], side: int) -> Image:
    """Draw frames with their landmarks and, to the right, with their regions.

    Args:
        shown: frames of one clip.
        side: of a tile, px.

    Returns:
        RGB, (side, 2 · side · len(shown), 3).
    """
    marked = [_draw_landmarks(frame, side) for frame in shown]
    return np.concatenate([*marked, *(_colour_regions(frame, side) for frame in shown)], axis=1)


def _draw_landmarks(frame: ShownFrame, side: int) -> Image:
    tile = resize(frame.image, side).copy()
    scale = side / len(frame.image)
    if np.isfinite(frame.points).all():
        for lines in GROUPS.values():
            for line in lines:
                _polyline(tile, frame.points[list(line.points)] * scale, _LINES, closed=line.closed)
        for iris in frame.irises[np.isfinite(frame.irises).all(1)] * scale:
            _polyline(tile, np.stack([iris, iris]), _DOTS, width=3)
    if np.isfinite(frame.shoulders).all():
        for points in (frame.shoulders[:9], frame.shoulders[9:]):
            _polyline(tile, points * scale, _SHOULDERS)
    return tile


def _polyline(
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


def _colour_regions(frame: ShownFrame, side: int) -> Image:
    region = region_of_label()[frame.labels]
    image = frame.image.astype(np.float32)
    for name, colour in COLOURS.items():
        inside = region == REGIONS.index(name)
        mixed = image[inside] * (1 - _STRENGTH) + np.array(colour, np.float32) * _STRENGTH
        image[inside] = mixed
    return resize(image.astype(np.uint8), side)
