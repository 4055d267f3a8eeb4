"""The canvas, the grid on which warps are computed, and image operations in float32.

Canvas coordinates are pixels of the 512² picture, continuous: (0, 0) is the corner of the first
pixel. The grid has a node at every second pixel of the canvas and of a margin around it; a field
gives each node a displacement in pixels.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Field = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CANVAS = 512
MARGIN = 48
STEP = 2
NODES = (CANVAS + 2 * MARGIN) // STEP


def nodes() -> Field:
    """Return the canvas coordinates of the grid's nodes, (NODES, NODES, 2)."""
    line = np.arange(NODES, dtype=np.float32) * STEP + STEP / 2 - MARGIN
    return np.stack(np.meshgrid(line, line), axis=-1)


def sample_field(field: Field, at: Field) -> Field:
    """Interpolate a field (NODES, NODES[, 2]) at canvas coordinates (H, W, 2), bilinear."""
    index = (at + MARGIN) / STEP - 0.5
    return remap(field, index[..., 0], index[..., 1], border=cv2.BORDER_REPLICATE)


def sample_points(field: Field, points: FloatArray) -> FloatArray:
    """Interpolate a field at points, (P, 2) or (P, 3) of which z is ignored."""
    at = np.ascontiguousarray(points[None, :, :2], np.float32)
    return np.asarray(sample_field(field, at)[0], np.float64)


def invert(field: Field, at: Field, steps: int = 6) -> Field:
    """Find the points that a field moves to `at`, (H, W, 2).

    Fixed-point iteration of p = q - field(p); it converges where the field changes by less than
    a pixel per pixel, that is, where the warp does not fold.
    """
    origin = at
    for _ in range(steps):
        origin = at - sample_field(field, origin)
    return origin


def smoothstep(t: FloatArray) -> FloatArray:
    """Ease from 0 to 1, clipped outside, with zero slope at both ends."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def blur(image: NDArray[Any], sigma: float) -> Field:
    """Blur an image (H, W[, C]) by a Gaussian of σ = `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def remap(
    image: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
) -> Field:
    """Sample an image at pixel coordinates x and y, (H, W) each."""
    return np.asarray(cv2.remap(image, x, y, method, borderMode=border), np.float32)


def resize(image: NDArray[Any], side: int, method: int) -> Field:
    """Resize an image to a square of `side` pixels."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), np.float32)


def fill(ring: FloatArray, side: int) -> Image:
    """Fill a polygon (P, 2) of pixel coordinates with 255, (side, side)."""
    area = np.zeros((side, side), np.uint8)
    cv2.fillPoly(area, [np.round(ring).astype(np.int32)], 255)
    return area


def dilate(mask: NDArray[Any], side: int) -> NDArray[Any]:
    """Dilate a mask (H, W) by a square of `side` pixels."""
    return np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)))


def erode(mask: NDArray[Any], side: int) -> NDArray[Any]:
    """Erode a mask (H, W) by a square of `side` pixels."""
    return np.asarray(cv2.erode(mask, np.ones((side, side), np.uint8)))
