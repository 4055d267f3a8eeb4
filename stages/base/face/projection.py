"""The pin-hole camera: `x = K (R X + t)` with column vectors, and its inverse.

X is in face heights in the head's frame (x to the image's right, y down, z away from the camera);
the principal point is at size / 2. Functions take leading batch axes, written as `…`.
"""

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import RIGID


def project(head: ArrayLike, R: ArrayLike, t: ArrayLike, focal: ArrayLike, size: int) -> Floats:
    """Project points of the head's frame into the image: x = K (R X + t).

    Args:
        head: points X, (…, N, 3), face heights.
        R: rotations, (…, 3, 3).
        t: translations, (…, 3), face heights.
        focal: focal length, scalar or (…), pixels.
        size: width and height of the image, pixels.

    Returns:
        Points, (…, N, 2), pixels.
    """
    camera = to_camera(head, R, t)
    scale = np.asarray(focal, float)[..., None, None]
    return scale * camera[..., :2] / camera[..., 2:] + size / 2


def to_camera(head: ArrayLike, R: ArrayLike, t: ArrayLike) -> Floats:
    """Transform points of the head's frame, (…, N, 3), to the camera's frame: R X + t."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    return np.asarray(np.asarray(head, float) @ np.swapaxes(R, -1, -2) + t[..., None, :])


def to_head(camera: ArrayLike, R: ArrayLike, t: ArrayLike) -> Floats:
    """Transform points of the camera's frame, (…, N, 3), to the head's frame: Rᵀ (X - t)."""
    moved = np.asarray(camera, float) - np.asarray(t, float)[..., None, :]
    return np.asarray(moved @ np.asarray(R, float))


def unproject(points: ArrayLike, depth: ArrayLike, focal: ArrayLike, size: int) -> Floats:
    """Back-project pixels of known depth to the camera's frame.

    Args:
        points: pixels, (…, N, 2).
        depth: distance of each along z, (…, N), face heights.
        focal: focal length, scalar or (…), pixels.
        size: width and height of the image, pixels.

    Returns:
        Points, (…, N, 3), face heights.
    """
    depth = np.asarray(depth, float)[..., None]
    rays = (np.asarray(points, float) - size / 2) / np.asarray(focal, float)[..., None, None]
    return np.concatenate([rays * depth, depth], axis=-1)


def reprojection_error(
    points: ArrayLike, model: ArrayLike, R: ArrayLike, t: ArrayLike, focal: ArrayLike, size: int
) -> Floats:
    """Return the RMS distance of the projected rigid landmarks to `points`, (…), pixels.

    Args:
        points: landmarks, (…, 68, 2), pixels.
        model: the face, (68, 3) or (…, 68, 3), face heights.
        R: rotations, (…, 3, 3).
        t: translations, (…, 3), face heights.
        focal: focal length, scalar or (…), pixels.
        size: width and height of the image, pixels.
    """
    rigid = list(RIGID)
    posed = project(np.asarray(model, float)[..., rigid, :], R, t, focal, size)
    apart = posed - np.asarray(points, float)[..., rigid, :]
    return np.asarray(np.sqrt((apart**2).sum(-1).mean(-1)))
