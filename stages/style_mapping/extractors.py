"""Extractors of canonical keypoints, pose and expression, and appearance from an image.

Images are RGB in [0, 1], (B, 3, S, S); keypoints and rotations as in `keypoints`.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.base.training.state import full_precision
from stages.style_mapping import keypoints as kp
from stages.style_mapping.blocks import Layer, Residual
from stages.style_mapping.params import LearnedKeypointParams, Network

Maps = dict[str, Tensor]


class KeypointExtractor(nn.Module):
    """Image → K canonical 3D keypoints c_k: soft-argmax over heatmaps of an hourglass.

    The network is 2D; the channels of its last layer hold the depth of the heatmaps.
    """

    def __init__(self, sizes: Network, learned: LearnedKeypointParams) -> None:
        super().__init__()
        self.learned, self.depth = learned, max(2, sizes.volume[1])
        downs = (learned.heat_input // 4).bit_length() - 1  # to a plane of 4
        ups = (learned.heat_plane // 4).bit_length() - 1
        widths = [
            min(learned.heat_channels << i, 8 * learned.heat_channels) for i in range(downs + 1)
        ]
        self.first = Layer(2, 3, widths[0])
        self.down = nn.ModuleList(Layer(2, a, b, stride=2) for a, b in pairwise(widths))
        up, width = [], widths[-1]
        for skip in reversed(widths[downs - ups : downs]):
            up.append(Layer(2, width + skip, skip))
            width = skip
        self.up = nn.ModuleList(up)
        self.heat = nn.Conv2d(width, learned.keypoints * self.depth, 3, padding=1)
        nn.init.normal_(self.heat.weight, std=0.01)
        # Without initial places all keypoints start at the centre with the same gradient.
        places = kp.starting_places(learned.keypoints)[None]
        start = -0.5 / 0.02 * kp.squared_distances(places, self.depth, learned.heat_plane)
        self.start = nn.Parameter(start)

    def forward(self, image: Tensor) -> Tensor:
        """Return c, (B, K, 3), of images (B, 3, S, S)."""
        x = self.first(F.adaptive_avg_pool2d(image, self.learned.heat_input) * 2 - 1)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up in self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            (skip,) = [skip for skip in skips if skip.shape[-1] == x.shape[-1]]
            x = up(torch.cat([x, skip], dim=1))
        plane = self.learned.heat_plane
        logits = self.heat(x).reshape(-1, self.learned.keypoints, self.depth, plane, plane)
        return kp.soft_argmax(10.0 * logits + self.start)


class PoseExpression(nn.Module):
    """Image → head pose (66 bins of 3° an angle), translation τ and expression ε_k.

    The pose comes from the whole image; ε_k comes from a patch around the posed
    keypoint k, through separate layers (ours). Face-vid2vid reads ε_k from the whole image; a
    training of minutes then misses lips that part by two pixels.
    """

    def __init__(self, sizes: Network, learned: LearnedKeypointParams) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, extent = 3, sizes.size
        width = learned.pose_channels
        while extent > 4:
            layers += [Layer(2, channels, width, stride=2)]
            layers += [Residual(2, width) for _ in range(learned.pose_blocks)]
            channels, extent, width = width, extent // 2, min(2 * width, 8 * learned.pose_channels)
        self.layers = nn.Sequential(*layers)
        # No pooling over the 4 × 4 plane: a mean would lose the position of the head.
        self.reduce = nn.Sequential(nn.Conv2d(channels, 32, 1), nn.Flatten(), nn.ReLU())
        self.hidden = nn.Sequential(nn.Linear(32 * 16, 256), nn.ReLU())
        self.bins = nn.Linear(256, 3 * kp.BINS)
        self.shift = nn.Linear(256, 3)
        for head in (self.bins, self.shift):
            nn.init.normal_(head.weight, std=0.002)
            nn.init.zeros_(head.bias)
        self.expression = PatchReader(learned)

    def forward(self, image: Tensor, canonical: Tensor) -> Maps:
        """Return angles (B, 3), rotation (B, 3, 3) for rows, shift (B, 3), expression (B, K, 3).

        Args:
            image: (B, 3, S, S).
            canonical: keypoints c of the image, (B, K, 3), which give the patches.
        """
        x = self.hidden(self.reduce(self.layers(image * 2 - 1)))
        with full_precision(image):
            angles = kp.expected_angle(self.bins(x.float()).view(-1, 3, kp.BINS))
            rotation, shift = kp.row_rotation(angles), self.shift(x.float())
        places = kp.transform(canonical, rotation, shift, torch.zeros_like(canonical))
        return {
            "angles": angles,
            "rotation": rotation,
            "shift": shift,
            "expression": self.expression(image, places[..., :2].detach()),
        }


class PatchReader(nn.Module):
    """Image and K places → three numbers a place from the patch around it, (B, K, 3)."""

    def __init__(self, learned: LearnedKeypointParams) -> None:
        super().__init__()
        width, grid = learned.near_channels, learned.near_grid
        self.features = nn.Sequential(
            Layer(2, 3, width // 2, stride=2), Layer(2, width // 2, width)
        )
        line = torch.linspace(-learned.near_reach, learned.near_reach, grid)
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.around: Tensor
        self.register_buffer("around", torch.stack([x, y], -1).view(-1, 2), persistent=False)
        inputs = width * grid * grid
        self.first = nn.Parameter(
            torch.randn(learned.keypoints, inputs, width) * (2 / inputs) ** 0.5
        )
        self.last = nn.Parameter(torch.randn(learned.keypoints, width, 3) * 0.002)
        self.first_bias = nn.Parameter(torch.zeros(learned.keypoints, 1, width))
        self.last_bias = nn.Parameter(torch.zeros(learned.keypoints, 1, 3))

    def forward(self, image: Tensor, places: Tensor) -> Tensor:
        """Read patches of images (B, 3, S, S) at places (B, K, 2) in [-1, 1]."""
        features = self.features(image * 2 - 1)
        with full_precision(image):
            patches = kp.warp(features.float(), places[:, :, None] + self.around)
            inputs = patches.permute(2, 0, 1, 3).flatten(2)  # (K, B, C · G²)
            hidden = F.relu(torch.baddbmm(self.first_bias, inputs, self.first))
            return torch.baddbmm(self.last_bias, hidden, self.last).transpose(0, 1)


class Appearance(nn.Module):
    """Image → 3D feature volume (B, C, D, H, W)."""

    def __init__(self, sizes: Network) -> None:
        super().__init__()
        self.volume = sizes.volume
        width = sizes.channels
        layers: list[nn.Module] = [nn.Conv2d(3, width, 5, padding=2), nn.ReLU()]
        for _ in range(sizes.halvings):
            layers.append(Layer(2, width, 2 * width, stride=2))
            width *= 2
        layers.append(nn.Conv2d(width, sizes.volume[0] * sizes.volume[1], 1))
        self.flat = nn.Sequential(*layers)
        self.solid = nn.Sequential(
            *(Residual(3, sizes.volume[0]) for _ in range(sizes.volume_blocks))
        )

    def forward(self, image: Tensor) -> Tensor:
        """Encode images (B, 3, S, S)."""
        flat = self.flat(image * 2 - 1)
        out: Tensor = self.solid(flat.reshape(-1, *self.volume, *flat.shape[-2:]))
        return out
