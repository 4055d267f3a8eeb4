"""Warp a portrait to driving landmarks: the generator adds what the warp cannot show.

Ours: radial basis functions φ(r) = r with an affine part interpolate between control points: the
landmarks; forehead, hair and ears, which move with the head in three dimensions; the chest, which
moves with the shoulders; and the frame's border, which stays.
"""

import cv2
import numpy as np

from stages.base.arrays import AnyFloats, Floats32, Mask
from stages.base.face import landmark_groups, mean_face

_STEP = 2  # the flow is computed at every second pixel, and interpolated between
# Fewer than 97 control points in all: from 100 equations on, OpenBLAS uses all threads, and one
# solution takes up to 200 ms instead of 0.1 ms while a training runs.
_FACE = np.r_[0:28, 30:60, 61:64, 65:68]  # the mouth's inner corners coincide with the outer ones
_RIGID = np.r_[list(landmark_groups.RIGID), 17:27]  # no lips, no jaw: these give the head's pose
_SIDE = (
    (0.71, -0.32, 0.75),
    (0.68, 0.1, 0.66),
    (0.45, -0.78, 0.3),
    (0.75, -0.6, 0.9),
    (0.5, -1.0, 0.9),
)
# Ears, forehead and hair around the mean face, by eye; face heights.
_AROUND = np.array(
    [(0.0, -0.85, 0.25), (0.0, -1.15, 0.8), *((s * x, y, z) for s in (-1, 1) for x, y, z in _SIDE)]
)
# Across and down from the neck's middle, in half widths of the neck.
_CHEST = np.array([(0.0, 0.6), (0.0, 1.0), (-0.6, 1.0), (0.6, 1.0)])
_SMOOTHING = 0.05  # px off a control point: two at one place would make the system singular


def _homogeneous(points: AnyFloats) -> AnyFloats:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


_AFFINE = np.linalg.pinv(_homogeneous(mean_face.MEAN_FACE[_RIGID]))


def controls(
    points: AnyFloats,
    shoulders: AnyFloats,
    source: AnyFloats,
    source_shoulders: AnyFloats,
    size: int,
) -> tuple[Floats32, Floats32]:
    """Return control points in the driven image and in the source.

    Args:
        points: driving landmarks, (68, 2), px.
        shoulders: driving shoulder points, (18, 2), px, or NaN.
        source: landmarks of the source, (68, 2), px.
        source_shoulders: shoulder points of the source, (18, 2), px, or NaN.
        size: width and height of both images.

    Returns:
        The points in the driven image and in the source, both (K, 2), px.
    """
    known = np.isfinite(np.stack([shoulders, source_shoulders])).all((0, 2))
    body, source_body = _body(shoulders, source_shoulders, known)
    border = _border(size)
    driven = np.concatenate([points[_FACE], _around(points), body, border])
    origin = np.concatenate([source[_FACE], _around(source), source_body, border])
    return driven.astype(np.float32), origin.astype(np.float32)


def _around(points: AnyFloats) -> AnyFloats:
    """Project ears, forehead and hair by the affine camera fitted to the rigid landmarks."""
    camera = _AFFINE @ points[_RIGID]
    return np.asarray(_homogeneous(_AROUND) @ camera)


def _body(
    shoulders: AnyFloats,
    source: AnyFloats,
    known: Mask,
) -> tuple[AnyFloats, AnyFloats]:
    """Return every second shoulder point, and the chest, which moves with the shoulders."""
    chosen = known & (np.arange(len(known)) % 2 == 0)
    if not (known[0] and known[9]):  # each side begins at the neck
        return shoulders[chosen], source[chosen]
    middle, half = (source[0] + source[9]) / 2, (source[9] - source[0]) / 2
    down = np.array([-half[1], half[0]])
    chest = middle + _CHEST @ np.stack([half, down])
    moved = chest + (shoulders[known] - source[known]).mean(0)
    return np.concatenate([shoulders[chosen], moved]), np.concatenate([source[chosen], chest])


def _border(size: int) -> Floats32:
    """Return points that stay: on the upper edge and the upper half of the sides."""
    t = np.linspace(0, size, 3)
    top = np.stack([t, np.zeros(3)], axis=1)
    sides = [np.stack([np.full(2, x), [size * 0.25, size * 0.5]], axis=1) for x in (0.0, size)]
    return np.concatenate([top, *sides]).astype(np.float32)


def flow(driven: Floats32, source: Floats32, size: int, step: int = _STEP) -> Floats32:
    """Interpolate the source coordinates of every pixel of the driven image.

    Args:
        driven: control points in the driven image, (K, 2), px.
        source: the same points in the source, (K, 2), px.
        size: width and height.
        step: pixels between those where it is computed.

    Returns:
        Coordinates in the source, (size, size, 2), −1 to 1 from edge to edge.
    """
    scale = np.float32(1 / size)
    line = (np.arange(size // step, dtype=np.float32) * step + step / 2) * scale
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    moved = _displacements(driven, source, grid, scale)
    coarse = moved.reshape(size // step, size // step, 2)
    fine: Floats32 = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    fine *= 2 / size
    identity = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 / size) - 1
    fine[..., 0] += identity[None, :]
    fine[..., 1] += identity[:, None]
    return fine


def source_coordinates(driven: Floats32, source: Floats32, size: tuple[int, int]) -> Floats32:
    """Return the source coordinates of each pixel of a rectangle in the driven image.

    Args:
        driven: control points, (K, 2), px of the rectangle.
        source: the same points, (K, 2), px of the source.
        size: height and width of the rectangle.

    Returns:
        Coordinates in the source, (H, W, 2), px.
    """
    height, width = size
    scale = np.float32(1 / max(size))
    rows, columns = (
        (np.arange(max(1, n // _STEP), dtype=np.float32) + 0.5) * np.float32(n / max(1, n // _STEP))
        for n in size
    )
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    moved = _displacements(driven, source, grid.reshape(-1, 2) * scale, scale)
    coarse = moved.reshape(grid.shape)
    fine: Floats32 = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    fine[..., 0] += np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)
    fine[..., 1] += np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    return fine


def _displacements(
    driven: Floats32, source: Floats32, grid: Floats32, scale: np.float32
) -> Floats32:
    """Return the displacements (N, 2), px, at places (N, 2), px times the scale."""
    count = len(driven)
    points = driven * scale
    system = np.zeros((count + 3, count + 3), np.float64)
    system[:count, :count] = _distance(points, points)
    # φ(r) = r is negative definite off the affine part: the smoothing term is negative.
    system[range(count), range(count)] = -_SMOOTHING * scale
    system[:count, count:] = np.c_[np.ones(count), points]
    system[count:, :count] = system[:count, count:].T
    shift = np.zeros((count + 3, 2))
    shift[:count] = source - driven
    weights = np.linalg.solve(system, shift).astype(np.float32)
    moved: Floats32 = _distance(grid, points) @ weights[:count]
    moved += weights[count] + grid @ weights[count + 1 :]
    return moved


def _distance(a: Floats32, b: Floats32) -> Floats32:
    """Return distances (N, M) of points (N, 2) to points (M, 2)."""
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * (a @ b.T)
    np.maximum(squared, 0, out=squared)
    return np.asarray(np.sqrt(squared, out=squared))
