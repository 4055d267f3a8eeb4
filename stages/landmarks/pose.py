"""One camera per clip and one pose per frame, from landmarks: x = K (R X + t).

The rigid landmarks of a mean face are fitted to the detected ones; then the mean face is replaced
by the person's own (the mean of the clip's faces) and fitted again. Talking heads hardly determine
the focal length (on two clips of 16 s the reprojection error changes by less than 1 % between 1.2
and 12 times the image's width): where it is not determined, it is set such that the head is at the
usual distance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from stages.base.arrays import Floats
from stages.base.face import head_pose, landmark_groups, mean_face, projection

_DISTANCES = (2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
_FOCAL_FRAMES = 100  # frames that the focal length is searched on
_DETERMINED = 0.97  # share of the error at the usual distance that determines a focal length
_FEWEST = 10  # frames for a person's own mean face
_MOST = 1000  # frames that it is the mean of; more only take time and memory


@dataclass(frozen=True)
class Poses:
    """Camera and poses of a clip; rows without a face are NaN."""

    focal: float
    size: int
    rotation: Floats
    translation: Floats
    head: Floats
    points: Floats
    reprojection: Floats


@dataclass(frozen=True)
class Camera:
    """Focal length and size of a clip's frames, px, and the person's own mean face, (68, 3)."""

    focal: float
    size: int
    model: Floats


def fit(
    points: Floats,
    depth: Floats,
    size: int,
    distance: float,
    train: NDArray[np.bool_],
    window: int,
) -> Poses:
    """Fit camera and poses to a clip's landmarks.

    Args:
        points: landmarks, (N, 68, 2), pixels, NaN where there is no face.
        depth: their depth in pixels, (N, 68), NaN where unknown.
        size: width and height of the frames, pixels.
        distance: of the head, where landmarks do not determine it, face heights.
        train: mask of the frames that camera and mean face are fitted on, (N,).
        window: length of the filter of the poses in frames; 0 or 1 for none.

    Returns:
        The poses; `project(head, rotation, translation, focal, size)` equals the filtered `points`
        exactly. The filter moves all landmarks of a frame as one rigid head.
    """
    usable = camera_frames(train & np.isfinite(points).all((1, 2)))
    camera = fit_camera(points[usable], depth[usable], size, distance)
    R, t = head_pose.fit_pose(points, camera.model, camera.focal, size)
    return place(points, depth, camera, (R, t), smooth_poses(R, t, window))


def camera_frames(usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose the frames that a clip's camera is fitted on: all usable, or 1000 evenly spread."""
    frames = np.flatnonzero(usable)
    chosen = np.linspace(0, len(frames) - 1, min(_MOST, len(frames))).astype(int)
    return np.asarray(frames[chosen])


def fit_camera(points: Floats, depth: Floats, size: int, distance: float) -> Camera:
    """Fit the camera and the person's mean face to landmarks, (N, 68, 2), and depth, (N, 68).

    Arguments as in `fit`.
    """
    some = np.linspace(0, len(points) - 1, min(_FOCAL_FRAMES, len(points))).astype(int)
    focal = _focal(points[some], depth[some], size, distance)
    return Camera(focal, size, _own_face(points, depth, focal, size))


def place(
    points: Floats,
    depth: Floats,
    camera: Camera,
    fitted: tuple[Floats, Floats],
    filtered: tuple[Floats, Floats],
) -> Poses:
    """Move the landmarks of frames from their fitted to their filtered poses.

    Args:
        points: landmarks, (N, 68, 2), pixels.
        depth: their depth in pixels, (N, 68), NaN where unknown.
        camera: of the clip.
        fitted: R, (N, 3, 3), and t, (N, 3), of each frame.
        filtered: the same after the filter.
    """
    focal, size, model = camera.focal, camera.size, camera.model
    error = projection.reprojection_error(points, model, *fitted, focal, size)
    head = lift(points, depth, model, *fitted, focal, size)
    R, t = (values.astype(np.float32).astype(float) for values in filtered)
    return Poses(focal, size, R, t, head, projection.project(head, R, t, focal, size), error)


