"""THEval (Quignon et al., CVPR 2026 Findings): four of its eight measures of talking-head videos.

    measured = measure_theval(videos)                 # raw values, as its scripts print
    scores = score_theval(real_videos, videos)        # its normalised scores: 1 is best

Lip Dynamics, Eyebrow Dynamics, Silent Lip Stability and Lip-Sync need MediaPipe's face mesh and
silero-vad alone; the other four need networks that no registry package carries, and so there is no
final score. Defined as in the authors' release (github.com/Newbyl/THEval, commit 3603338), from
which their table of results comes; written anew. In three places the paper is reported to differ:
eyebrows by the standard deviation of a vertical distance, silent lips about the median, and
deviations over N - 1 frames. As in the release, a value is the mean over videos.

Different from the release: the mesh is detected once, with attention, in frames of 256 px (theirs
are of full size for eyebrows and Lip-Sync, and for the latter without attention and with red and
blue swapped), and the sound of both videos is in sync with the true lips.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache

import numpy as np
from scipy.ndimage import label
from scipy.spatial.distance import pdist

from stages.base.arrays import Floats, Mask

MESH = 478  # vertices of MediaPipe's face mesh with irises
SIZE = 256  # px, of the frames that distances refer to

_NAN = float("nan")
_UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310)  # inner lips, in pairs with the lower
_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318)
_OUTER_CORNERS = (33, 263)
_EYE_CORNERS = ((33, 133), (362, 263))
_SIDES = ("left", "right")
_SHORTEST_SILENCE_S = 0.3
_LEAST_SPEECH = 0.1  # share of a video's frames that Lip-Sync needs
_EPSILON = 1e-8  # added to the range of a curve


@dataclass(frozen=True)
class FaceVideo:
    """Face and sound of one video, N frames.

    Attributes:
        fps: frames per second.
        mesh: the vertices' x and y in a frame of 256 × 256 px, (N, 478, 2); NaN without a face.
        volume: RMS of the sound, (N,).
        speaking: frames with speech, (N,).
    """

    fps: float
    mesh: Floats
    volume: Floats
    speaking: Mask


@dataclass(frozen=True)
class THEval:
    """THEval's measures, raw or as scores; NaN where there is nothing to measure.

    Attributes:
        lip_dynamics: mean over all pairs of 40 lip vertices of the standard deviation of their
            distance, px.
        eyebrow_dynamics: mean change, from frame to frame, of the distance from brow to eye, in
            distances of the eyes.
        silent_lip_stability: median distance of the lips' opening from its mean, in silences of
            0.3 s and more, in distances of the eyes' outer corners.
        lip_sync: mean difference of opening and volume while speaking, each scaled to 0…1.
    """

    lip_dynamics: float
    eyebrow_dynamics: float
    silent_lip_stability: float
    lip_sync: float


def score_theval(real: Sequence[FaceVideo], generated: Sequence[FaceVideo]) -> THEval:
    """Score videos against real ones: 1 − |measured − real| / |real| of each measure (eq. 12).

    Returns:
        1 where both measure the same, down to −∞; NaN where the real value is 0.
    """
    true, own = (np.array(astuple(measure_theval(videos))) for videos in (real, generated))
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(true == 0, _NAN, 1 - np.abs(own - true) / np.abs(true))
    return THEval(*scores.tolist())


def measure_theval(videos: Sequence[FaceVideo]) -> THEval:
    """Measure each video and return the means over those that have a value."""
    values = [astuple(_measure(video)) for video in videos]
    columns = np.array(values, float).reshape(-1, len(fields(THEval))).T
    known = [column[np.isfinite(column)] for column in columns]
    return THEval(*(float(column.mean()) if len(column) else _NAN for column in known))


def _measure(video: FaceVideo) -> THEval:
    return THEval(
        lip_dynamics(video), eyebrow_dynamics(video), silent_lip_stability(video), lip_sync(video)
    )


def lip_dynamics(video: FaceVideo) -> float:
    """Return Lip Dynamics, px of a frame of 256 px."""
    lips = _known(video.mesh)[:, list(_vertices()["lips"])]
    if not len(lips):
        return _NAN
    return float(np.std([pdist(points) for points in lips], axis=0).mean())


def eyebrow_dynamics(video: FaceVideo) -> float:
    """Return Eyebrow Dynamics, in distances of the eyes' centres.

    A frame without a face is left out: the frames around it count as neighbours.
    """
    mesh, group = _known(video.mesh), _vertices()
    if len(mesh) < 2:
        return _NAN
    brows, eyes = (
        np.stack([mesh[:, list(group[f"{side}_{name}"])].mean(axis=1) for side in _SIDES])
        for name in ("eyebrow", "eye")
    )  # (2, N, 2)
    apart = np.linalg.norm(eyes[0] - eyes[1], axis=-1)
    height = np.linalg.norm(brows - eyes, axis=-1) / apart
    return float(np.abs(np.diff(height, axis=1)).mean())


def silent_lip_stability(video: FaceVideo) -> float:
    """Return Silent Lip Stability, in distances of the eyes' outer corners."""
    mesh = _known(video.mesh[_long_runs(~video.speaking, _SHORTEST_SILENCE_S * video.fps)])
    if len(mesh) < 2:
        return _NAN
    left, right = (mesh[:, corner] for corner in _OUTER_CORNERS)
    gaps = np.abs(mesh[:, list(_UPPER_LIP), 1] - mesh[:, list(_LOWER_LIP), 1]).mean(axis=1)
    opening = gaps / np.linalg.norm(left - right, axis=-1)
    return float(np.median(np.abs(opening - opening.mean())))


