"""The four regions of a label map, and W of the style-aware loss, equation (3)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.parsing.artifacts import LABELS, REGIONS

SKIN_INCLUDES = ("nose", "brows", "ears")


def region_of_label(skin_includes: Sequence[str] = SKIN_INCLUDES) -> NDArray[np.uint8]:
    """Return the region's index in REGIONS of each label's code, (len(LABELS),)."""
    mouth, eyes, skin, other = range(len(REGIONS))
    region = {"mouth": mouth, "eyes": eyes, "skin": skin, **dict.fromkeys(skin_includes, skin)}
    return np.array([region.get(label, other) for label in LABELS], np.uint8)


def region_masks(
    labels: NDArray[np.uint8], skin_includes: Sequence[str] = SKIN_INCLUDES
) -> NDArray[np.bool_]:
    """Split a label map into its regions.

    Args:
        labels: codes of LABELS, (…, H, W).
        skin_includes: labels that count as skin.

    Returns:
        Masks in the order of REGIONS, (…, 4, H, W); every pixel is in exactly one.
    """
    region = region_of_label(skin_includes)[labels]
    return np.stack([region == index for index in range(len(REGIONS))], axis=-3)


def weight_map(
    labels: NDArray[np.uint8],
    weights: Mapping[str, float],
    skin_includes: Sequence[str] = SKIN_INCLUDES,
) -> NDArray[np.float32]:
    """Return W of equation (3), (…, H, W): each pixel its region's weight."""
    by_region = np.array([weights[name] for name in REGIONS], np.float32)
    return np.asarray(by_region[region_of_label(skin_includes)[labels]])


def areas(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure the share of a label map, (H, W), that each region takes, (4,), as in REGIONS."""
    import cv2

    codes = len(LABELS)
    found = cv2.calcHist([labels], [0], None, [codes], [0, codes])  # a third of bincount's time
    counts = np.bincount(region_of_label(), found.reshape(-1), len(REGIONS))
    return np.asarray(counts / labels.size, np.float32)
