"""Convert our continuous pixel coordinates to OpenCV's.

Ours count from the image's edge: 0 is the left edge of the first pixel, and its centre 0.5.
OpenCV's count from the first pixel's centre.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FRACTION_BITS = 4  # of the fixed-point coordinates that OpenCV draws with: 1/16 px


def opencv_fixed_point(points: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Convert points (…, 2) to fixed point with FRACTION_BITS, for OpenCV's drawing functions."""
    return np.asarray(np.round((points - 0.5) * 2**FRACTION_BITS), np.int32)


def opencv_transform(transforms: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert affine transforms [A | t], (…, 2, 3), for `cv2.warpAffine`."""
    converted = np.array(transforms, np.float64)
    converted[..., 2] += converted[..., :2] @ [0.5, 0.5] - 0.5
    return converted
