"""The person matte: which pixels are the person's, by MediaPipe's selfie segmentation."""

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.native_output import quiet
from stages.base.io.image_io import Image

PERSON = 0.5


class Matte:
    """MediaPipe's selfie segmentation (256 × 256, Apache-2.0, weights in the wheel)."""

    def __init__(self) -> None:
        with quiet():
            from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

            self.network = SelfieSegmentation(model_selection=0)
            self.network.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, image: Image) -> NDArray[np.bool_]:
        """Tell for each pixel of an RGB frame, (H, W, 3), whether it is the person, (H, W)."""
        return self.soft(image) > PERSON

    def soft(self, image: Image) -> NDArray[np.float32]:
        """Tell how sure it is that a pixel is the person, 0 to 1, (H, W); above PERSON it is."""
        return np.array(self.network.process(image).segmentation_mask, np.float32)

    def close(self) -> None:
        """Let go of the network."""
        self.network.close()
