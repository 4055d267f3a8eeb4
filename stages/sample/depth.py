"""How deep each place of the face lies, and how far it follows the head."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.grid import MARGIN, NODES, STEP, Field, nodes

FloatArray = NDArray[np.float64]


def depth_of(neutral: FloatArray, head: Field) -> Field:
    """Give each grid node a depth: the mesh inside the face, a rounded head around it."""
    from scipy.interpolate import RBFInterpolator

    away: Any = cv2.distanceTransform((head > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner = np.clip(away * STEP / 110.0, 0, 1)
    back, front = 105.0, -25.0
    hair = back + (front - back) * (1 - (1 - inner) ** 2)
    spline = RBFInterpolator(neutral[:468, :2], neutral[:468, 2], neighbors=24, kernel="linear",
                             smoothing=1.0)  # fmt: skip
    ring = (neutral[list(index.OVAL), :2] + MARGIN) / STEP
    inside = np.zeros((NODES, NODES), np.uint8)
    cv2.fillPoly(inside, [np.round(ring).astype(np.int32)], 255)
    here = inside > 0
    mesh = hair.copy()
    mesh[here] = spline(nodes()[here].astype(np.float64))
    shrunk = cv2.erode(inside, np.ones((5, 5), np.uint8))
    blend = cv2.GaussianBlur(shrunk.astype(np.float32) / 255, (0, 0), 5)
    depth = mesh * blend + hair * (1 - blend)
    depth = cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 2.5)
    return np.asarray(depth, np.float32)


def following(head: Field) -> Field:
    """Tell how far a place follows the head: wholly on it, less and less down the neck."""
    outside = cv2.distanceTransform((head < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * STEP
    fall = np.clip((outside - 4) / 95, 0, 1)
    follow = 1 - fall * fall * (3 - 2 * fall)
    return np.asarray(cv2.GaussianBlur(follow.astype(np.float32), (0, 0), 4), np.float32)
