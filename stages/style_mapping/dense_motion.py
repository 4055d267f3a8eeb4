"""Dense motion: the source position of each cell of the driven image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.style_mapping import keypoints as kp
from stages.style_mapping.blocks import Layer, Residual, convolution
from stages.style_mapping.params import Network

Maps = dict[str, Tensor]
_MESH_LOGIT = 8.0  # with 68 keypoints near by, nine tenths and more of the motion


class DenseMotion(nn.Module):
    """Keypoints of both images and the volume → flow, occlusion and surface.

    Every cell follows a softmax mixture of K keypoint motions and the static background. Inputs are
    the volume warped by each motion and the difference of the heatmaps. A learnt multiple of the
    distance to each keypoint is added to its logit, so an untrained network starts from a plausible
    flow (ours). With `mesh` there is one more motion, the flow between all landmarks: the
    untrained network starts from it, and learns where the others are better.
    """

    def __init__(self, sizes: Network, keypoints: int, *, mesh: bool) -> None:
        super().__init__()
        self.sizes, (channels, self.depth) = sizes, sizes.volume
        hints, width, motions = 4, sizes.motion_channels, keypoints + 1
        self.compress = convolution(3, channels, hints, kernel=1)
        self.first = nn.Sequential(
            Layer(3, motions * (hints + 1), width, kernel=1), Residual(3, width)
        )
        self.inner = nn.Sequential(Layer(3, width, 2 * width), Residual(3, 2 * width))
        self.last = Layer(3, 3 * width, width)
        self.choice = convolution(3, width, motions + mesh)
        self.surface = convolution(3, width, 1, kernel=1)
        self.occlusion = nn.Conv2d(width * self.depth, 1, 3, padding=1)
        nn.init.normal_(self.choice.weight, std=0.001)  # type: ignore[arg-type]
        nn.init.zeros_(self.choice.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.occlusion.bias, 2.0)  # type: ignore[arg-type]
        self.nearness = nn.Parameter(torch.tensor(10.0))
        self.rest = nn.Parameter(torch.tensor(-2.0))
        self.mesh = nn.Parameter(torch.tensor(_MESH_LOGIT)) if mesh else None

    def forward(
        self,
        volume: Tensor,
        source: Tensor,
        driving: Tensor,
        turned: tuple[Tensor, Tensor],
        mesh: Tensor | None = None,
    ) -> Maps:
        """Mix the motions.

        Args:
            volume: of the source image, (B, C, D, H, W).
            source: keypoints C, (B, K, 3).
            driving: keypoints C̄, (B, K, 3).
            turned: rotations R̄ of both, (B, 3, 3) each.
            mesh: the flow between all landmarks, (B, S, S, 2).

        Returns:
            `flow` (B, D, H, W, 3); `basis`, the flow of the landmarks or none at all, for which a
            full-size one can be substituted, (B, 1, H, W, 2); `occlusion` (B, 1, H, W); `surface`
            (B, 1, D, H, W).
        """
        halved = 1 << self.sizes.motion_halvings
        plane = self.sizes.plane // halved
        small = F.avg_pool3d(self.compress(volume), (1, halved, halved))
        places = kp.motions(source, driving, *turned, kp.lattice(self.depth, plane, volume))
        hints = kp.warp(_repeat(small, places.shape[1]), places.flatten(0, 1))
        apart = kp.heatmaps(driving, self.depth, plane) - kp.heatmaps(source, self.depth, plane)
        apart = torch.cat([torch.zeros_like(apart[:, :1]), apart], dim=1)
        x = torch.cat([hints.view(len(volume), -1, *hints.shape[2:]), apart], dim=1)
        x = self._hourglass(x)
        choice = self._choice(x, driving)
        places = kp.motions(
            source, driving, *turned, kp.lattice(self.depth, self.sizes.plane, volume)
        )
        basis = self._basis(mesh, places)
        if mesh is not None:
            depth = places[:, :1, ..., 2:]
            moved = basis[:, None].expand(-1, -1, self.depth, -1, -1, -1)
            places = torch.cat([places, torch.cat([moved, depth], dim=-1)], dim=1)
        flow = (choice[..., None] * places).sum(1)
        occlusion = self.occlusion(x.flatten(1, 2)).sigmoid()
        surface = self._whole(self.surface(x)).softmax(2)
        size = (self.sizes.plane, self.sizes.plane)
        occlusion = F.interpolate(occlusion, size=size, mode="bilinear", align_corners=False)
        return {"flow": flow, "basis": basis, "occlusion": occlusion, "surface": surface}

    def _basis(self, mesh: Tensor | None, places: Tensor) -> Tensor:
        """Return the flow of the landmarks, or the identity, at the volume's plane."""
        still = places[:, 0, :1, ..., :2]
        if mesh is None:
            return still
        shift = mesh - kp.lattice(1, mesh.shape[1], mesh)[0, ..., :2]
        small = F.adaptive_avg_pool2d(shift.movedim(-1, 1), self.sizes.plane)
        return still + small.movedim(1, -1)[:, None]

    def _hourglass(self, x: Tensor) -> Tensor:
        outer = self.first(x)
        inner = self.inner(F.avg_pool3d(outer, (1, 2, 2)))
        inner = F.interpolate(inner, size=outer.shape[2:], mode="nearest")
        out: Tensor = self.last(torch.cat([outer, inner], dim=1))
        return out

    def _choice(self, x: Tensor, driving: Tensor) -> Tensor:
        near = -self.nearness * kp.squared_distances(driving, self.depth, self.sizes.plane)
        start = [self.rest.expand_as(near[:, :1]), near]
        if self.mesh is not None:
            start.append(self.mesh.expand_as(near[:, :1]))
        return (self._whole(self.choice(x)) + torch.cat(start, dim=1)).softmax(1)

    def _whole(self, x: Tensor) -> Tensor:
        size = (self.depth, self.sizes.plane, self.sizes.plane)
        if x.shape[2:] == size:
            return x
        return F.interpolate(x, size=size, mode="trilinear", align_corners=False)


def _repeat(volume: Tensor, times: int) -> Tensor:
    """Repeat each volume of a batch, (B, …) to (B · times, …)."""
    return volume[:, None].expand(-1, times, *volume.shape[1:]).flatten(0, 1)
