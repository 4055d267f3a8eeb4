"""The default backend: polygons of the landmarks over the person matte.

Fast, and its weights are free to use. Neck, hair, clothes and ears are all labelled "body", glasses
"skin".
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import CHIN, NASION
from stages.base.io.image_io import FRACTION_BITS, opencv_fixed_point
from stages.parsing.artifacts import LABELS

CODES = {label: code for code, label in enumerate(LABELS)}
_BROW = 0.075  # height of a brow below its upper edge, face heights
_LIDS = 0.012  # width of lids and lashes around the eye's opening, face heights


def draw(
    person: NDArray[np.bool_], points: Floats | None, oval: Floats | None
) -> NDArray[np.uint8]:
    """Draw the label map of one frame.

    Args:
        person: the matte, (H, W).
        points: landmarks, (68, 2), pixels; None where there is no face.
        oval: outline of the face, (36, 2), pixels; with (0, 2) no skin is drawn.

    Returns:
        Codes of LABELS, (H, W).
    """
    labels = person * np.uint8(CODES["body"])  # the background's code is 0
    if points is None or oval is None:
        return labels
    height = float(np.linalg.norm(points[CHIN] - points[NASION]))
    down = (points[CHIN] - points[NASION]) * _BROW
    if len(oval):
        _fill(labels, oval, CODES["skin"])
    for brow in (points[17:22], points[22:27]):
        _fill(labels, np.concatenate([brow, brow[::-1] + down]), CODES["brows"])
    _fill(labels, _hull(points[27:36]), CODES["nose"])
    for eye in (points[36:42], points[42:48]):
        _fill(labels, eye, CODES["eyes"], rim=2 * _LIDS * height)
    _fill(labels, points[48:60], CODES["mouth"])
    return labels


def _fill(labels: NDArray[np.uint8], polygon: Floats, code: int, rim: float = 0.0) -> None:
    """Fill a polygon, with a rim of a width in pixels around it."""
    fixed = opencv_fixed_point(polygon)
    cv2.fillPoly(labels, [fixed], code, shift=FRACTION_BITS)
    width = round(rim)
    if width >= 1:
        cv2.polylines(
            labels, [fixed], isClosed=True, color=code, thickness=width, shift=FRACTION_BITS
        )


def _hull(points: Floats) -> Floats:
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], float)
