"""Random deformations of the plane for the equivariance loss: affine plus thin-plate spline."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.style_mapping import keypoints as kp

CONTROL = 5  # control points along a side
_AFFINE, _SPLINE = 0.05, 0.005


@dataclass(frozen=True)
class Deformation:
    """T(p) = A p + b + Σ w_i U(|p - q_i|₁), U(r) = r² log r, over a lattice of control points.

    Attributes:
        affine: [A | b], (B, 2, 3).
        spline: w, (B, 25).
    """

    affine: Tensor
    spline: Tensor

    def points(self, points: Tensor) -> Tensor:
        """Move points (B, N, 2)."""
        turned = points @ self.affine[..., :2].transpose(-1, -2) + self.affine[:, None, :, 2]
        near = (points[:, :, None] - _control(points)).abs().sum(-1)  # (B, N, 25)
        bent = near.square() * (near + 1e-6).log()
        return turned + (bent * self.spline[:, None]).sum(-1, keepdim=True)

    def image(self, image: Tensor) -> Tensor:
        """Return I(T(p)) of images (B, 3, S, S)."""
        size = image.shape[-1]
        cells = kp.lattice(1, size, image)[0, ..., :2].reshape(1, -1, 2)
        places = self.points(cells.expand(len(image), -1, -1))
        return kp.warp(image, places.view(-1, size, size, 2))


def draw(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw the parts of `Deformation` for a batch: affine (B, 2, 3) and spline (B, 25)."""
    affine = np.eye(2, 3) + _AFFINE * rng.standard_normal((count, 2, 3))
    spline = _SPLINE * rng.standard_normal((count, CONTROL**2))
    return torch.from_numpy(affine).float(), torch.from_numpy(spline).float()


def _control(like: Tensor) -> Tensor:
    line = torch.linspace(-1, 1, CONTROL, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1)
