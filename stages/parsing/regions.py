"""The four regions of a label map."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.parsing.artifacts import LABELS, REGIONS

_SKIN = ("skin", "nose", "brows", "ears")  # labels of the region skin


@cache
def region_of_label() -> NDArray[np.uint8]:
    """Return the region's index in REGIONS of each label's code, (len(LABELS),)."""
    mouth, eyes, skin, other = range(len(REGIONS))
    region = {"mouth": mouth, "eyes": eyes, **dict.fromkeys(_SKIN, skin)}
    return np.array([region.get(label, other) for label in LABELS], np.uint8)


def region_masks(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Split a label map into its regions.

    Args:
        labels: codes of LABELS, (…, H, W).

    Returns:
        Masks in the order of REGIONS, (…, 4, H, W); every pixel is in exactly one.
    """
    region = region_of_label()[labels]
    return np.stack([region == index for index in range(len(REGIONS))], axis=-3)


def areas(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each region's share of a label map, (H, W): (4,), in the order of REGIONS."""
    codes = len(LABELS)
    histogram = cv2.calcHist([labels], [0], None, [codes], [0, codes])  # a third of bincount's time
    counts = np.bincount(region_of_label(), histogram.reshape(-1), len(REGIONS))
    return np.asarray(counts / labels.size, np.float32)
