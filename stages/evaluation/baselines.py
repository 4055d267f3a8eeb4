"""Baselines: a subject's training frames, copied or aligned, which a generator has to surpass."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import Image
from stages.base.io.pixels import opencv_transform

Floats = NDArray[np.floating[Any]]


class TrainingFrames:
    """A subject's training frames and landmarks.

    Args:
        images: (N, H, W, 3), RGB.
        points: 68 landmarks of each, (N, 68, 2), px.
    """

    def __init__(self, images: Image, points: Floats) -> None:
        self.images, self.points = images, points
        self.mean = np.round(images.mean(axis=0, dtype=np.float64)).astype(np.uint8)

    def nearest(self, points: Floats) -> int:
        """Return the index of the frame with the nearest landmarks (68, 2), by mean distance."""
        return int(np.linalg.norm(self.points - points, axis=-1).mean(axis=1).argmin())


def align(image: Image, points: Floats, targets: Floats) -> Image:
    """Move an image by the similarity of its landmarks to targets, (68, 2) each."""
    return warp(image, fit_similarity(points, targets))


def warp(image: Image, transform: Floats) -> Image:
    """Warp an image by a 2 × 3 similarity in continuous pixels; borders are replicated."""
    matrix, size = opencv_transform(transform), image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))
