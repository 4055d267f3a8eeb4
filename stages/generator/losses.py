"""L_G term by term (LSP, pix2pixHD), and L_sp, the style-aware loss of equation (3).

L_sp = ‖ W ⊙ (I′ − I_m) ‖₁. W comes from face parsing: each region is the union of the frame's and
of the aligned reference's; where regions overlap the mouth precedes the eyes, the eyes precede the
skin. Ours: the sum is divided by the labelled face area, which does not depend on the weights, so
the loss is linear in W; pixels without a reference do not count.

Every loss is a mean over the batch.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stages.base.io.image_io import Image
from stages.parsing.artifacts import REGIONS
from stages.parsing.regions import region_of_label

# Codes of regions: the larger one wins where regions overlap.
OTHER, SKIN, EYES, MOUTH = range(4)
EMPTY = 255  # the reference has no pixel here
_CODE_OF_LABEL: NDArray[np.uint8] = REGIONS.index("other") - region_of_label()

Scales = Sequence[Sequence[Tensor]]
"""What the discriminator returns: per scale the features of each layer, last the patch scores."""
Weights = tuple[float, float, float, float]
"""W by region code: other, skin, eyes, mouth."""


def weighted_l1(generated: Tensor, frame: Tensor, weight: Tensor) -> Tensor:
    """Return the mean L1 of pixels (B, 3, H, W), weighted by (B, 1, H, W)."""
    return ((generated - frame).abs() * weight).mean()


def generator_adversarial(generated: Scales) -> Tensor:
    """LSGAN for the generator: mean over scales of E[(D(fake) − 1)²]."""
    return torch.stack([(scale[-1] - 1).square().mean() for scale in generated]).mean()


def discriminator_adversarial(real: Scales, generated: Scales) -> Tensor:
    """LSGAN for the discriminator: mean over scales of (E[(D(real) − 1)²] + E[D(fake)²]) / 2."""
    scales = [
        ((r[-1] - 1).square().mean() + g[-1].square().mean()) / 2
        for r, g in zip(real, generated, strict=True)
    ]
    return torch.stack(scales).mean()


def feature_matching(real: Scales, generated: Scales) -> Tensor:
    """Return the mean L1 between the discriminator's features of true and generated frames."""
    terms = [
        F.l1_loss(g, r.detach())
        for real_scale, generated_scale in zip(real, generated, strict=True)
        for r, g in zip(real_scale[:-1], generated_scale[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


def perceptual(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Return the mean over layers of the mean L1 between features (B, C, H, W)."""
    return torch.stack([F.l1_loss(g, r) for r, g in zip(real, generated, strict=True)]).mean()


def gram(features: Tensor) -> Tensor:
    """Return Gram matrices F Fᵀ / (C H W) of features (B, C, H, W): (B, C, C)."""
    batch, channels, height, width = features.shape
    flat = features.reshape(batch, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def gram_style(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Return the mean over layers of the L1 between Gram matrices, summed along one axis.

    The sum keeps the term's size alike for layers of few and many channels, since the matrices
    are already divided by C.
    """
    terms = [(gram(g) - gram(r)).abs().sum(2).mean() for r, g in zip(real, generated, strict=True)]
    return torch.stack(terms).mean()


def region_codes(labels: Image) -> Image:
    """Map labels of face parsing, (H, W), to region codes."""
    return _CODE_OF_LABEL[labels]


def union(frame: Image, reference: Image) -> Image:
    """Unite the region codes of the frame and of its aligned reference, (H, W) each.

    Pixels that are EMPTY in the reference are EMPTY in the union.
    """
    return np.asarray(np.maximum(frame, reference))


def style_preserving(
    generated: Tensor, reference: Tensor, codes: Tensor, weights: Weights
) -> Tensor:
    """Compute L_sp.

    Args:
        generated: generated frames I′, (B, 3, H, W).
        reference: aligned reference images I_m, (B, 3, H, W).
        codes: united regions, (B, H, W), uint8, EMPTY where a pixel does not count; a frame
            without a match is EMPTY everywhere and contributes 0.
        weights: W by region code.

    Returns:
        Σ W |I′ − I_m| over pixels and channels, over the number of labelled face pixels.
    """
    table = np.zeros(256)
    table[: len(weights)] = weights
    W = torch.as_tensor(table, dtype=generated.dtype, device=generated.device)[codes.long()]
    face = ((codes != OTHER) & (codes != EMPTY)).sum(dim=(1, 2)).clamp(min=1)
    total = (W[:, None] * (generated - reference).abs()).sum(dim=(1, 2, 3))
    return (total / face).mean()
