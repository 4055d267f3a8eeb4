"""Scores of ISPs: identity of the neutral image, pose and expression of the reference.

The landmark backend detects the faces in the neutral image, the references and the ISPs, all at the
size of an ISP and enlarged to 256 px. Poses are fitted to one mean face, 8 face heights from the
camera, so that a pose error compares two fits of the same kind. On the sample, whose heads turn by
4 to 6°, MediaPipe measures 0.8 of the turn: the angle between two heads is 2° off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.face import head_pose, mean_face
from stages.base.io.image_io import Image, resize, square
from stages.base.training import face_identity, pretrained
from stages.landmarks import backend, pose
from stages.style_mapping.artifacts import SCORE_NAMES

BACKEND = "mediapipe"
REST = "M"  # closed lips, as in a neutral image; the template None is the mean of speech
_SIZE = 256  # px; the mesh network needs a face of more than a hundred pixels
_DISTANCE = 8.0  # of every head from the camera, face heights
_ORTHOGRAPHIC = 1000.0  # focal length in image sizes, practically without perspective
# Brows and lids move by 0.005 face heights, the landmark error at the size of an ISP; lips by 0.02.
_LIPS = list(range(48, 68))

Scores = dict[str, Floats]


@dataclass(frozen=True)
class Face:
    """Measurements of one picture; NaN without a face.

    Attributes:
        rotation: R of x = K (R X + t), (3, 3).
        lips: frontal view, (20, 2), face heights.
        descriptor: dlib's, (128,).
    """

    rotation: Floats
    lips: Floats
    descriptor: Floats


def measure_face(image: Image, size: int) -> Face:
    """Measure the face in the central square of an RGB picture, scaled to `size` before."""
    picture = resize(square(image, size), max(size, _SIZE))
    finder = backend.open_backend(BACKEND)  # a new one: it tracks faces from picture to picture
    face = finder(picture)
    finder.close()
    if face is None:
        return Face(*(np.full(s, np.nan) for s in ((3, 3), (len(_LIPS), 2), (128,))))
    depth = np.full(68, np.nan) if face.depth is None else face.depth
    R, head = _fit_head(face.points, depth, len(picture))
    return Face(R, head[_LIPS, :2], face_identity.descriptor(picture, face.points))


def _fit_head(points: Floats, depth: Floats, size: int) -> tuple[Floats, Floats]:
    """Fit the mean face; return R, (3, 3), and the landmarks in the head's frame, (68, 3)."""
    _, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, _ORTHOGRAPHIC * size, size)
    focal = _DISTANCE * _ORTHOGRAPHIC * size / t[2]
    R, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, focal, size)
    lifted = pose.lift(
        points[None], depth[None], mean_face.MEAN_FACE, R[None], t[None], focal, size
    )
    return R, lifted[0]


def score_isps(
    neutral: Image,
    references: Sequence[Image],
    isps: Sequence[Image],
    retargeted: Sequence[Image],
    templates: Sequence[str],
) -> Scores:
    """Compare every ISP with the neutral image and its reference.

    Args:
        neutral: the neutral image, RGB.
        references: the candidates' images, RGB.
        isps: one per reference, all of one size.
        retargeted: the neutral image warped by the landmarks of each reference, without a network.
        templates: key motion template of each reference.

    Returns:
        Columns of ISP_SCORES, (N,) each, NaN where a necessary face is not detected:
        `identity_neutral`, `identity_reference`: cosine of dlib's descriptors.
        `pose_error`: angle between the heads of ISP and reference, degrees.
        `expression_error`: mean distance between the lips of ISP and reference (20 landmarks,
        frontal view, face heights), each as displacement from its own lips at rest: the mean over
        the subject's references of the template M (closed lips) and over their ISPs. This removes
        the identity and the landmark error that depends on the pose (2 % of a face height).
        `pose_retargeted`, `expression_retargeted`: the same errors of the retargeted images.
        `pose_unmoved`, `expression_unmoved`: the same errors of the neutral image itself.
        `lips_moved`: distance between the lips of ISP and neutral image; large at rest too for a
        model that opens every mouth alike.
        `opening`, `opening_reference`: gap of the inner lips of ISP and reference, face heights.
    """
    size = len(isps[0])
    still = measure_face(neutral, size)
    true = _stacked([measure_face(image, size) for image in references])
    made, warped = (
        _stacked([measure_face(image, size) for image in images]) for images in (isps, retargeted)
    )
    resting = np.array([str(name) == REST for name in templates])
    goal, shifts, warps = (_from_rest(faces.lips, resting) for faces in (true, made, warped))
    columns = (
        face_identity.similarity(made.descriptor, still.descriptor),
        face_identity.similarity(made.descriptor, true.descriptor),
        angle(made.rotation, true.rotation),
        angle(warped.rotation, true.rotation),
        angle(np.broadcast_to(still.rotation, true.rotation.shape), true.rotation),
        _distance(shifts, goal),
        _distance(warps, goal),
        _distance(np.zeros_like(shifts), goal),
        _distance(made.lips, still.lips),
        _opening(made.lips),
        _opening(true.lips),
    )
    return dict(zip(SCORE_NAMES, columns, strict=True))