def _focal(points: Floats, depth: Floats, size: int, distance: float) -> float:
    """Return the focal length of the least reprojection error, or that of `distance`."""
    if not len(points):
        return float(np.float32(2.5 * size))
    scale = _pixels_per_face(points, size)
    errors = {}
    for tried in dict.fromkeys((distance, *_DISTANCES)):
        focal = tried * scale
        model = _own_face(points, depth, focal, size)
        R, t = head_pose.fit_pose(points, model, focal, size)
        errors[tried] = float(
            np.median(projection.reprojection_error(points, model, R, t, focal, size))
        )
    best = min(errors, key=lambda tried: errors[tried])
    determined = errors[best] < _DETERMINED * errors[distance]
    return float(np.float32(scale * (best if determined else distance)))


def _pixels_per_face(points: Floats, size: int) -> float:
    """Return the median size of a face height in the image."""
    far = 1000.0 * size
    _, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, far, size)
    return float(np.median(far / t[:, 2]))


def _own_face(points: Floats, depth: Floats, focal: float, size: int) -> Floats:
    """Average the detected faces, in the pose and scale of the mean face of all people."""
    model = mean_face.MEAN_FACE
    if len(points) < _FEWEST:
        return model
    for _ in range(2):
        R, t = head_pose.fit_pose(points, model, focal, size)
        model = _aligned(lift(points, depth, model, R, t, focal, size).mean(0))
    return model


def _aligned(face: Floats) -> Floats:
    """Align a face with the mean face by its rigid landmarks: scale, rotation, shift (Umeyama)."""
    rigid = list(landmark_groups.RIGID)
    source, target = face[rigid], mean_face.MEAN_FACE[rigid]
    ms, mt = source.mean(0), target.mean(0)
    U, w, Vt = np.linalg.svd((target - mt).T @ (source - ms))
    sign = np.array([1, 1, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    scale = (w * sign).sum() / ((source - ms) ** 2).sum()
    return np.asarray(scale * (face - ms) @ R.T + mt)


def lift(
    points: Floats, depth: Floats, model: Floats, R: Floats, t: Floats, focal: float, size: int
) -> Floats:
    """Lift landmarks to three dimensions, in the head's coordinates, (N, 68, 3), face heights.

    Args:
        points: landmarks, (N, 68, 2), pixels.
        depth: their depth in pixels, (N, 68), NaN where unknown.
        model: the face, (68, 3), face heights.
        R: rotations, (N, 3, 3).
        t: translations, (N, 3), face heights.
        focal: focal length, pixels.
        size: width and height of the frames, pixels.

    Depth in pixels is relative to the mean of the posed model's rigid landmarks; where it is
    unknown, the posed model's depth is used.
    """
    posed = projection.to_camera(model, R, t)[..., 2]
    rigid = list(landmark_groups.RIGID)
    own = depth * (t[:, 2] / focal)[:, None]
    own = own - own[:, rigid].mean(1, keepdims=True) + posed[:, rigid].mean(1, keepdims=True)
    z = np.where(np.isfinite(own), own, posed)
    return projection.to_head(projection.unproject(points, z, focal, size), R, t)


def smooth_poses(R: Floats, t: Floats, window: int) -> tuple[Floats, Floats]:
    """Smooth R, (N, 3, 3), and t, (N, 3), between gaps by a quadratic Savitzky-Golay filter."""
    width = window | 1
    R, t = R.copy(), t.copy()
    for run in runs(np.asarray(np.isfinite(t).all(1))):
        if width < 5 or run.stop - run.start < width:
            continue
        U, _, Vt = np.linalg.svd(savgol_filter(R[run], width, polyorder=2, axis=0))
        R[run] = U @ Vt
        t[run] = savgol_filter(t[run], width, polyorder=2, axis=0)
    return R, t


def runs(flags: NDArray[np.bool_]) -> list[slice]:
    """Return a slice for each run of consecutive True in a mask, (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
