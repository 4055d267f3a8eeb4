"""Head pose: fit R and t to landmarks, and rotations as vectors and angles.

Functions take leading batch axes, written as `…`.
"""

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import RIGID
from stages.base.face.projection import to_camera

_STEPS = 20  # of Levenberg-Marquardt at most, after the start by scaled orthography
_CONVERGED = 1e-9  # a pose's last step, radians and face heights


def fit_pose(
    points: ArrayLike, model: ArrayLike, focal: ArrayLike, size: int
) -> tuple[Floats, Floats]:
    """Fit the pose that puts a rigid model onto landmarks, least squares in pixels.

    Args:
        points: landmarks, (…, 68, 2), pixels; NaN gives a NaN pose.
        model: the face, (68, 3) or (…, 68, 3), face heights.
        focal: focal length, scalar or (…), pixels.
        size: width and height of the image, pixels.

    Returns:
        R, (…, 3, 3), and t, (…, 3), face heights.
    """
    chosen = list(RIGID)
    observed = np.asarray(points, float)[..., chosen, :] - size / 2
    batch = observed.shape[:-2]
    X = np.broadcast_to(np.asarray(model, float)[..., chosen, :], (*batch, len(chosen), 3))
    f = np.broadcast_to(np.asarray(focal, float), batch).reshape(-1)
    observed, X = observed.reshape(-1, len(chosen), 2), X.reshape(-1, len(chosen), 3)
    bad = np.asarray(~np.isfinite(observed).all((1, 2)))
    observed = np.where(bad[:, None, None], f[:, None, None] * X[..., :2] / 4.0, observed)
    R, t = _orthographic_pose(observed, X, f)
    R, t = _refine_pose(R, t, observed, X, f)
    R[bad], t[bad] = np.nan, np.nan
    return R.reshape(*batch, 3, 3), t.reshape(*batch, 3)


def _orthographic_pose(observed: Floats, X: Floats, f: Floats) -> tuple[Floats, Floats]:
    """Fit scale, rotation and translation of a scaled orthographic camera."""
    middle, centre = X.mean(1), observed.mean(1)
    affine = np.swapaxes(np.linalg.pinv(X - middle[:, None]) @ (observed - centre[:, None]), 1, 2)
    U, w, Vt = np.linalg.svd(affine, full_matrices=False)
    rows = U @ Vt
    R = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    depth = f / w.mean(1)
    t = np.concatenate([centre * (depth / f)[:, None], depth[:, None]], axis=1)
    return R, t - np.einsum("nij,nj->ni", R, middle)


def _refine_pose(
    R: Floats, t: Floats, observed: Floats, X: Floats, f: Floats
) -> tuple[Floats, Floats]:
    """Minimise the squared pixel distances by Levenberg-Marquardt, frame by frame."""
    damping = np.full(len(R), 1e-3)
    posed, residual = _residual(R, t, observed, X, f)
    error = (residual**2).sum((1, 2))
    for _ in range(_STEPS):
        J = _jacobian(posed, t, f)
        Jt = np.swapaxes(J, 1, 2)
        A, b = Jt @ J, Jt @ residual.reshape(len(R), -1, 1)
        diagonal = np.einsum("nii->ni", A) * damping[:, None] + 1e-12
        step = np.linalg.solve(A + diagonal[:, None] * np.eye(6), b)[..., 0]
        if np.abs(step).max(initial=0.0) < _CONVERGED:
            break
        R_new, t_new = rotation_from_vector(step[:, :3]) @ R, t + step[:, 3:]
        posed_new, residual_new = _residual(R_new, t_new, observed, X, f)
        error_new = (residual_new**2).sum((1, 2))
        better = (error_new < error) & (posed_new[..., 2] > 0).all(1)
        damping = np.where(better, damping / 5, damping * 5)
        error = np.where(better, error_new, error)
        R = np.where(better[:, None, None], R_new, R)
        t = np.where(better[:, None], t_new, t)
        posed = np.where(better[:, None, None], posed_new, posed)
        residual = np.where(better[:, None, None], residual_new, residual)
    return R, t


def _residual(
    R: Floats, t: Floats, observed: Floats, X: Floats, f: Floats
) -> tuple[Floats, Floats]:
    posed = to_camera(X, R, t)
    return posed, observed - f[:, None, None] * posed[..., :2] / posed[..., 2:]


def _jacobian(posed: Floats, t: Floats, f: Floats) -> Floats:
    """Return the derivatives of the pixels by rotation and by translation, (n, 2N, 6)."""
    x, y, z = np.moveaxis(posed, -1, 0)
    qx, qy, qz = np.moveaxis(posed - t[:, None], -1, 0)
    by_x = f[:, None] / z  # derivative of the column by x, and of the row by y
    u_by_z, v_by_z = -by_x * x / z, -by_x * y / z
    zero = np.zeros_like(z)
    u = (u_by_z * qy, by_x * qz - u_by_z * qx, -by_x * qy, by_x, zero, u_by_z)
    v = (v_by_z * qy - by_x * qz, -v_by_z * qx, by_x * qx, zero, by_x, v_by_z)
    return np.stack([*u, *v], axis=-1).reshape(len(z), -1, 6)


def cross_matrix(v: ArrayLike) -> Floats:
    """Return the matrices, (…, 3, 3), that map u to v × u, of vectors v, (…, 3)."""
    v = np.asarray(v, float)
    M = np.zeros((*v.shape, 3))
    M[..., 0, 1], M[..., 0, 2] = -v[..., 2], v[..., 1]
    M[..., 1, 0], M[..., 1, 2] = v[..., 2], -v[..., 0]
    M[..., 2, 0], M[..., 2, 1] = -v[..., 1], v[..., 0]
    return M


def rotation_from_vector(v: ArrayLike) -> Floats:
    """Turn rotation vectors, (…, 3), radians, into matrices, (…, 3, 3) (Rodrigues)."""
    v = np.asarray(v, float)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    K = cross_matrix(v)
    safe = np.where(angle < 1e-8, 1.0, angle)
    first = np.where(angle < 1e-8, 1.0, np.sin(safe) / safe)
    second = np.where(angle < 1e-8, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * K + second * (K @ K))


def rotation_from_angles(angles: ArrayLike) -> Floats:
    """Build R = Ry(yaw) Rx(pitch) Rz(roll), (…, 3, 3), from (yaw, pitch, roll), (…, 3), radians.

    About the camera's axes (x right, y down, z away): yaw > 0 turns the nose to the image's left,
    pitch > 0 lowers it, roll > 0 leans the head clockwise in the image.
    """
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, float), -1, 0)
    zero = np.zeros_like(yaw)
    Ry = rotation_from_vector(np.stack([zero, yaw, zero], axis=-1))
    Rx = rotation_from_vector(np.stack([pitch, zero, zero], axis=-1))
    Rz = rotation_from_vector(np.stack([zero, zero, roll], axis=-1))
    return Ry @ Rx @ Rz


def angles_from_rotation(R: ArrayLike) -> Floats:
    """Return (yaw, pitch, roll), (…, 3), radians, of rotations R, (…, 3, 3).

    The inverse of `rotation_from_angles`. Pitch is within ±π/2; at ±π/2 yaw and roll are not
    unique.
    """
    R = np.asarray(R, float)
    yaw = np.arctan2(R[..., 0, 2], R[..., 2, 2])
    pitch = np.arcsin(np.clip(-R[..., 1, 2], -1, 1))
    roll = np.arctan2(R[..., 1, 0], R[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)
