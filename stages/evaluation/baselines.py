"""Baselines: a subject's training frames, copied or aligned, which a generator has to surpass."""

from collections.abc import Callable

import cv2
import numpy as np

from stages.base.arrays import AnyFloats
from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import Image, opencv_transform


class TrainingFrames:
    """A subject's training frames and landmarks; images are decoded one by one.

    Args:
        points: 68 landmarks of each frame, (N, 68, 2), px.
        image: decodes a frame by its index, (H, W, 3), RGB.
    """

    def __init__(self, points: AnyFloats, image: Callable[[int], Image]) -> None:
        self.points, self.image = points, image

    def mean(self) -> Image:
        """Average all frames, (H, W, 3)."""
        total = self.image(0).astype(np.float64)
        for index in range(1, len(self.points)):
            total += self.image(index)
        return np.round(total / len(self.points)).astype(np.uint8)

    def nearest(self, points: AnyFloats) -> int:
        """Return the index of the frame with the nearest landmarks (68, 2), by mean distance."""
        return int(np.linalg.norm(self.points - points, axis=-1).mean(axis=1).argmin())


def align(image: Image, points: AnyFloats, targets: AnyFloats) -> Image:
    """Move an image by the similarity of its landmarks to targets, (68, 2) each."""
    return warp(image, fit_similarity(points, targets))


def warp(image: Image, transform: AnyFloats) -> Image:
    """Warp an image by a 2 × 3 similarity in continuous pixels; borders are replicated."""
    matrix, size = opencv_transform(transform), image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))
