"""One camera a clip and one pose a frame, from landmarks: x = K (R X + t).

The rigid landmarks of a mean face are fitted to those seen; the mean face is then made the
person's own (the mean of the clip's faces) and fitted again. From talking heads the focal length
can hardly be told (measured on two clips of 16 s: between 1.2 and 12 times the picture's width the
reprojection error changes by less than 1 %), so that a clip that does not show it gets the one
that puts its head at a usual distance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.base.face import head_pose, landmark_groups, mean_face, projection
from stages.base.face.arrays import Floats

_DISTANCES = (2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
_SAMPLES = 100  # frames that the focal length is searched on
_GAIN = 0.97  # a focal length must lower the error to this to be taken for seen
_ENOUGH = 10  # frames that make a person's own mean face
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
    """What a clip's frames share: the focal length, their size, and the person's own mean face."""

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
        distance: of the head, where the clip does not tell, face heights.
        train: frames that the camera and the person's mean face may come from, (N,).
        window: frames of the filter that takes the jitter out of the poses; 0 or 1 for none.

    Returns:
        The poses; `project(head, rotation, translation, focal, size)` is `points` exactly, after
        the filter, which moves all landmarks of a frame as one rigid head.
    """
    usable = samples(train & np.isfinite(points).all((1, 2)))
    camera = camera_of(points[usable], depth[usable], size, distance)
    R, t = head_pose.fit_pose(points, camera.model, camera.focal, size)
    return place(points, depth, camera, (R, t), steady(R, t, window))


def samples(usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose the frames that a clip's camera is found on: those usable, or 1000, evenly spread."""
    found = np.flatnonzero(usable)
    some: NDArray[np.int64] = np.linspace(0, len(found) - 1, min(_MOST, len(found))).astype(int)
    return np.asarray(found[some])


def camera_of(points: Floats, depth: Floats, size: int, distance: float) -> Camera:
    """Find the camera and the person's mean face in landmarks, (N, 68, 2), and depth, (N, 68)."""
    some = np.linspace(0, len(points) - 1, min(_SAMPLES, len(points))).astype(int)
    focal = _focal(points[some], depth[some], size, distance)
    return Camera(focal, size, _own_face(points, depth, focal, size))


def place(
    points: Floats,
    depth: Floats,
    camera: Camera,
    seen: tuple[Floats, Floats],
    kept: tuple[Floats, Floats],
) -> Poses:
    """Put frames' landmarks where their filtered poses have them.

    Args:
        points: landmarks, (N, 68, 2), pixels.
        depth: their depth in pixels, (N, 68), NaN where unknown.
        camera: of the clip.
        seen: R, (N, 3, 3), and t, (N, 3), as fitted to each frame.
        kept: the same after the filter.
    """
    focal, size, model = camera.focal, camera.size, camera.model
    error = projection.reprojection_error(points, model, *seen, focal, size)
    head = lift(points, depth, model, *seen, focal, size)
    R, t = (values.astype(np.float32).astype(float) for values in kept)
    return Poses(focal, size, R, t, head, projection.project(head, R, t, focal, size), error)


def _focal(points: Floats, depth: Floats, size: int, distance: float) -> float:
    """Find the focal length with the least reprojection error, or the one for `distance`."""
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
    seen = errors[best] < _GAIN * errors[distance]
    return float(np.float32(scale * (best if seen else distance)))


def _pixels_per_face(points: Floats, size: int) -> float:
    """Measure the median size of a face height in the picture."""
    far = 1000.0 * size
    _, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, far, size)
    return float(np.median(far / t[:, 2]))


def _own_face(points: Floats, depth: Floats, focal: float, size: int) -> Floats:
    """Average the faces seen, in the pose and scale of the mean face of all people."""
    model = mean_face.MEAN_FACE
    if len(points) < _ENOUGH:
        return model
    for _ in range(2):
        R, t = head_pose.fit_pose(points, model, focal, size)
        model = _aligned(lift(points, depth, model, R, t, focal, size).mean(0))
    return model


def _aligned(face: Floats) -> Floats:
    """Lay a face onto the mean face by its rigid landmarks: scale, rotation, shift (Umeyama)."""
    rigid = list(landmark_groups.RIGID)
    source, target = face[rigid], mean_face.MEAN_FACE[rigid]
    ms, mt = source.mean(0), target.mean(0)
    U, w, Vt = np.linalg.svd((target - mt).T @ (source - ms))
    sign = np.array([1, 1, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    scale = (w * sign).sum() / ((source - ms) ** 2).sum()
    laid: Floats = scale * (face - ms) @ R.T + mt
    return laid


def lift(
    points: Floats, depth: Floats, model: Floats, R: Floats, t: Floats, focal: float, size: int
) -> Floats:
    """Give landmarks their depth and take them to the head's frame, (N, 68, 3).

    Depth in pixels counts from the mean of the rigid landmarks of the posed model; where it is
    unknown, the posed model's own depth stands.
    """
    posed = projection.to_camera(model, R, t)[..., 2]
    rigid = list(landmark_groups.RIGID)
    own = depth * (t[:, 2] / focal)[:, None]
    own = own - own[:, rigid].mean(1, keepdims=True) + posed[:, rigid].mean(1, keepdims=True)
    z = np.where(np.isfinite(own), own, posed)
    return projection.to_head(projection.unproject(points, z, focal, size), R, t)


def steady(R: Floats, t: Floats, window: int) -> tuple[Floats, Floats]:
    """Filter poses by a quadratic Savitzky-Golay filter, which has no lag, between gaps."""
    width = window | 1
    R, t = R.copy(), t.copy()
    for run in runs(np.asarray(np.isfinite(t).all(1))):
        if width < 5 or run.stop - run.start < width:
            continue
        U, _, Vt = np.linalg.svd(_smooth(R[run], width))
        R[run] = U @ Vt
        t[run] = _smooth(t[run], width)
    return R, t


def _smooth(values: Floats, width: int) -> Floats:
    """Apply the quadratic Savitzky-Golay filter of an odd width along the first axis.

    As scipy.signal.savgol_filter (mode "interp"), whose import takes seconds in every worker.
    """
    powers = np.vander(np.arange(width) - width // 2, 3).astype(float)
    fitted = powers @ np.linalg.pinv(powers)  # (width, width): a window to its parabola
    rows = values.reshape(len(values), -1)
    half = width // 2
    smooth = np.empty_like(rows)
    smooth[:half] = fitted[:half] @ rows[:width]
    smooth[-half:] = fitted[-half:] @ rows[-width:]
    smooth[half:-half] = sum(
        weight * rows[i : len(rows) - width + 1 + i] for i, weight in enumerate(fitted[half])
    )
    return smooth.reshape(values.shape)


def runs(flags: NDArray[np.bool_]) -> list[slice]:
    """List the stretches of consecutive True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
