"""Warp a portrait to driving landmarks, so that a network paints only what is new.

Ours: an interpolation by radial functions φ(r) = r with an affine part. It follows the landmarks
and shoulders; the head above the brows goes with the landmarks' similarity transform, and the
frame's border stays.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import faces

Array = NDArray[np.float32]
_STEP = 2  # the flow is computed at every second pixel, and interpolated between
# All places together stay below 97: from 100 equations on, OpenBLAS solves with all threads, which
# stand in the way of the training beside it (seen: 0.1 ms, or 200 on a busy machine).
_FACE = np.r_[0:60, 61:64, 65:68]  # the inner corners of the mouth lie at its outer ones
_RIGID = list(faces.RIGID)  # the hair does not follow the jaw
_SOFT = 0.05  # px: how far landmarks may stay off, so that points at one place do no harm


def controls(
    points: NDArray[np.floating[Any]],
    shoulders: NDArray[np.floating[Any]],
    source: NDArray[np.floating[Any]],
    source_shoulders: NDArray[np.floating[Any]],
    size: int,
) -> tuple[Array, Array]:
    """Pair the places of the driven image with those of the source.

    Args:
        points: driving landmarks, (68, 2), px.
        shoulders: driving shoulder points, (18, 2), px, or NaN.
        source: landmarks of the source, (68, 2), px.
        source_shoulders: shoulder points of the source, (18, 2), px, or NaN.
        size: width and height of both images.

    Returns:
        Places in the driven image and in the source, both (K, 2), px.
    """
    crown = _crown(source)
    moved = faces.apply_similarity(faces.fit_similarity(source[_RIGID], points[_RIGID]), crown)
    seen = np.isfinite(shoulders).all(1) & np.isfinite(source_shoulders).all(1)
    seen[1::2] = False
    border = _border(size)
    driven = np.concatenate([points[_FACE], moved, shoulders[seen], border])
    still = np.concatenate([source[_FACE], crown, source_shoulders[seen], border])
    return driven.astype(np.float32), still.astype(np.float32)


def _crown(points: NDArray[np.floating[Any]]) -> Array:
    """Place two arcs over forehead and hair, (10, 2), as wide and high as the face."""
    middle = (points[0] + points[16]) / 2
    across = (points[16] - points[0]) / 2
    up = middle - points[8]
    angles = np.linspace(0.0, np.pi, 5)[:, None]
    arcs = [
        middle + wide * np.cos(angles) * across + high * np.sin(angles) * up
        for wide, high in ((1.1, 0.75), (1.3, 1.15))
    ]
    return np.concatenate(arcs).astype(np.float32)


def _border(size: int) -> Array:
    """Place points that stay: the upper edge and the upper half of the sides."""
    t = np.linspace(0, size, 5)
    top = np.stack([t, np.zeros(5)], axis=1)
    sides = [np.stack([np.full(2, x), [size * 0.25, size * 0.5]], axis=1) for x in (0.0, size)]
    return np.concatenate([top, *sides]).astype(np.float32)


def flow(driven: Array, still: Array, size: int) -> Array:
    """Interpolate where in the source each pixel of the driven image comes from.

    Args:
        driven: places in the driven image, (K, 2), px.
        still: the same places in the source, (K, 2), px.
        size: width and height.

    Returns:
        Places in the source, (size, size, 2), −1 to 1 from edge to edge.
    """
    count = len(driven)
    scale = np.float32(1 / size)
    places = driven * scale
    system = np.zeros((count + 3, count + 3), np.float64)
    system[:count, :count] = _distance(places, places)
    # φ(r) = r is negative definite on what the affine part leaves: softening has a minus.
    system[range(count), range(count)] = -_SOFT * scale
    system[:count, count:] = np.c_[np.ones(count), places]
    system[count:, :count] = system[:count, count:].T
    shift = np.zeros((count + 3, 2))
    shift[:count] = still - driven
    weights = np.linalg.solve(system, shift).astype(np.float32)
    line = (np.arange(size // _STEP, dtype=np.float32) * _STEP + _STEP / 2) * scale
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    moved = _distance(grid, places) @ weights[:count]
    moved += weights[count] + grid @ weights[count + 1 :]
    coarse = moved.reshape(size // _STEP, size // _STEP, 2)
    fine: Array = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    fine *= 2 / size
    own = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 / size) - 1
    fine[..., 0] += own[None, :]
    fine[..., 1] += own[:, None]
    return fine


def _distance(a: Array, b: Array) -> Array:
    """Return distances (N, M) of points (N, 2) to points (M, 2)."""
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * (a @ b.T)
    np.maximum(squared, 0, out=squared)
    apart: Array = np.sqrt(squared, out=squared)
    return apart
