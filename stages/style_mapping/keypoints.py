"""Geometry of 3D keypoints: equations (1) and (2), pose bins, heatmaps, motions.

Points are row vectors (x, y, z) in [-1, 1]; -1 is the left, top or near edge of the image's box. A
pixel p of an image of width s is at 2 p / s - 1. Rotations multiply from the right, `c R̄`: they
are the transposes of the rotations in other modules.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.base.face.mean_face import MEAN_FACE
from stages.base.training.state import full_precision

BINS, BIN_DEGREES = 66, 3.0
HEAT_VARIANCE = 0.01


def transform(canonical: Tensor, rotation: Tensor, shift: Tensor, expression: Tensor) -> Tensor:
    """Pose canonical keypoints: C = c R̄ + τ + ε, equation (1); (2) with the reference's pose.

    Args:
        canonical: c of the neutral image, (B, K, 3).
        rotation: R̄ for row vectors, (B, 3, 3).
        shift: τ, (B, 3).
        expression: ε, (B, K, 3).

    Returns:
        Keypoints in the image, (B, K, 3).
    """
    with full_precision(canonical):
        return canonical @ rotation + shift[:, None] + expression


def row_rotation(angles: Tensor) -> Tensor:
    """Build R̄ = Rᵀ for row vectors, (B, 3, 3), from (yaw, pitch, roll), (B, 3), radians.

    The angles are those of `stages.base.face.head_pose.rotation_from_angles`: R = Ry(yaw)
    Rx(pitch) Rz(roll).
    """
    yaw, pitch, roll = angles.unbind(-1)
    one, zero = torch.ones_like(yaw), torch.zeros_like(yaw)
    Ry = _rows((yaw.cos(), zero, yaw.sin()), (zero, one, zero), (-yaw.sin(), zero, yaw.cos()))
    Rx = _rows(
        (one, zero, zero), (zero, pitch.cos(), -pitch.sin()), (zero, pitch.sin(), pitch.cos())
    )
    Rz = _rows((roll.cos(), -roll.sin(), zero), (roll.sin(), roll.cos(), zero), (zero, zero, one))
    return (Ry @ Rx @ Rz).transpose(-1, -2)


def _rows(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def expected_angle(logits: Tensor) -> Tensor:
    """Return the mean angle, (…), radians, of softmax over 66 bins of 3°, (…, 66).

    Bin i is centred at 3 (i - 32.5)°; equal logits give 0.
    """
    index = torch.arange(BINS, dtype=logits.dtype, device=logits.device)
    centres = (index - (BINS - 1) / 2) * math.radians(BIN_DEGREES)
    return (logits.softmax(-1) * centres).sum(-1)


def axis(count: int, like: Tensor) -> Tensor:
    """Return the centres, (count,), of `count` equal cells of [-1, 1]."""
    index = torch.arange(count, dtype=like.dtype, device=like.device)
    return (index + 0.5) * (2 / count) - 1


def lattice(depth: int, plane: int, like: Tensor) -> Tensor:
    """Return the centres of a volume's cells, (D, H, W, 3), as (x, y, z)."""
    z, y, x = torch.meshgrid(axis(depth, like), axis(plane, like), axis(plane, like), indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def soft_argmax(logits: Tensor) -> Tensor:
    """Return the mean position, (B, K, 3), under softmax over heatmaps (B, K, D, H, W)."""
    depth, plane = logits.shape[2], logits.shape[3]
    heat = logits.flatten(2).softmax(-1).view(logits.shape)
    x = (heat.sum((2, 3)) * axis(plane, heat)).sum(-1)
    y = (heat.sum((2, 4)) * axis(plane, heat)).sum(-1)
    z = (heat.sum((3, 4)) * axis(depth, heat)).sum(-1)
    return torch.stack([x, y, z], dim=-1)


def squared_distances(keypoints: Tensor, depth: int, plane: int) -> Tensor:
    """Measure |z - C_k|² from every cell of a volume to keypoints (B, K, 3), (B, K, D, H, W)."""
    dx = (axis(plane, keypoints) - keypoints[..., :1]).square()[:, :, None, None, :]
    dy = (axis(plane, keypoints) - keypoints[..., 1:2]).square()[:, :, None, :, None]
    dz = (axis(depth, keypoints) - keypoints[..., 2:]).square()[:, :, :, None, None]
    return dx + dy + dz


def heatmaps(keypoints: Tensor, depth: int, plane: int) -> Tensor:
    """Draw a Gaussian of variance 0.01 around keypoints (B, K, 3), (B, K, D, H, W)."""
    return (-0.5 / HEAT_VARIANCE * squared_distances(keypoints, depth, plane)).exp()


def motions(
    source: Tensor,
    driving: Tensor,
    source_rotation: Tensor,
    driving_rotation: Tensor,
    grid: Tensor,
) -> Tensor:
    """Return the source position of each driven cell under the motion of every keypoint.

    Args:
        source: C of the neutral image, (B, K, 3).
        driving: C̄ of the style reference, (B, K, 3).
        source_rotation: R̄ of the neutral image, row vectors, (B, 3, 3).
        driving_rotation: R̄ of the style reference, row vectors, (B, 3, 3).
        grid: cells, (D, H, W, 3).

    Returns:
        Positions in the neutral image's volume, (B, K + 1, D, H, W, 3); the first, the background,
        is the identity. (z - C̄_k) R̄ᵀ_driving R̄_source + C_k, first order, as in face-vid2vid.
    """
    batch, count, _ = source.shape
    with full_precision(source):  # in bfloat16 RᵀR is not the identity
        turn = driving_rotation.float().transpose(-1, -2) @ source_rotation.float()  # (B, 3, 3)
        cells = grid.float().reshape(1, -1, 3) @ turn  # (B, DHW, 3)
        shifts = source.float() - driving.float() @ turn  # (B, K, 3)
    moved = cells[:, None] + shifts[:, :, None]
    still = grid.reshape(1, 1, -1, 3).expand(batch, 1, -1, 3)
    return torch.cat([still, moved], dim=1).view(batch, count + 1, *grid.shape)


def warp(volume: Tensor, places: Tensor) -> Tensor:
    """Sample a volume (B, C, D, H, W) or an image (B, C, H, W) at places (B, …, 3 or 2)."""
    return F.grid_sample(volume, places, padding_mode="border", align_corners=False)


# Landmarks that the loss `landmarks` assigns to the first keypoints: jaw, brows, upper lids, nose,
# lips. The other keypoints are free (hair, neck, shoulders).
GUIDED = (8, 3, 13, 19, 24, 37, 44, 30, 48, 54, 51, 57)


def starting_places(count: int) -> Tensor:
    """Return initial keypoints, (K, 3) in [-1, 1]: on the mean face, then around the shoulders."""
    face = torch.tensor(MEAN_FACE[list(GUIDED)], dtype=torch.float32) * 0.55
    face = face - face.mean(0)
    turn = torch.arange(max(0, count - len(GUIDED))) * 2.399963  # golden angle
    around = torch.stack([0.7 * turn.cos(), 0.35 * turn.sin() + 0.55, 0.0 * turn], dim=-1)
    places = torch.cat([face, around])[:count]
    return places + torch.tensor([0.0, 0.0, 0.33])
