"""L_G of the generator, term by term (LSP, pix2pixHD). Each is a mean over the batch."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Verdicts = Sequence[Sequence[Tensor]]


def focused(drawn: Tensor, frame: Tensor, weight: Tensor) -> Tensor:
    """Mean L1 of pixels (B, 3, H, W), each by its weight (B, 1, H, W)."""
    return ((drawn - frame).abs() * weight).mean()


def adversarial(fake: Verdicts) -> Tensor:
    """LSGAN for the generator: mean over scales of E[(D(fake) − 1)²].

    Args:
        fake: per scale the discriminator's features, last the verdicts.
    """
    return torch.stack([(scale[-1] - 1).square().mean() for scale in fake]).mean()


def discriminator(real: Verdicts, fake: Verdicts) -> Tensor:
    """LSGAN for the discriminator: mean over scales of (E[(D(real) − 1)²] + E[D(fake)²]) / 2."""
    scales = [
        ((r[-1] - 1).square().mean() + f[-1].square().mean()) / 2
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(scales).mean()


def feature_matching(real: Verdicts, fake: Verdicts) -> Tensor:
    """Mean L1 between the discriminator's features of the true and the drawn frame."""
    terms = [
        F.l1_loss(f, r.detach())
        for true, drawn in zip(real, fake, strict=True)
        for r, f in zip(true[:-1], drawn[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


def perceptual(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the mean L1 between features (B, C, H, W)."""
    terms = [F.l1_loss(f, r) for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def gram(features: Tensor) -> Tensor:
    """Return Gram matrices F Fᵀ / (C H W) of features (B, C, H, W): (B, C, C)."""
    batch, channels, height, width = features.shape
    flat = features.reshape(batch, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def gram_style(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the summed L1 between Gram matrices, a row each (C values) averaged.

    The sum along one axis keeps the term's size alike for layers of few and many channels, since
    the matrices are already divided by C.
    """
    terms = [(gram(f) - gram(r)).abs().sum(2).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()
