"""Warp a portrait to driving landmarks, so that a network paints only what is new.

Ours: an interpolation by radial functions φ(r) = r with an affine part. It follows the landmarks;
forehead, hair and ears go with the head in three dimensions, the chest goes with the shoulders,
and the frame's border stays.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.face import landmark_groups, mean_face

Array = NDArray[np.float32]
_STEP = 2  # the flow is computed at every second pixel, and interpolated between
# All places together stay below 97: from 100 equations on, OpenBLAS solves with all threads, which
# stand in the way of the training beside it (seen: 0.1 ms, or 200 on a busy machine).
_FACE = np.r_[0:28, 30:60, 61:64, 65:68]  # inner corners of the mouth lie at its outer ones
_FIRM = np.r_[
    list(landmark_groups.RIGID), 17:27
]  # the head's turn is read from these: no lips, no jaw
_SIDE = (
    (0.71, -0.32, 0.75),
    (0.68, 0.1, 0.66),
    (0.45, -0.78, 0.3),
    (0.75, -0.6, 0.9),
    (0.5, -1.0, 0.9),
)
# Ears, forehead and hair around the mean face, roughly; face heights.
_AROUND = np.array(
    [(0.0, -0.85, 0.25), (0.0, -1.15, 0.8), *((s * x, y, z) for s in (-1, 1) for x, y, z in _SIDE)]
)
_CHEST = (
    (0.0, 0.6),
    (0.0, 1.0),
    (-0.6, 1.0),
    (0.6, 1.0),
)  # across and down, half widths of the neck
_SOFT = 0.05  # px: how far landmarks may stay off, so that points at one place do no harm


def _homogeneous(points: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


_AFFINE = np.linalg.pinv(_homogeneous(mean_face.MEAN_FACE[_FIRM]))


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
    seen = np.isfinite(shoulders).all(1) & np.isfinite(source_shoulders).all(1)
    body, still_body = _body(shoulders, source_shoulders, seen)
    border = _border(size)
    driven = np.concatenate([points[_FACE], _around(points), body, border])
    still = np.concatenate([source[_FACE], _around(source), still_body, border])
    return driven.astype(np.float32), still.astype(np.float32)


def _around(points: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Place ears, forehead and hair by the affine camera that shows the mean face as landmarks."""
    camera = _AFFINE @ points[_FIRM]
    placed: NDArray[np.floating[Any]] = _homogeneous(_AROUND) @ camera
    return placed


def _body(
    shoulders: NDArray[np.floating[Any]],
    source: NDArray[np.floating[Any]],
    seen: NDArray[np.bool_],
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Pair half of the shoulder points, and the chest below the neck, which moves with them."""
    some = seen & (np.arange(len(seen)) % 2 == 0)
    if not (seen[0] and seen[9]):  # each side begins at the neck
        return shoulders[some], source[some]
    middle, half = (source[0] + source[9]) / 2, (source[9] - source[0]) / 2
    down = np.array([-half[1], half[0]])
    chest = middle + np.array(_CHEST) @ np.stack([half, down])
    moved = chest + (shoulders[seen] - source[seen]).mean(0)
    return np.concatenate([shoulders[some], moved]), np.concatenate([source[some], chest])


def _border(size: int) -> Array:
    """Place points that stay: the upper edge and the upper half of the sides."""
    t = np.linspace(0, size, 3)
    top = np.stack([t, np.zeros(3)], axis=1)
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
