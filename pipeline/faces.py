"""Geometry of the 68 landmarks: groups, camera, head pose, similarity, and what a mouth does.

Coordinates are those of `pipeline.formats`: `x = K (R X + t)` with column vectors, X in face
heights in the head's frame (x to the image's right, y down, z away from the camera), the principal
point at size / 2. Every function takes leading batch axes, written as `…`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.mean_face import MEAN_FACE as _MEAN_FACE
from pipeline.mean_face import MEAN_OVAL as _MEAN_OVAL

Floats = NDArray[np.float64]

NASION, CHIN = 27, 8
# Landmarks that neither lips, jaw, lids nor brows move: the head's pose is fitted to these.
RIGID = (0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45)
# Which landmark takes the place of each when the image is mirrored.
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)
_CONVERGED = 1e-9  # a pose's last step, radians and face heights
MEAN_FACE: Floats = np.array(_MEAN_FACE)  # (68, 3), face heights
MEAN_OVAL: Floats = np.array(_MEAN_OVAL)  # (36, 3), clockwise in the image from the forehead
MEAN_FACE.setflags(write=False)
MEAN_OVAL.setflags(write=False)


@dataclass(frozen=True)
class Line:
    """Consecutive landmarks that belong together; a closed line returns to its first."""

    points: tuple[int, ...]
    closed: bool


# The semantic groups of the 68 landmarks (dlib's order), each as lines to draw.
GROUPS: dict[str, tuple[Line, ...]] = {
    "contour": (Line(tuple(range(17)), closed=False),),
    "brows": (
        Line(tuple(range(17, 22)), closed=False),
        Line(tuple(range(22, 27)), closed=False),
    ),
    "nose": (
        Line(tuple(range(27, 31)), closed=False),
        Line(tuple(range(31, 36)), closed=False),
    ),
    "eyes": (
        Line(tuple(range(36, 42)), closed=True),
        Line(tuple(range(42, 48)), closed=True),
    ),
    "outer_lips": (Line(tuple(range(48, 60)), closed=True),),
    "inner_lips": (Line(tuple(range(60, 68)), closed=True),),
}


# Camera


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
    """Pose points of the head's frame, (…, N, 3), in the camera's frame: R X + t."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    posed: Floats = np.asarray(head, float) @ np.swapaxes(R, -1, -2) + t[..., None, :]
    return posed


def to_head(camera: ArrayLike, R: ArrayLike, t: ArrayLike) -> Floats:
    """Take points of the camera's frame, (…, N, 3), back to the head's frame: Rᵀ (X - t)."""
    moved = np.asarray(camera, float) - np.asarray(t, float)[..., None, :]
    posed: Floats = moved @ np.asarray(R, float)
    return posed


