"""Head pose as six numbers: rotation vector and translation, each about a rest pose."""

import numpy as np
from numpy.typing import ArrayLike

from stages.base.face.arrays import Floats
from stages.base.face.head_pose import rotation_from_vector


def rotation_vector(R: ArrayLike) -> Floats:
    """Turn rotation matrices, (…, 3, 3), into rotation vectors, (…, 3), radians (0 to π)."""
    from scipy.spatial.transform import Rotation

    matrices = np.asarray(R, float)
    vectors: Floats = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return vectors.reshape(*matrices.shape[:-2], 3)


def mean_rotation(R: ArrayLike) -> Floats:
    """Average rotations, (N, 3, 3), to the one nearest to all in the chordal metric, (3, 3)."""
    U, _, Vt = np.linalg.svd(np.asarray(R, float).mean(0))
    mean: Floats = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
    return mean


def about_rest(R: ArrayLike, t: ArrayLike, rest_R: Floats, rest_t: Floats) -> Floats:
    """Write poses (…, 3, 3) and (…, 3) about a rest pose, (…, 6): radians, face heights."""
    turned = rotation_vector(np.asarray(R, float) @ rest_R.T)
    return np.concatenate([turned, np.asarray(t, float) - rest_t], axis=-1)


def from_rest(pose: ArrayLike, rest_R: Floats, rest_t: Floats) -> tuple[Floats, Floats]:
    """Return R, (…, 3, 3), and t, (…, 3), of poses about a rest pose, (…, 6)."""
    six = np.asarray(pose, float)
    R: Floats = rotation_from_vector(six[..., :3]) @ rest_R
    return R, six[..., 3:] + rest_t


def velocities(pose: Floats) -> Floats:
    """Return the change of each pose, (N, 6), from the one before; NaN for the first."""
    return np.diff(pose, axis=0, prepend=np.full_like(pose[:1], np.nan))
