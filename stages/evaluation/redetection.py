"""Landmarks detected again in rendered images: the motion that a viewer sees."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image, resize
from stages.landmarks import backend

_SIZE = 256  # the mesh network needs a face of more than a hundred pixels


def redetect_landmarks(images: Iterable[Image]) -> tuple[AnyFloats, NDArray[np.bool_]]:
    """Detect the 68 landmarks in square images of one clip, in order of time.

    Returns:
        Points (N, 68, 2) in px of a 256 px frame, NaN where no face was detected, and where one
        was, (N,).
    """
    detector = backend.open_backend("mediapipe")
    faces = [detector(resize(image, _SIZE)) for image in images]
    detector.close()
    missing = np.full((68, 2), np.nan)
    points = np.array([missing if face is None else face.points for face in faces])
    points = points.reshape(-1, 68, 2)
    return points, np.isfinite(points).all(axis=(1, 2))