def unproject(points: ArrayLike, depth: ArrayLike, focal: ArrayLike, size: int) -> Floats:
    """Lift pixels to the camera's frame.

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


# Head pose


def fit_pose(
    points: ArrayLike,
    model: ArrayLike,
    focal: ArrayLike,
    size: int,
    landmarks: tuple[int, ...] = RIGID,
    steps: int = 20,
) -> tuple[Floats, Floats]:
    """Fit the pose that puts a rigid model onto landmarks, least squares in pixels.

    Args:
        points: landmarks, (…, 68, 2), pixels; NaN gives a NaN pose.
        model: the face, (68, 3) or (…, 68, 3), face heights.
        focal: focal length, scalar or (…), pixels.
        size: width and height of the image, pixels.
        landmarks: which of the 68 count.
        steps: Levenberg-Marquardt steps at most, after the start by scaled orthography.

    Returns:
        R, (…, 3, 3), and t, (…, 3), face heights.
    """
    chosen = list(landmarks)
    seen = np.asarray(points, float)[..., chosen, :] - size / 2
    batch = seen.shape[:-2]
    X = np.broadcast_to(np.asarray(model, float)[..., chosen, :], (*batch, len(chosen), 3))
    f = np.broadcast_to(np.asarray(focal, float), batch).reshape(-1)
    seen, X = seen.reshape(-1, len(chosen), 2), X.reshape(-1, len(chosen), 3)
    bad = np.asarray(~np.isfinite(seen).all((1, 2)))
    seen = np.where(bad[:, None, None], f[:, None, None] * X[..., :2] / 4.0, seen)
    R, t = _orthographic_pose(seen, X, f)
    R, t = _refine_pose(R, t, seen, X, f, steps)
    R[bad], t[bad] = np.nan, np.nan
    return R.reshape(*batch, 3, 3), t.reshape(*batch, 3)


def _orthographic_pose(seen: Floats, X: Floats, f: Floats) -> tuple[Floats, Floats]:
    """Fit scale, rotation and shift without perspective."""
    middle, centre = X.mean(1), seen.mean(1)
    affine = np.swapaxes(np.linalg.pinv(X - middle[:, None]) @ (seen - centre[:, None]), 1, 2)
    U, w, Vt = np.linalg.svd(affine, full_matrices=False)
    rows = U @ Vt
    R = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    depth = f / w.mean(1)
    t = np.concatenate([centre * (depth / f)[:, None], depth[:, None]], axis=1)
    return R, t - np.einsum("nij,nj->ni", R, middle)


def _refine_pose(
    R: Floats, t: Floats, seen: Floats, X: Floats, f: Floats, steps: int
) -> tuple[Floats, Floats]:
    """Minimise the squared pixel distances by Levenberg-Marquardt, every frame on its own."""
    damping = np.full(len(R), 1e-3)
    posed, residual = _residual(R, t, seen, X, f)
    error = (residual**2).sum((1, 2))
    for _ in range(steps):
        J = _jacobian(posed, t, f)
        Jt = np.swapaxes(J, 1, 2)
        A, b = Jt @ J, Jt @ residual.reshape(len(R), -1, 1)
        diagonal = np.einsum("nii->ni", A) * damping[:, None] + 1e-12
        step = np.linalg.solve(A + diagonal[:, None] * np.eye(6), b)[..., 0]
        if np.abs(step).max(initial=0.0) < _CONVERGED:
            break
        R_new, t_new = exponential(step[:, :3]) @ R, t + step[:, 3:]
        posed_new, residual_new = _residual(R_new, t_new, seen, X, f)
        error_new = (residual_new**2).sum((1, 2))
        better = (error_new < error) & (posed_new[..., 2] > 0).all(1)
        damping = np.where(better, damping / 5, damping * 5)
        error = np.where(better, error_new, error)
        R = np.where(better[:, None, None], R_new, R)
        t = np.where(better[:, None], t_new, t)
        posed = np.where(better[:, None, None], posed_new, posed)
        residual = np.where(better[:, None, None], residual_new, residual)
    return R, t


def _residual(R: Floats, t: Floats, seen: Floats, X: Floats, f: Floats) -> tuple[Floats, Floats]:
    posed = to_camera(X, R, t)
    return posed, seen - f[:, None, None] * posed[..., :2] / posed[..., 2:]


def _jacobian(posed: Floats, t: Floats, f: Floats) -> Floats:
    """Derive the pixels by a rotation before the shift and by the shift, (n, 2N, 6)."""
    x, y, z = np.moveaxis(posed, -1, 0)
    qx, qy, qz = np.moveaxis(posed - t[:, None], -1, 0)
    by_x = f[:, None] / z  # of the pixel's column, as of its row by y
    u_by_z, v_by_z = -by_x * x / z, -by_x * y / z
    zero = np.zeros_like(z)
    u = (u_by_z * qy, by_x * qz - u_by_z * qx, -by_x * qy, by_x, zero, u_by_z)
    v = (v_by_z * qy - by_x * qz, -v_by_z * qx, by_x * qx, zero, by_x, v_by_z)
    return np.stack([*u, *v], axis=-1).reshape(len(z), -1, 6)


def reprojection(
    points: ArrayLike, model: ArrayLike, R: ArrayLike, t: ArrayLike, focal: ArrayLike, size: int
) -> Floats:
    """Measure the RMS distance of the posed model's rigid landmarks to those seen, (…), pixels."""
    rigid = list(RIGID)
    posed = project(np.asarray(model, float)[..., rigid, :], R, t, focal, size)
    apart = posed - np.asarray(points, float)[..., rigid, :]
    rms: Floats = np.sqrt((apart**2).sum(-1).mean(-1))
    return rms


