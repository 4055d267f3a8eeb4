"""Landmarks seen again in a rendered video: what a viewer's eye would follow."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.io.image_io import Image, resize
from stages.base.io.video_frames import read_frames
from stages.landmarks import backend

Floats = NDArray[np.floating[Any]]
_SIZE = 256  # the mesh network wants a face of more than a hundred pixels


def landmarks_of_video(path: Path) -> tuple[Floats, NDArray[np.bool_]]:
    """Detect the 68 landmarks in every frame of a square video, as `landmarks_of`."""
    return landmarks_of(image for _, image in read_frames(path))


def landmarks_of(pictures: Iterable[Image]) -> tuple[Floats, NDArray[np.bool_]]:
    """Detect the 68 landmarks in square pictures of one clip, in order of time.

    Returns:
        Points (N, 68, 2) in px of a 256 px frame, NaN where no face was found, and where one
        was, (N,).

    """
    finder = backend.open_backend("mediapipe")
    found = []
    for image in pictures:
        face = finder(resize(image, _SIZE))
        found.append(np.full((68, 2), np.nan) if face is None else face.points)
    finder.close()
    points = np.array(found).reshape(-1, 68, 2)
    return points, np.isfinite(points).all(axis=(1, 2))
