"""The facial map: one channel a semantic group, its consecutive keypoints joined by lines.

Source: the paper's map "identifies groups of keypoints explicitly"; one channel a group, ours.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.face import landmark_groups
from stages.base.io.pixels import FRACTION_BITS, opencv_fixed_point

CHANNELS = ("contour", "brows", "eyes", "nose", "outer_lips", "inner_lips", "shoulders")
_LINES = [
    [(line.points[0], line.points[-1] + 1, line.closed) for line in landmark_groups.GROUPS[group]]
    for group in CHANNELS[:-1]
]  # per channel: first landmark and end (exclusive) of a line, and whether it is closed
_EYE_WIDTHS = ((36, 39), (42, 45))
_IRIS = 0.15  # radius over the eye's width


def draw(
    points: NDArray[np.floating[Any]],
    irises: NDArray[np.floating[Any]],
    shoulders: NDArray[np.floating[Any]],
    size: int,
) -> NDArray[np.uint8]:
    """Draw the facial map.

    Args:
        points: 68 landmarks, (68, 2), px of the map; off the map is allowed.
        irises: their centres, (2, 2), px; an eye whose iris is NaN gets none.
        shoulders: (18, 2), px; a shoulder with NaN is left out.
        size: width and height of the map.

    Returns:
        (7, size, size), lines of one pixel, anti-aliased, 0 to 255.

    Raises:
        ValueError: a landmark is not finite.
    """
    if not np.isfinite(points).all():
        raise ValueError("a facial map needs 68 finite landmarks")
    out = np.zeros((len(CHANNELS), size, size), np.uint8)
    fixed = _fixed(points, size)
    for channel, lines in zip(out, _LINES, strict=False):
        for first, end, ring in lines:
            _polyline(channel, fixed[first:end], ring=ring)
    for iris, (left, right) in zip(irises, _EYE_WIDTHS, strict=True):
        if np.isfinite(iris).all():
            width = float(np.linalg.norm(points[right] - points[left]))
            radius = round(min(max(_IRIS * width, 0.5), size) * 2**FRACTION_BITS)
            centre = tuple(int(v) for v in _fixed(iris, size))
            cv2.circle(out[2], centre, radius, 255, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)
    for shoulder in (shoulders[:9], shoulders[9:]):
        if np.isfinite(shoulder).all():
            _polyline(out[6], _fixed(shoulder, size), ring=False)
    return out


def _fixed(points: NDArray[np.floating[Any]], size: int) -> NDArray[np.int32]:
    """Convert continuous pixels to cv2's fixed point, in which pixel centres are whole."""
    # Far off the map, cv2's integers overflow.
    return opencv_fixed_point(np.clip(points, -4 * size, 5 * size))


def _polyline(channel: NDArray[np.uint8], run: NDArray[np.int32], *, ring: bool) -> None:
    cv2.polylines(channel, [run], ring, 255, 1, cv2.LINE_AA, FRACTION_BITS)
