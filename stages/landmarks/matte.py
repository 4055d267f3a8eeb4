"""The person matte: the pixels that show the person, by MediaPipe's selfie segmentation."""

import numpy as np
from numpy.typing import NDArray

from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image

PERSON = 0.5


class Matte:
    """MediaPipe's selfie segmentation (256 × 256, Apache-2.0, weights in the wheel)."""

    def __init__(self) -> None:
        name = "SelfieSegmentation"
        self.network = load_network("selfie_segmentation", name, model_selection=0)

    def __call__(self, image: Image) -> NDArray[np.bool_]:
        """Return the mask of the person, (H, W), in an RGB frame, (H, W, 3)."""
        return self.probabilities(image) > PERSON

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """Return each pixel's probability of showing the person, (H, W); above PERSON it does."""
        return np.array(self.network.process(image).segmentation_mask, np.float32)

    def close(self) -> None:
        """Free the network."""
        self.network.close()
