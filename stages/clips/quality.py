"""How well a face is seen: blur, light, turn and cover, measured on single frames. Ours.

Every measure is taken on a square of 256 pixels around the face, whose detector box has half of
its side: so the numbers of a face do not depend on how large it is in the video.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.native_output import quiet
from stages.base.face import head_pose, landmark_groups, mean_face
from stages.base.io.image_io import Image
from stages.clips.detector import Box
from stages.clips.window import Window

_SIDE = 256  # px of the picture that is looked at; the detector's box is half of it
_UP = 0.1  # the box's middle lies so far below the picture's, in boxes: hair belongs to a head
FOUND = 0.3  # confidence that begins a face here: an occluded one is to be measured, not missed
_CLEAR = 0.9  # confidence from which nothing is before the mouth; clean faces: 0.89 to 0.96
_HAND = 0.15  # confidence that begins a hand: it lies before a face, or it does not count
_DARKEST, _BRIGHTEST = 5, 250  # luminance from which a pixel shows nothing
_COLOUR = 0.2  # the log ratio of red or blue to green that skin keeps to, in light and shade
_SHADE = 0.4  # share of the skin's median luminance below which it is something dark
_NOISE = 12.0  # grey levels added before the logarithm: dark pixels have no colour
_RIM = 0.08  # of the face's outline is left out, face heights: hair and background

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
# Of each of the rigid landmarks, in their order, the vertices whose mean it is.
_RIGID = (
    *((127,), (234,), (93,), (323,), (454,), (356,)),
    *((168, 6), (197, 195), (5,), (4,), (98,), (97,), (2,), (326,), (327,)),
    *((33,), (133,), (362,), (263,)),
)
_DISTANCE = 8.0  # of the head from the camera, face heights


@dataclass(frozen=True)
class Quality:
    """What a face looks like in one frame, or in the median of a clip's frames.

    Attributes:
        sharpness: variance of the Laplacian of luminance over the detector's box at 128 pixels.
        exposure: median luminance of the face, 0 to 255.
        clipped: share of the face's pixels that are black or white (at most 5, at least 250).
        head_angle: between the forward axis of the fitted head and the camera's, degrees.
        occlusion: share of the skin's pixels that have another colour than most of them.
        confidence: the detector's, 0 to 1; falls where something covers the face's features,
            of whatever colour it is.
        hand: share of the lips that hands cover; looked for where the detector is not sure.
    """

    sharpness: float
    exposure: float
    clipped: float
    head_angle: float
    occlusion: float
    confidence: float
    hand: float


MEASURES = tuple(field.name for field in fields(Quality))
Look = Callable[[Image, Box], Quality]


class FaceJudge:
    """Measures a face by MediaPipe's short-range detector, face mesh and hands (Apache-2.0)."""

    def __init__(self) -> None:
        with quiet():
            from mediapipe.python.solutions.face_detection import FaceDetection
            from mediapipe.python.solutions.face_mesh import FaceMesh

            self._detector: Any = FaceDetection(FOUND, 0)
            self._mesh: Any = FaceMesh(
                static_image_mode=True, max_num_faces=1, min_detection_confidence=FOUND
            )
            for network in (self._detector, self._mesh):
                network.process(np.zeros((64, 64, 3), np.uint8))
        self._finder: Any = None  # of hands; few faces need it

    def __call__(self, image: Image, box: Box) -> Quality:
        """Measure the face in a box of an RGB picture, (H, W, 3)."""
        picture = around(image, box)
        found = self._mesh.process(picture).multi_face_landmarks
        points = None
        if found:
            points = np.array([(v.x, v.y) for v in found[0].landmark]) * _SIDE
        seen = self._detector.process(picture).detections or ()
        confidence = max((float(one.score[0]) for one in seen), default=0.0)
        hands = self._hands(picture) if confidence < _CLEAR else []
        return measure(picture, points, confidence, hands)

    def _hands(self, picture: Image) -> list[NDArray[np.float64]]:
        """Find hands, the joints of each, (21, 2), pixels."""
        if self._finder is None:
            with quiet():
                from mediapipe.python.solutions.hands import Hands

                self._finder = Hands(static_image_mode=True, min_detection_confidence=_HAND)
                self._finder.process(np.zeros((64, 64, 3), np.uint8))
        found = self._finder.process(picture).multi_hand_landmarks or ()
        return [np.array([(v.x, v.y) for v in one.landmark]) * _SIDE for one in found]


def median(seen: Iterable[Quality]) -> Quality:
    """Return the median of each measure over the frames that tell it; NaN without any."""
    columns = zip(*map(astuple, seen), strict=True)
    known = [[value for value in column if math.isfinite(value)] for column in columns]
    told = [float(np.median(values)) if values else math.nan for values in known]
    return Quality(*(told or [math.nan] * len(MEASURES)))


def measure(
    picture: Image,
    points: NDArray[np.float64] | None,
    confidence: float,
    hands: list[NDArray[np.float64]],
) -> Quality:
    """Measure a face in a picture of it.

    Args:
        picture: RGB, (256, 256, 3), the detector's box in its middle half.
        points: the face mesh, (468, 2), pixels. Where
            none was found, only sharpness and confidence are told, and the others are NaN.
        confidence: the detector's.
        hands: their joints, (21, 2) each, pixels.
    """
    import cv2

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


def around(image: Image, box: Box) -> Image:
    """Cut the square around a face's box at 256 px, the box in its middle half."""
    side = max(2, round(2 * box.side))
    x, y = box.centre
    return Window(round(x - side / 2), round(y - _UP * box.side - side / 2), side).cut(image, _SIDE)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    import cv2

    left = (_SIDE - _SIDE // 2) // 2
    top = left + round(_UP * _SIDE / 2)
    part = grey[top : top + _SIDE // 2, left : left + _SIDE // 2]
    return float(cv2.Laplacian(part, cv2.CV_32F).var())


def _filled(polygons: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    import cv2

    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for polygon in polygons:
        hull = cv2.convexHull(np.round(polygon).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    return np.asarray(mask, bool)


def _covered(lips: NDArray[np.float64], hands: list[NDArray[np.float64]]) -> float:
    """Measure which share of the lips lies within hands' outlines."""
    mouth, over = _filled([lips]), np.zeros((_SIDE, _SIDE), bool)
    for hand in hands:
        over |= _filled([hand])
    return float((mouth & over).sum() / max(1, mouth.sum()))


def _angle(points: NDArray[np.float64]) -> float:
    """Measure the angle between the camera's axis and the forward one of the fitted head, degrees.

    The pose is that of the mean face's rigid landmarks, as of the landmarks stage.
    """
    seen = np.zeros((68, 2))
    for landmark, vertices in zip(landmark_groups.RIGID, _RIGID, strict=True):
        seen[landmark] = points[list(vertices)].mean(0)
    focal = _DISTANCE * float(np.linalg.norm(points[_BOTTOM] - points[_NASION]))
    R, _ = head_pose.fit_pose(seen, mean_face.MEAN_FACE, focal, _SIDE)
    return float(np.degrees(np.arccos(np.clip(R[2, 2], -1, 1))))


def _occlusion(picture: Image, points: NDArray[np.float64], face: NDArray[np.bool_]) -> float:
    """Measure which share of the skin departs from its median in colour, or is far darker.

    Ratios of colours do not change with light and shade, so that a lit cheek and one in shadow are
    the same skin. Lips, eyes and brows do not count.
    """
    import cv2

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
