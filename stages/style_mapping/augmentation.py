"""More faces than people: pairs mirrored, stretched and tinted, both frames alike (ours).

A few seen subjects leave the networks free to hide whose face it is in the expressions; what
varies between pairs, and not within one, has to be read from the neutral image.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.base.face import landmark_groups
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.params import StyleMappingParams

_MIRROR = [GUIDED.index(landmark_groups.MIRROR[index]) for index in GUIDED]
_IMAGES = ("neutral", "reference", "wanted")


def vary(
    pairs: dict[str, Tensor], params: StyleMappingParams, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Vary the pairs of `Pairs.draw`, images, landmarks and angles together.

    Stretches are small, so that the fitted angles are left as they are.
    """
    count = len(pairs["neutral"])
    flip = (rng.random(count) < 0.5) & params.mirror
    scale = np.exp(rng.uniform(-params.stretch, params.stretch, (count, 2)))
    tint = np.exp(rng.uniform(-params.colour, params.colour, (count, 3)))
    varied = dict(pairs)
    if params.mirror:
        varied = _mirrored(varied, torch.from_numpy(flip))
    if params.stretch:
        varied = _stretched(varied, torch.from_numpy(scale).float())
    if params.colour:
        gain = torch.from_numpy(tint).float()[:, :, None, None]
        varied |= {name: (varied[name] * gain).clamp(0, 1) for name in _IMAGES}
    return varied


def _mirrored(pairs: dict[str, Tensor], flip: Tensor) -> dict[str, Tensor]:
    """Mirror the chosen pairs: landmarks change sides, yaw and roll their sign."""
    points = pairs["points"][:, :, _MIRROR] * torch.tensor([-1.0, 1.0])
    angles = pairs["angles"] * torch.tensor([-1.0, 1.0, -1.0])
    at = flip[:, None, None]
    out = {name: torch.where(at[..., None], pairs[name].flip(-1), pairs[name]) for name in _IMAGES}
    out["points"] = torch.where(at[..., None], points, pairs["points"])
    out["angles"] = torch.where(at, angles, pairs["angles"])
    return out


def _stretched(pairs: dict[str, Tensor], scale: Tensor) -> dict[str, Tensor]:
    """Scale x and y about the image's centre, (B, 2); what is uncovered repeats the border."""
    matrix = torch.diag_embed(1 / scale)
    matrix = torch.cat([matrix, torch.zeros(len(scale), 2, 1)], dim=-1)
    grid = F.affine_grid(matrix, list(pairs["neutral"].shape), align_corners=False)
    out = {
        name: F.grid_sample(pairs[name], grid, padding_mode="border", align_corners=False)
        for name in _IMAGES
    }
    return pairs | out | {"points": pairs["points"] * scale[:, None, None]}
