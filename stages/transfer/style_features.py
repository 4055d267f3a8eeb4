"""The feature network f of style transfer, and the two losses that read it.

Source: section "Style transfer" of docs/method.md. Motion is a displacement of 68 landmarks from
its owner's mean face, in percent of a face height.
"""

import torch
from torch import Tensor, nn

from stages.motion.networks import LANDMARKS

WIDTHS = (1024, 512, 256)
PERCENT = 100.0  # displacements are in percent of a face height


class StyleFeatures(nn.Module):
    """f, an MLP 1024-512-256: displacements of frames, (N, 68, 3), to features, (N, 256)."""

    def __init__(self) -> None:
        super().__init__()
        first, second, last = WIDTHS
        self.layers = nn.Sequential(
            nn.Flatten(1),
            nn.Linear(LANDMARKS * 3, first),
            nn.LeakyReLU(0.2),
            nn.Linear(first, second),
            nn.LeakyReLU(0.2),
            nn.Linear(second, last),
        )

    def forward(self, displacement: Tensor) -> Tensor:
        """Return the features of each frame."""
        features: Tensor = self.layers(displacement)
        return features


def style_loss(generated: Tensor, references: Tensor) -> Tensor:
    """Return L_sc = ‖mean f(φ_mg) − mean f(φ_s)‖², a scalar.

    Args:
        generated: features f(φ_mg) of generated frames, (N, C).
        references: features f(φ_s) of the references' frames, (M, C).

    Frames of the two are not paired: the means over frames are compared (ours).
    """
    return (generated.mean(0) - references.mean(0)).square().sum()


def gradient_penalty(
    features: nn.Module, generated: Tensor, references: Tensor, gamma: Tensor
) -> Tensor:
    """Return L_r = (‖∇f(φ̂)‖ − 1)², φ̂ = γ φ_s + (1 − γ) φ_mg, the mean over frames.

    Args:
        features: f.
        generated: φ_mg, (N, 68, 3); no gradient flows back to it.
        references: φ_s, (N, 68, 3).
        gamma: γ of each frame, (N,), drawn uniformly as in WGAN-GP.

    The gradient is that of the sum of f's outputs (ours). The loss can be differentiated by the
    weights of f: its graph is kept.
    """
    share = gamma[:, None, None]
    mixed = (share * references + (1 - share) * generated).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(features(mixed).sum(), mixed, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