def lip_sync(video: FaceVideo) -> float:
    """Return Lip-Sync: 0 where the opening is as large as the volume, up to 1."""
    used = video.speaking & np.isfinite(video.mesh).all(axis=(1, 2))
    if video.speaking.mean() < _LEAST_SPEECH or used.sum() < 2:
        return _NAN
    mesh = video.mesh[used]
    upper, lower = (mesh[:, list(lip), 1].mean(axis=1) for lip in (_UPPER_LIP, _LOWER_LIP))
    left, right = (mesh[:, list(corners), 0].mean(axis=1) for corners in _EYE_CORNERS)
    opening = np.abs(upper - lower) / np.abs(right - left)
    return float(np.abs(_scaled(opening) - _scaled(video.volume[used])).mean())


def _scaled(curve: Floats) -> Floats:
    return np.asarray((curve - curve.min()) / (np.ptp(curve) + _EPSILON))


def _known(mesh: Floats) -> Floats:
    """Return the meshes of frames with a face, (M, 478, 2)."""
    return np.asarray(mesh[np.isfinite(mesh).all(axis=(1, 2))])


def _long_runs(mask: Mask, least: float) -> Mask:
    """Keep the runs of a mask that are at least so many frames long."""
    numbers, _ = label(mask)
    return np.asarray(mask & (np.bincount(numbers)[numbers] >= least))


@cache
def _vertices() -> dict[str, tuple[int, ...]]:
    """Return the vertices of MediaPipe's own groups: 40 of lips, 10 of a brow, 16 of an eye."""
    from mediapipe.python.solutions import face_mesh_connections as groups

    named = {
        "lips": groups.FACEMESH_LIPS,
        "left_eyebrow": groups.FACEMESH_LEFT_EYEBROW,
        "right_eyebrow": groups.FACEMESH_RIGHT_EYEBROW,
        "left_eye": groups.FACEMESH_LEFT_EYE,
        "right_eye": groups.FACEMESH_RIGHT_EYE,
    }
    return {
        name: tuple(sorted({vertex for edge in edges for vertex in edge}))
        for name, edges in named.items()
    }
