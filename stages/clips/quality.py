"""Image quality of a face: blur, light, head angle and occlusion in single frames. Ours.

All measures are taken on a square of 256 pixels around the face, in which the detector's box has
half of the side: they do not depend on the size of the face in the video.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.face import head_pose, landmark_groups, mean_face
from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image
from stages.clips.detector import Box
from stages.clips.window import Window

_SIDE = 256  # px of the picture; the detector's box is half of it
_UP = 0.1  # the box's centre is this much below the picture's, in boxes, to include the hair
FOUND = 0.3  # least confidence of a face: low, so that occluded faces are measured too
_CLEAR = 0.9  # confidence from which no hand covers the mouth; clean faces: 0.89 to 0.96
_HAND = 0.15  # least confidence of a hand: low, as only hands before the lips count
_DARKEST, _BRIGHTEST = 5, 250  # luminance of clipped pixels
_COLOUR = 0.2  # largest deviation of skin's log ratio of red or blue to green, in light and shade
_SHADE = 0.4  # share of the skin's median luminance below which a pixel is not skin
_NOISE = 12.0  # grey levels added before the logarithm: dark pixels have no colour
_RIM = 0.08  # width of the face's outline that is excluded as hair and background, face heights

# Vertices of the face mesh.
_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_NO_SKIN = (
    _LIPS,
    (70, 63, 105, 66, 107, 133, 154, 145, 163, 33),  # the image's left eye and brow
    (300, 293, 334, 296, 336, 362, 381, 374, 390, 263),
)
_BOTTOM, _NASION = 152, 168
# Vertices whose mean is each of the rigid landmarks, in their order.
_RIGID = (
    *((127,), (234,), (93,), (323,), (454,), (356,)),
    *((168, 6), (197, 195), (5,), (4,), (98,), (97,), (2,), (326,), (327,)),
    *((33,), (133,), (362,), (263,)),
)
_DISTANCE = 8.0  # of the head from the camera, face heights


@dataclass(frozen=True)
class Quality:
    """Quality of a face in one frame, or the median over a clip's frames.

    Attributes:
        sharpness: variance of the Laplacian of luminance over the detector's box at 128 pixels.
        exposure: median luminance of the face, 0 to 255.
        clipped: share of the face's pixels that are black or white (at most 5, at least 250).
        head_angle: between the forward axis of the fitted head and the camera's, degrees.
        occlusion: share of the skin's pixels whose colour deviates from the median.
        confidence: the detector's, 0 to 1; lower where anything covers the face's features.
        hand: share of the lips that hands cover; 0 where the detector is confident.
    """

    sharpness: float
    exposure: float
    clipped: float
    head_angle: float
    occlusion: float
    confidence: float
    hand: float


MeasureQuality = Callable[[Image, Box], Quality]


def open_mesh() -> Any:
    """Load MediaPipe's face mesh for one face in single pictures."""
    return load_network(
        "face_mesh",
        "FaceMesh",
        static_image_mode=True,
        max_num_faces=1,
        min_detection_confidence=FOUND,
    )


class QualityMeter:
    """Measures a face by MediaPipe's short-range detector, face mesh and hands (Apache-2.0)."""

    def __init__(self) -> None:
        self._detector = load_network(
            "face_detection", "FaceDetection", min_detection_confidence=FOUND, model_selection=0
        )
        self._mesh = open_mesh()
        self._hand_detector: Any = None  # loaded when needed: for few faces

    def __call__(self, image: Image, box: Box) -> Quality:
        """Measure the face in a box of an RGB picture, (H, W, 3)."""
        picture = crop_around(image, box)
        found = self._mesh.process(picture).multi_face_landmarks
        points = None
        if found:
            points = np.array([(v.x, v.y) for v in found[0].landmark]) * _SIDE
        detections = self._detector.process(picture).detections or ()
        confidence = max((float(face.score[0]) for face in detections), default=0.0)
        hands = self._hands(picture) if confidence < _CLEAR else []
        return measure_quality(picture, points, confidence, hands)

    def _hands(self, picture: Image) -> list[NDArray[np.float64]]:
        """Detect hands; return the joints of each, (21, 2), pixels."""
        if self._hand_detector is None:
            self._hand_detector = load_network(
                "hands", "Hands", static_image_mode=True, min_detection_confidence=_HAND
            )
        found = self._hand_detector.process(picture).multi_hand_landmarks or ()
        return [np.array([(v.x, v.y) for v in hand.landmark]) * _SIDE for hand in found]