def _stacked(faces: Sequence[Face]) -> Face:
    """Stack the measurements of N faces, (N, …) each."""
    names = ("rotation", "lips", "descriptor")
    return Face(*(np.stack([getattr(face, name) for face in faces]) for name in names))


def angle(a: Floats, b: Floats) -> Floats:
    """Return the angle between rotations a and b, (…, 3, 3) each; (…), degrees."""
    cosine = ((a * b).sum((-1, -2)) - 1) / 2  # the trace of a bᵀ is the sum of a times b
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _from_rest(lips: Floats, resting: NDArray[np.bool_]) -> Floats:
    """Subtract the mean of the detected lips at rest; NaN without any."""
    known = lips[resting & np.isfinite(lips).all((1, 2))]
    rest = known.mean(0) if len(known) else np.full(lips.shape[1:], np.nan)
    return np.asarray(lips - rest)


def _opening(lips: Floats) -> Floats:
    """Return the gap between the inner lips, (…), of lips (…, 20, 2)."""
    upper, lower = lips[..., [13, 14, 15], :], lips[..., [19, 18, 17], :]
    return _distance(upper, lower)


def _distance(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.linalg.norm(a - b, axis=-1).mean(-1))


def summarise(scores: Scores, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Average the scores of all candidates and of the chosen ones (reports/isp/NAME.json).

    `nearer_to_neutral` is the share of measured ISPs with a descriptor nearer to the neutral image
    than to the reference; `opening_correlation` correlates the openings of ISPs and references;
    `isps` counts all, `measured` those with all scores.
    """
    return {
        "all": _means(scores, np.ones(len(chosen), bool)),
        "chosen": _means(scores, chosen),
        "judges": {
            "identity": f"dlib {pretrained.sha256(face_identity.WEIGHTS)}",
            "landmarks": f"{BACKEND} {version(BACKEND)}",
        },
    }


def _means(scores: Scores, rows: NDArray[np.bool_]) -> dict[str, Any]:
    table = np.stack([scores[name][rows] for name in SCORE_NAMES], axis=1)
    known = table[np.isfinite(table).all(1)]
    means: dict[str, Any] = {"isps": len(table), "measured": len(known)}
    if not len(known):
        return means
    means |= {
        name: round(float(value), 4) for name, value in zip(SCORE_NAMES, known.mean(0), strict=True)
    }
    nearer = known[:, 0] > known[:, 1]
    return means | {
        "nearer_to_neutral": round(float(nearer.mean()), 4),
        "opening_correlation": _correlation(known[:, -2], known[:, -1]),
    }


def _correlation(a: Floats, b: Floats) -> float | None:
    """Return Pearson's r of two columns; None where one does not vary."""
    if len(a) < 2 or not (a.std() > 0 and b.std() > 0):
        return None
    return round(float(np.corrcoef(a, b)[0, 1]), 4)


def caption(scores: Scores, row: int) -> list[str]:
    """Format the scores of one ISP as three short lines, for the contact sheet."""
    at = {name: float(scores[name][row]) for name in SCORE_NAMES}
    if not np.isfinite(at["pose_error"]):
        return ["no face found"]
    return [
        f"pose {at['pose_error']:.1f}° (unmoved {at['pose_unmoved']:.1f}°)",
        f"lips {at['expression_error']:.3f} (unmoved {at['expression_unmoved']:.3f})",
        f"dlib neutral {at['identity_neutral']:.3f} ref {at['identity_reference']:.3f}",
    ]
