"""Head pose as six numbers about a rest pose, and the shoulders that follow the head.

A pose is a rotation vector (radians) and a translation (face heights), each relative to the rest.
Source: Live Speech Portraits moves the shoulders by half of the head's shift; fitting the factor
to the person is ours.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats
from stages.base.face.head_pose import rotation_from_vector

DEFAULT_FACTOR = 0.5  # Live Speech Portraits
_FEWEST_FRAMES = 50  # to fit the factor


def rotation_vector(R: ArrayLike) -> Floats:
    """Convert rotation matrices, (…, 3, 3), to rotation vectors, (…, 3), radians (0 to π)."""
    from scipy.spatial.transform import Rotation

    matrices = np.asarray(R, float)
    vectors: Floats = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return vectors.reshape(*matrices.shape[:-2], 3)


def mean_rotation(R: ArrayLike) -> Floats:
    """Average rotations, (N, 3, 3), in the chordal metric, (3, 3)."""
    U, _, Vt = np.linalg.svd(np.asarray(R, float).mean(0))
    return np.asarray(U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt)


def relative_to_rest(R: ArrayLike, t: ArrayLike, rest_R: Floats, rest_t: Floats) -> Floats:
    """Express poses (…, 3, 3) and (…, 3) relative to a rest pose.

    Returns:
        (…, 6): rotation vector, radians, then translation, face heights.
    """
    turned = rotation_vector(np.asarray(R, float) @ rest_R.T)
    return np.concatenate([turned, np.asarray(t, float) - rest_t], axis=-1)


def absolute_from_rest(pose: ArrayLike, rest_R: Floats, rest_t: Floats) -> tuple[Floats, Floats]:
    """Return R, (…, 3, 3), and t, (…, 3), of poses relative to a rest pose, (…, 6)."""
    six = np.asarray(pose, float)
    R: Floats = rotation_from_vector(six[..., :3]) @ rest_R
    return R, six[..., 3:] + rest_t


def velocities(pose: Floats) -> Floats:
    """Return the difference of each pose, (N, 6), to the previous one; NaN for the first."""
    return np.diff(pose, axis=0, prepend=np.full_like(pose[:1], np.nan))


def head_shift(translation: ArrayLike, rest: ArrayLike, focal: float) -> Floats:
    """Project the head's translation from its rest to pixels, (N, 2), at the rest's depth.

    Args:
        translation: of the head, (N, 3), face heights.
        rest: translation of the rest pose, (3,), face heights.
        focal: focal length, px.
    """
    t, rest_t = np.asarray(translation, float), np.asarray(rest, float)
    return np.asarray(focal * (t[:, :2] - rest_t[:2]) / rest_t[2])


def fit_factor(shifts: Sequence[Floats], shoulders: Sequence[Floats]) -> float:
    """Fit the factor between head and shoulders by least squares about each clip's means.

    Args:
        shifts: per clip the head's shift, (N, 2), px.
        shoulders: per clip the shoulders, (N, 18, 2), px.

    Returns:
        The factor, clipped to 0…1; `DEFAULT_FACTOR` with fewer than 50 frames or a still head.
    """
    x = [s - s.mean(0) for s in shifts if len(s)]
    y = [(s - s.mean(0)).mean(1) for s in shoulders if len(s)]
    total = sum(float((a**2).sum()) for a in x)
    if sum(len(a) for a in x) < _FEWEST_FRAMES or total <= 0:
        return DEFAULT_FACTOR
    product = sum(float((a * b).sum()) for a, b in zip(x, y, strict=True))
    return float(np.clip(product / total, 0.0, 1.0))


def place_shoulders(mean: Floats, shifts: Floats, factor: float) -> Floats:
    """Move mean shoulders, (18, 2) px, by a share of the head's shifts, (N, 2) px."""
    return mean + factor * shifts[:, None]