# Rotations


def cross_matrix(v: ArrayLike) -> Floats:
    """Return the matrix, (…, 3, 3), that takes u to v × u."""
    v = np.asarray(v, float)
    M = np.zeros((*v.shape, 3))
    M[..., 0, 1], M[..., 0, 2] = -v[..., 2], v[..., 1]
    M[..., 1, 0], M[..., 1, 2] = v[..., 2], -v[..., 0]
    M[..., 2, 0], M[..., 2, 1] = -v[..., 1], v[..., 0]
    return M


def exponential(v: ArrayLike) -> Floats:
    """Turn rotation vectors, (…, 3), radians, into matrices, (…, 3, 3) (Rodrigues)."""
    v = np.asarray(v, float)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    K = cross_matrix(v)
    safe = np.where(angle < 1e-8, 1.0, angle)
    first = np.where(angle < 1e-8, 1.0, np.sin(safe) / safe)
    second = np.where(angle < 1e-8, 0.5, (1 - np.cos(safe)) / safe**2)
    turned: Floats = np.eye(3) + first * K + second * (K @ K)
    return turned


def rotation_from_angles(angles: ArrayLike) -> Floats:
    """Build R = Ry(yaw) Rx(pitch) Rz(roll), (…, 3, 3), from (yaw, pitch, roll), (…, 3), radians.

    About the camera's axes (x right, y down, z away): yaw > 0 turns the nose to the image's left,
    pitch > 0 lowers it, roll > 0 leans the head clockwise in the image.
    """
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, float), -1, 0)
    zero = np.zeros_like(yaw)
    Ry = exponential(np.stack([zero, yaw, zero], axis=-1))
    Rx = exponential(np.stack([pitch, zero, zero], axis=-1))
    Rz = exponential(np.stack([zero, zero, roll], axis=-1))
    return Ry @ Rx @ Rz


