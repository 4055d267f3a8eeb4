"""The grid on which warps are computed: every second pixel of the canvas and a margin around it.

Canvas coordinates are pixels of the 512² picture, continuous: (0, 0) is the corner of the first
pixel. A field gives each grid node a displacement in pixels.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Field = NDArray[np.float32]

CANVAS = 512
MARGIN = 48
STEP = 2
NODES = (CANVAS + 2 * MARGIN) // STEP


def nodes() -> Field:
    """Return the canvas coordinates of the grid's nodes, (NODES, NODES, 2)."""
    line = np.arange(NODES, dtype=np.float32) * STEP + STEP / 2 - MARGIN
    return np.stack(np.meshgrid(line, line), axis=-1)


def sample(field: Field, at: Field) -> Field:
    """Read a field at canvas coordinates, bilinear, (H, W, 2) or (H, W) as the field has."""
    index = (at + MARGIN) / STEP - 0.5
    result: Any = cv2.remap(
        field, index[..., 0], index[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(result, np.float32)


def at_points(field: Field, points: FloatArray) -> FloatArray:
    """Read a field at points, (P, 2)."""
    at = np.ascontiguousarray(points[None, :, :2], np.float32)
    return np.asarray(sample(field, at)[0], np.float64)


def inverted(field: Field, at: Field, steps: int = 6) -> Field:
    """Find where the points that a field brings to `at` came from, (H, W, 2).

    Fixed-point iteration of p = q - field(p); it converges where the field changes by less than
    a pixel a pixel, that is, where the warp does not fold.
    """
    origin = at
    for _ in range(steps):
        origin = at - sample(field, origin)
    return origin
