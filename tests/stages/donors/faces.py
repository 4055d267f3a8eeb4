"""A face in the image: the mean face at 100 px a face height, and its mouth and lids moved."""

import numpy as np

from stages.base.arrays import Floats32
from stages.base.face.mean_face import MEAN_FACE

SIZE, UNIT = 256, 90.0


def face(opening: float = 0.0, lids: float = 1.0) -> Floats32:
    """Return landmarks (68, 2), px: inner lips open by face heights, lids by a share of theirs."""
    points = MEAN_FACE[:, :2].copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        middle = (points[upper] + points[lower]) / 2
        points[upper], points[lower] = middle, middle + np.array([0, opening])
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper] = points[lower] + lids * (points[upper] - points[lower])
    return (points * UNIT + SIZE / 2).astype(np.float32)
