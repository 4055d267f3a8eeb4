"""Data augmentation of frame pairs, and random deformations for the equivariance loss.

Pairs are mirrored, stretched and tinted, both frames alike (ours). With a few subjects the networks
could encode the identity in the expressions; an augmentation that differs between pairs but not
within one forces them to read the identity from the neutral image.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.base.face import landmark_groups
from stages.style_mapping import keypoints as kp
from stages.style_mapping.params import StyleMappingParams

_MIRROR = list(landmark_groups.MIRROR)
_ACROSS = torch.tensor([-1.0, 1.0, 1.0])
_IMAGES = ("neutral", "reference", "target")
_CONTROL = 5  # control points along a side
_AFFINE, _SPLINE = 0.05, 0.005  # standard deviations


def augment(
    pairs: dict[str, Tensor], params: StyleMappingParams, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Augment a batch of `PairSampler.draw`: images, landmarks and angles together.

    Stretches are small, and leave angles and rotations unchanged.
    """
    count = len(pairs["neutral"])
    flip = (rng.random(count) < 0.5) & params.mirror
    scale = np.exp(rng.uniform(-params.stretch, params.stretch, (count, 2)))
    tint = np.exp(rng.uniform(-params.colour, params.colour, (count, 3)))
    augmented = dict(pairs)
    if params.mirror:
        augmented |= _mirrored(augmented, torch.from_numpy(flip))
    if params.stretch:
        augmented |= _stretched(augmented, torch.from_numpy(scale).float())
    if params.colour:
        gain = torch.from_numpy(tint).float()[:, :, None, None]
        augmented |= {name: (augmented[name] * gain).clamp(0, 1) for name in _IMAGES}
    return augmented


def _mirrored(pairs: dict[str, Tensor], flip: Tensor) -> dict[str, Tensor]:
    """Mirror the pairs of a mask: landmarks swap sides, yaw and roll change their sign."""
    geometry = {
        "keypoints": pairs["keypoints"][:, :, _MIRROR] * _ACROSS,
        "canonical": pairs["canonical"][:, _MIRROR] * _ACROSS,
        "reference_points": pairs["reference_points"][:, _MIRROR] * _ACROSS[:2],
        "rotation": pairs["rotation"] * torch.outer(_ACROSS, _ACROSS),
    }
    angles = pairs["angles"] * torch.tensor([-1.0, 1.0, -1.0])
    at = flip[:, None, None]
    out = {name: torch.where(at[..., None], pairs[name].flip(-1), pairs[name]) for name in _IMAGES}
    for name, mirrored in geometry.items():
        where = flip.view(-1, *[1] * (mirrored.ndim - 1))
        out[name] = torch.where(where, mirrored, pairs[name])
    out["angles"] = torch.where(at, angles, pairs["angles"])
    return out


def _stretched(pairs: dict[str, Tensor], scale: Tensor) -> dict[str, Tensor]:
    """Scale x and y about the image's centre, (B, 2); border pixels repeat outside."""
    matrix = torch.diag_embed(1 / scale)
    matrix = torch.cat([matrix, torch.zeros(len(scale), 2, 1)], dim=-1)
    grid = F.affine_grid(matrix, list(pairs["neutral"].shape), align_corners=False)
    out = {
        name: F.grid_sample(pairs[name], grid, padding_mode="border", align_corners=False)
        for name in _IMAGES
    }
    deep = torch.cat([scale, torch.ones(len(scale), 1)], dim=1)
    return out | {
        "keypoints": pairs["keypoints"] * deep[:, None, None],
        "canonical": pairs["canonical"] * deep[:, None],
        "reference_points": pairs["reference_points"] * scale[:, None],
    }


@dataclass(frozen=True)
class Deformation:
    """An affine map plus a thin-plate spline over a lattice of control points q_i.

    T(p) = A p + b + Σ w_i U(|p - q_i|₁), U(r) = r² log r.

    Attributes:
        affine: [A | b], (B, 2, 3).
        spline: w, (B, 25).
    """

    affine: Tensor
    spline: Tensor

    def points(self, points: Tensor) -> Tensor:
        """Transform points (B, N, 2)."""
        turned = points @ self.affine[..., :2].transpose(-1, -2) + self.affine[:, None, :, 2]
        distance = (points[:, :, None] - _control_points(points)).abs().sum(-1)  # (B, N, 25)
        bent = distance.square() * (distance + 1e-6).log()
        return turned + (bent * self.spline[:, None]).sum(-1, keepdim=True)

    def image(self, image: Tensor) -> Tensor:
        """Return I(T(p)) of images (B, 3, S, S)."""
        size = image.shape[-1]
        cells = kp.lattice(1, size, image)[0, ..., :2].reshape(1, -1, 2)
        places = self.points(cells.expand(len(image), -1, -1))
        return kp.warp(image, places.view(-1, size, size, 2))


def draw_deformations(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw the fields of `Deformation` for a batch: affine (B, 2, 3) and spline (B, 25)."""
    affine = np.eye(2, 3) + _AFFINE * rng.standard_normal((count, 2, 3))
    spline = _SPLINE * rng.standard_normal((count, _CONTROL**2))
    return torch.from_numpy(affine).float(), torch.from_numpy(spline).float()


def _control_points(like: Tensor) -> Tensor:
    line = torch.linspace(-1, 1, _CONTROL, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1)
