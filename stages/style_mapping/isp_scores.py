"""How well an ISP does what it is for: the reference's pose and expression on the neutral's face.

Faces are found anew, by the landmark backend, in the neutral image, the references and the ISPs,
all at the size of an ISP (what the networks saw) and enlarged to 256 px alike. The poses of one
mean face are fitted with one assumption, a head 8 face heights from the camera, so that a pose
error is a difference between two fits of the same kind. Against the truth of the sample, whose
heads turn by 4 to 6°, MediaPipe's turn by 0.8 of it: the angle of two found heads is 2° off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.face import head_pose, mean_face
from stages.base.io.image_io import Image, resize
from stages.base.training import face_identity, pretrained
from stages.landmarks import backend, pose
from stages.style_mapping.inference import square

Floats = NDArray[np.float64]

BACKEND = "mediapipe"
REST = "M"  # the template of closed lips, as a neutral image's are; None is the mean of speech
_SIZE = 256  # the mesh network wants a face of more than a hundred pixels
_DISTANCE = 8.0  # of every head from the camera, face heights
_FAR = 1000.0  # of a camera without perspective, sizes of the picture
# At the size of an ISP what brows and lids do (0.005 face heights) is no more than the finder's own
# error; lips move by 0.02 and more.
_LIPS = list(range(48, 68))
_COLUMNS = (
    "identity_neutral",
    "identity_reference",
    "pose_error",
    "pose_unmoved",
    "expression_error",
    "expression_unmoved",
    "lips_moved",
)


@dataclass(frozen=True)
class Look:
    """What is found in one picture; NaN where no face is.

    Args:
        rotation: R of x = K (R X + t), (3, 3).
        lips: seen from the head's front, (20, 2), face heights.
        descriptor: dlib's, (128,).
    """

    rotation: Floats
    lips: Floats
    descriptor: Floats


def look(image: Image, size: int) -> Look:
    """Find the face in an RGB picture, cut square and scaled to `size` before."""
    shown = resize(square(image, size), max(size, _SIZE))
    finder = backend.open_backend(BACKEND)  # one that remembers no other picture
    face = finder(shown)
    finder.close()
    if face is None:
        return Look(*(np.full(s, np.nan) for s in ((3, 3), (len(_LIPS), 2), (128,))))
    depth = np.full(68, np.nan) if face.depth is None else face.depth
    R, head = _fitted(face.points, depth, len(shown))
    return Look(R, head[_LIPS, :2], face_identity.descriptor(shown, face.points))


def _fitted(points: Floats, depth: Floats, size: int) -> tuple[Floats, Floats]:
    """Fit the mean face and take the landmarks to the head's frame: (3, 3) and (68, 3)."""
    _, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, _FAR * size, size)
    focal = _DISTANCE * _FAR * size / t[2]
    R, t = head_pose.fit_pose(points, mean_face.MEAN_FACE, focal, size)
    lifted = pose.lift(
        points[None], depth[None], mean_face.MEAN_FACE, R[None], t[None], focal, size
    )
    return R, lifted[0]


