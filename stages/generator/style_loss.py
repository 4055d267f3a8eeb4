"""L_sp = ‖ W ⊙ (I′ − I_m) ‖₁, equation (3): the style-aware loss.

W comes from face parsing: each region is the union of the frame's and of the matched reference
image's, both in the frame's place; where regions overlap the mouth goes before the eyes, these
before the skin. Ours: the sum is divided by the labelled face area, which does not depend on the
weights, so that the loss is linear in W; pixels that the alignment leaves empty do not count.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.runtime.user_errors import BadParams
from stages.parsing.artifacts import LABELS, REGIONS
from stages.parsing.regions import region_of_label

# Codes of regions in order of precedence: the reverse of REGIONS.
OTHER, SKIN, EYES, MOUTH = range(len(REGIONS))
_TABLE = np.zeros(256, np.uint8)
_TABLE[: len(LABELS)] = MOUTH - region_of_label()
EMPTY = 255  # no pixel of the reference lies here


def regions(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn labels (H, W) of face parsing into codes of regions; EMPTY stays."""
    codes: NDArray[np.uint8] = np.where(labels == EMPTY, EMPTY, _TABLE[labels]).astype(np.uint8)
    return codes


def union(frame: NDArray[np.uint8], matched: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Unite the regions of the frame and of its aligned reference, (H, W) codes each.

    Empty pixels of the reference are EMPTY in the union: they do not count, whatever the frame
    shows there.
    """
    both: NDArray[np.uint8] = np.maximum(frame, matched)
    return both


def weight_vector(weights: dict[str, float]) -> tuple[float, float, float, float]:
    """Order weights by code (other, skin, eyes, mouth).

    Raises:
        BadParams: a region missing, a weight negative or not finite, or all of them 0.
    """
    if set(weights) != set(REGIONS):
        raise BadParams("region_weights", f"expected {', '.join(REGIONS)}, found {weights}")
    for region, value in weights.items():
        if not np.isfinite(value) or value < 0:
            raise BadParams(f"region_weights.{region}", f"expected at least 0, found {value}")
    if not any(weights.values()):
        raise BadParams("region_weights", "all are 0", "set one above 0, or lambda_sp to 0")
    return weights["other"], weights["skin"], weights["eyes"], weights["mouth"]


def style_preserving(
    drawn: Tensor, matched: Tensor, codes: Tensor, weights: tuple[float, float, float, float]
) -> Tensor:
    """Compute L_sp, the mean over the batch.

    Args:
        drawn: generated frames I′, (B, 3, H, W).
        matched: aligned reference images I_m, (B, 3, H, W).
        codes: united regions, (B, H, W), uint8, EMPTY where a pixel does not count; a frame
            without a match is EMPTY all over and gives 0.
        weights: of other, skin, eyes, mouth, see `weight_vector`.

    Returns:
        Σ W |I′ − I_m| over pixels and channels, over the number of labelled face pixels.
    """
    table: NDArray[Any] = np.zeros(256)
    table[: len(weights)] = weights
    W = torch.as_tensor(table, dtype=drawn.dtype, device=drawn.device)[codes.long()]
    face = ((codes != OTHER) & (codes != EMPTY)).sum(dim=(1, 2)).clamp(min=1)
    total = (W[:, None] * (drawn - matched).abs()).sum(dim=(1, 2, 3))
    return (total / face).mean()