def median_quality(qualities: Iterable[Quality]) -> Quality:
    """Return the median of each measure over the frames where it is finite; NaN without any."""
    values = np.array([astuple(quality) for quality in qualities]).reshape(-1, len(fields(Quality)))
    finite = [column[np.isfinite(column)] for column in values.T]
    return Quality(*(float(np.median(column)) if len(column) else math.nan for column in finite))


def measure_quality(
    picture: Image,
    points: NDArray[np.float64] | None,
    confidence: float,
    hands: list[NDArray[np.float64]],
) -> Quality:
    """Measure a face in a picture of it.

    Args:
        picture: RGB, (256, 256, 3), the detector's box in its middle half.
        points: the face mesh, (468, 2), pixels; None without a face: then all measures but
            sharpness and confidence are NaN.
        confidence: the detector's.
        hands: their joints, (21, 2) each, pixels.
    """
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    if points is None:
        nan = math.nan
        return Quality(_sharpness(grey), nan, nan, nan, nan, confidence, nan)
    face = _filled([points[list(_OVAL)]])
    light = grey[face]
    return Quality(
        sharpness=_sharpness(grey),
        exposure=float(np.median(light)),
        clipped=float(((light <= _DARKEST) | (light >= _BRIGHTEST)).mean()),
        head_angle=_angle(points),
        occlusion=_occlusion(picture, points, face),
        confidence=confidence,
        hand=_covered(points[list(_LIPS)], hands),
    )


def crop_around(image: Image, box: Box) -> Image:
    """Crop the square around a face's box and scale it to 256 px, the box in its middle half."""
    side = max(2, round(2 * box.side))
    x, y = box.centre
    return Window(round(x - side / 2), round(y - _UP * box.side - side / 2), side).cut(image, _SIDE)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    left = (_SIDE - _SIDE // 2) // 2
    top = left + round(_UP * _SIDE / 2)
    part = grey[top : top + _SIDE // 2, left : left + _SIDE // 2]
    return float(cv2.Laplacian(part, cv2.CV_32F).var())


def _filled(polygons: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for polygon in polygons:
        hull = cv2.convexHull(np.round(polygon).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    return np.asarray(mask, bool)


def _covered(lips: NDArray[np.float64], hands: list[NDArray[np.float64]]) -> float:
    """Return the share of the lips within the convex hulls of hands."""
    mouth, over = _filled([lips]), np.zeros((_SIDE, _SIDE), bool)
    for hand in hands:
        over |= _filled([hand])
    return float((mouth & over).sum() / max(1, mouth.sum()))


def _angle(points: NDArray[np.float64]) -> float:
    """Return the angle between the camera's axis and the fitted head's forward axis, degrees.

    The mean face's rigid landmarks are fitted, as in the stage `landmarks`.
    """
    landmarks = np.zeros((68, 2))
    for landmark, vertices in zip(landmark_groups.RIGID, _RIGID, strict=True):
        landmarks[landmark] = points[list(vertices)].mean(0)
    focal = _DISTANCE * float(np.linalg.norm(points[_BOTTOM] - points[_NASION]))
    R, _ = head_pose.fit_pose(landmarks, mean_face.MEAN_FACE, focal, _SIDE)
    return float(np.degrees(np.arccos(np.clip(R[2, 2], -1, 1))))


def _occlusion(picture: Image, points: NDArray[np.float64], face: NDArray[np.bool_]) -> float:
    """Return the share of the skin whose colour deviates from the median, or is far darker.

    Ratios of colours do not change between light and shade. Lips, eyes and brows do not count.
    """
    rim = max(1, round(_RIM * float(np.linalg.norm(points[_BOTTOM] - points[_NASION]))))
    inner = cv2.erode(face.astype(np.uint8), np.ones((rim, rim), np.uint8)).astype(bool)
    skin = inner & ~_filled([points[list(part)] for part in _NO_SKIN])
    if not skin.any():
        return float("nan")
    pixels = cv2.GaussianBlur(picture, (0, 0), 2)[skin].astype(np.float32)
    logs = np.log(pixels + _NOISE)
    ratios = logs[:, [0, 2]] - logs[:, [1]]
    light = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    other = np.abs(ratios - np.median(ratios, axis=0)).max(1) > _COLOUR
    return float((other | (light < _SHADE * np.median(light))).mean())