def angles_from_rotation(R: ArrayLike) -> Floats:
    """Return (yaw, pitch, roll), (…, 3), radians; the inverse of `rotation_from_angles`.

    Pitch lies within ±π/2, where the two others are undefined at its ends.
    """
    R = np.asarray(R, float)
    yaw = np.arctan2(R[..., 0, 2], R[..., 2, 2])
    pitch = np.arcsin(np.clip(-R[..., 1, 2], -1, 1))
    roll = np.arctan2(R[..., 1, 0], R[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)


def row_vector_rotation(R: ArrayLike) -> Floats:
    """Return the rotation of the style mapping's row vectors: c R̄ with R̄ = Rᵀ.

    Equations (1) and (2) write points as rows; everything else here writes columns.
    """
    return np.swapaxes(np.asarray(R, float), -1, -2)


# Similarity


def fit_similarity(source: ArrayLike, target: ArrayLike) -> Floats:
    """Fit scale, rotation and shift that take source to target, least squares (Umeyama).

    Args:
        source: points, (…, N, 2).
        target: where they shall lie, (…, N, 2).

    Returns:
        Transforms [sR | t], (…, 2, 3), never a mirror.
    """
    src, dst = np.asarray(source, float), np.asarray(target, float)
    ms, md = src.mean(-2, keepdims=True), dst.mean(-2, keepdims=True)
    s, d = src - ms, dst - md
    norm = (s**2).sum((-1, -2))
    a = (s * d).sum((-1, -2)) / norm
    b = (s[..., 0] * d[..., 1] - s[..., 1] * d[..., 0]).sum(-1) / norm
    sR = np.stack([np.stack([a, -b], axis=-1), np.stack([b, a], axis=-1)], axis=-2)
    shift = np.swapaxes(md, -1, -2) - sR @ np.swapaxes(ms, -1, -2)
    return np.concatenate([sR, shift], axis=-1)


def apply_similarity(transform: ArrayLike, points: ArrayLike) -> Floats:
    """Move points, (…, N, 2), by transforms [sR | t], (…, 2, 3)."""
    A = np.asarray(transform, float)
    turned: Floats = np.asarray(points, float) @ np.swapaxes(A[..., :2], -1, -2)
    moved: Floats = turned + A[..., None, :, 2]
    return moved


# What a face does; ours, in face heights


def face_height(points: ArrayLike) -> Floats:
    """Return the unit of length, (…): 1 for heads (…, 68, 3), else nasion to chin in the image."""
    p = np.asarray(points, float)
    if p.shape[-1] == 3:
        return np.ones(p.shape[:-2])
    return _length(p, NASION, CHIN)


def _length(p: Floats, i: int, j: int) -> Floats:
    length: Floats = np.linalg.norm(p[..., i, :] - p[..., j, :], axis=-1)
    return length


def mouth_opening(points: ArrayLike) -> Floats:
    """Measure the gap between the inner lips, (…), of heads (…, 68, 3) or landmarks (…, 68, 2)."""
    p = np.asarray(points, float)
    gap = sum(_length(p, i, j) for i, j in ((61, 67), (62, 66), (63, 65)))
    return np.asarray(gap / 3 / face_height(p))


def mouth_width(points: ArrayLike) -> Floats:
    """Measure the distance of the mouth's corners, (…)."""
    p = np.asarray(points, float)
    return _length(p, 48, 54) / face_height(p)


def lip_press(points: ArrayLike) -> Floats:
    """Measure how thin the lips are, (…): minus their mean thickness, so that pressed is high."""
    p = np.asarray(points, float)
    pairs = ((50, 61), (51, 62), (52, 63), (56, 65), (57, 66), (58, 67))
    thick = sum(_length(p, i, j) for i, j in pairs)
    return np.asarray(-thick / len(pairs) / face_height(p))


def protrusion(head: ArrayLike) -> Floats:
    """Measure how far the middle of the lips stands before the nose's base, (…), of heads."""
    z = np.asarray(head, float)[..., 2]
    lips: Floats = z[..., [50, 51, 52, 56, 57, 58]].mean(-1)
    return z[..., 33] - lips


def mouth_area(points: ArrayLike) -> Floats:
    """Measure the area inside the inner lips, (…), in face heights squared, seen from the front."""
    p = np.asarray(points, float)
    x, y = np.moveaxis(p[..., 60:68, :2], -1, 0)
    doubled = (x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(-1)
    return np.asarray(np.abs(doubled) / 2 / face_height(p) ** 2)


def eye_opening(points: ArrayLike) -> Floats:
    """Measure lid distance over lid width, (…, 2), the image's left eye first."""
    p = np.asarray(points, float)
    eyes = []
    for a in (36, 42):
        lids = (_length(p, a + 1, a + 5) + _length(p, a + 2, a + 4)) / 2
        eyes.append(lids / _length(p, a, a + 3))
    return np.stack(eyes, axis=-1)


def brow_height(points: ArrayLike) -> Floats:
    """Measure how high the brows stand above the corners of the eyes, (…), along chin to nasion."""
    p = np.asarray(points, float)
    up = (p[..., NASION, :] - p[..., CHIN, :]) / _length(p, NASION, CHIN)[..., None]
    raised = p[..., 17:27, :].mean(-2) - p[..., [36, 39, 42, 45], :].mean(-2)
    return np.asarray((raised * up).sum(-1) / face_height(p))


def keep_lips_apart(head: Floats) -> Floats:
    """Put inner lips that have crossed onto their middle; heads are (N, 68, 3)."""
    out = head.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        crossed = out[:, lower, 1] < out[:, upper, 1]
        middle = (out[crossed, upper] + out[crossed, lower]) / 2
        out[crossed, upper] = out[crossed, lower] = middle
    return out


def most_closed(heads: ArrayLike, share: float) -> Floats:
    """Average the share of heads, (N, 68, 3), whose mouths are open the least, (68, 3)."""
    opening = mouth_opening(heads)
    mean: Floats = np.asarray(heads)[opening <= np.quantile(opening, share)].mean(0)
    return mean
