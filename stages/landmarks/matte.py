"""The person matte: which pixels are the person's, by MediaPipe's selfie segmentation."""

import numpy as np
from numpy.typing import NDArray

from pipeline.native import quiet
from pipeline.pictures import Image


class Matte:
    """MediaPipe's selfie segmentation (256 × 256, Apache-2.0, weights in the wheel)."""

    def __init__(self) -> None:
        with quiet():
            from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

            self.network = SelfieSegmentation(model_selection=0)
            self.network.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, image: Image) -> NDArray[np.bool_]:
        """Tell for each pixel of an RGB frame, (H, W, 3), whether it is the person, (H, W)."""
        return np.asarray(self.network.process(image).segmentation_mask) > 0.5

    def close(self) -> None:
        """Let go of the network."""
        self.network.close()
