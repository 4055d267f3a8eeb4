"""The trivial answers: what a render must beat before its numbers mean anything."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.face import similarity
from stages.base.io.pixels import opencv_transform

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]


class TrainingFrames:
    """A subject's training frames and landmarks, at the size of the pictures.

    Args:
        images: (N, H, W, 3), RGB.
        points: 68 landmarks of each, (N, 68, 2), px.

    """

    def __init__(self, images: Image, points: Floats) -> None:
        self.images, self.points = images, points
        self.mean = np.round(images.mean(axis=0, dtype=np.float64)).astype(np.uint8)

    def nearest(self, points: Floats) -> int:
        """Find the frame with the nearest landmarks (68, 2), by mean distance."""
        return int(np.linalg.norm(self.points - points, axis=-1).mean(axis=1).argmin())

    def aligned(self, index: int, points: Floats) -> Image:
        """Move a frame by the similarity of its landmarks to the given (68, 2)."""
        transform = similarity.fit_similarity(self.points[index], points)
        size = self.images.shape[1]
        return moved(self.images[index], transform, size)


def moved(image: Image, transform: Floats, size: int) -> Image:
    """Warp a picture by a 2 × 3 similarity in continuous pixels; borders are replicated."""
    out: Image = cv2.warpAffine(
        image,
        opencv_transform(transform),
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return out