def measure(
    neutral: Image, references: Sequence[Image], isps: Sequence[Image], templates: Sequence[str]
) -> dict[str, Floats]:
    """Measure every ISP against the neutral image and the reference that it was made from.

    Args:
        neutral: the neutral image, RGB.
        references: the candidates' images, RGB.
        isps: one a reference, all of one size.
        templates: the key motion of each reference.

    Returns:
        Columns of ISP_SCORES, (N,) each, NaN where a face that they need is not found:
        `identity_neutral`, `identity_reference`: cosine of dlib's descriptors.
        `pose_error`: angle between the heads of ISP and reference, degrees.
        `expression_error`: mean distance of the 20 lip landmarks, seen from the head's front, of
        the ISP to the reference, each as displacement from its own lips at rest, face heights.
        At rest are the mean of the subject's references of the template M (closed lips), and the
        mean of the ISPs made of them: whose face it is, and what the finder sees differently in
        one face under another pose (2 % of a face height), does not count.
        `pose_unmoved`, `expression_unmoved`: the same errors of the neutral image itself.
        `lips_moved`: distance of the ISP's lips to the neutral image's own, which a model that
        opens or swells every mouth alike raises, those at rest too.
    """
    size = len(isps[0])
    still = look(neutral, size)
    wanted, made = ([look(image, size) for image in images] for images in (references, isps))
    resting = np.array([str(name) == REST for name in templates])
    goal, shifts = (
        _from_rest(np.stack([one.lips for one in some]), resting) for some in (wanted, made)
    )
    descriptors = np.stack([one.descriptor for one in made])
    turned, R = (np.stack([one.rotation for one in some]) for some in (made, wanted))
    columns = (
        face_identity.similarity(descriptors, still.descriptor),
        face_identity.similarity(descriptors, np.stack([one.descriptor for one in wanted])),
        angle(turned, R),
        angle(np.broadcast_to(still.rotation, R.shape), R),
        _distance(shifts, goal),
        _distance(np.zeros_like(shifts), goal),
        _distance(np.stack([one.lips for one in made]), still.lips),
    )
    return dict(zip(_COLUMNS, columns, strict=True))


def angle(a: Floats, b: Floats) -> Floats:
    """Return the angle of a bᵀ, (…), degrees, of rotations (…, 3, 3)."""
    cosine = ((a * b).sum((-1, -2)) - 1) / 2  # the trace of a bᵀ is the sum of a times b
    degrees: Floats = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return degrees


def _from_rest(lips: Floats, resting: NDArray[np.bool_]) -> Floats:
    """Subtract the mean of the resting lips that were seen; NaN without any."""
    seen = lips[resting & np.isfinite(lips).all((1, 2))]
    rest = seen.mean(0) if len(seen) else np.full(lips.shape[1:], np.nan)
    moved: Floats = lips - rest
    return moved


def _distance(a: Floats, b: Floats) -> Floats:
    apart: Floats = np.linalg.norm(a - b, axis=-1).mean(-1)
    return apart


def summary(scores: Mapping[str, Floats], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Average the scores of all candidates and of the chosen ones, for reports/isp/NAME.json.

    `nearer_to_neutral` is the share of measured ISPs that dlib finds nearer to the neutral image
    than to their reference; `isps` counts them all, `measured` those in which a face was found.
    """
    return {
        "all": _means(scores, np.ones(len(chosen), bool)),
        "chosen": _means(scores, chosen),
        "judges": {
            "identity": f"dlib {pretrained.sha256(face_identity.WEIGHTS)}",
            "landmarks": f"{BACKEND} {version(BACKEND)}",
        },
    }


def _means(scores: Mapping[str, Floats], rows: NDArray[np.bool_]) -> dict[str, Any]:
    table = np.stack([scores[name][rows] for name in _COLUMNS], axis=1)
    known = table[np.isfinite(table).all(1)]
    means: dict[str, Any] = {"isps": len(table), "measured": len(known)}
    if not len(known):
        return means
    means |= {
        name: round(float(value), 4) for name, value in zip(_COLUMNS, known.mean(0), strict=True)
    }
    nearer = known[:, 0] > known[:, 1]
    return means | {"nearer_to_neutral": round(float(nearer.mean()), 4)}


def caption(scores: Mapping[str, Floats], row: int) -> list[str]:
    """Say the numbers of one ISP in three short lines, for the contact sheet."""
    at = {name: float(scores[name][row]) for name in _COLUMNS}
    if not np.isfinite(at["pose_error"]):
        return ["no face found"]
    return [
        f"pose {at['pose_error']:.1f}° (unmoved {at['pose_unmoved']:.1f}°)",
        f"lips {at['expression_error']:.3f} (unmoved {at['expression_unmoved']:.3f})",
        f"dlib neutral {at['identity_neutral']:.3f} ref {at['identity_reference']:.3f}",
    ]
