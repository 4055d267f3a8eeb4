"""The networks: a U-Net with residual blocks, and a PatchGAN discriminator at two scales.

Sources: U-Net with residual blocks at each scale and tanh (LSP), PatchGAN (pix2pixHD). Ours: the
first down-sampling and the last up-sampling move pixels to channels and back, so no convolution
runs at full size; the frame is the source, sampled by the landmarks' warp plus a flow that the
network predicts, plus a difference by a scaled tanh that spans the range of the image.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.generator.restyling import Restyling

MAP_CHANNELS = 7
ISP_CHANNELS = 12
SOURCE_CHANNELS = 6  # the source as it is and as warped
PLACE_CHANNELS = 4  # a pixel's place in the image, and the warp's displacement there
_DISPLACEMENT_SCALE = 8.0  # brings the displacement to the range of the other channels
_SLOPE = 0.1
_LARGEST_FLOW = 1 / 16  # of the predicted flow, in widths of the image


def activate(x: Tensor) -> Tensor:
    """Apply the activation function of these networks, a leaky ReLU."""
    return F.leaky_relu(x, _SLOPE)


class Residual(nn.Module):
    """A residual block of two convolutions; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(cast("Tensor", self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape, (B, C, H, W)."""
        return x + cast("Tensor", self.second(activate(self.first(activate(x)))))


class UNet(nn.Module):
    """Source, facial map, four ISPs and the flag of restyling → frame.

    Args:
        size: width and height of the frame, a power of two; log2(size) − 1 down-samplings.
        channels: features after each down-sampling; the last value holds for all deeper ones.
    """

    def __init__(self, size: int, channels: Sequence[int]) -> None:
        super().__init__()
        depth = size.bit_length() - 2
        wide = [channels[min(i, len(channels) - 1)] for i in range(depth)]
        inputs = SOURCE_CHANNELS + MAP_CHANNELS + ISP_CHANNELS + PLACE_CHANNELS
        self.stem = nn.Conv2d(inputs * 4, wide[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(wide)
        )
        self.encode = nn.ModuleList(Residual(c) for c in wide)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(wide))
        self.join = nn.ModuleList(nn.Conv2d(2 * c, c, 1) for c in wide[:-1])
        self.decode = nn.ModuleList(Residual(c) for c in wide[:-1])
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                # Without normalisation torch's own initialisation would lose the signal on its way.
                nn.init.kaiming_normal_(layer.weight, _SLOPE)
                nn.init.zeros_(cast("Tensor", layer.bias))
        for block in (*self.encode, *self.decode):
            nn.init.zeros_(cast("Residual", block).second.weight)
        self.head = nn.Conv2d(wide[0], 3 * 4 + 2, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)  # starts as the warped source
        nn.init.zeros_(cast("Tensor", self.head.bias))
        self.restyling = Restyling(wide[0], 3 * 4 + 2)
        self.register_buffer("place", places(size).permute(0, 3, 1, 2), persistent=False)

    def forward(
        self,
        source: Tensor,
        grid: Tensor,
        maps: Tensor,
        isps: Tensor,
        flag: Tensor | None = None,
    ) -> Tensor:
        """Generate frames.

        Args:
            source: source image of the identity, (B, 3, H, W), −1 to 1.
            grid: place in the source of each pixel, (B, H, W, 2), −1 to 1 from edge to edge.
            maps: facial maps, (B, 7, H, W), 0 to 1.
            isps: the four ISPs, (B, 12, H, W), −1 to 1; black, −1, where dropped.
            flag: (B,), 1 where the map is of neutral motion, which the ISPs restyle, else 0; None
                for 0 everywhere.

        Returns:
            Frames, (B, 3, H, W), about −1 to 1; unbounded, so the gradient also reaches pixels
            that are too bright or too dark.
        """
        flow, change = self.predict(source, grid, maps, isps, flag)
        return sample(source, grid + flow) + change

    def predict(
        self,
        source: Tensor,
        grid: Tensor,
        maps: Tensor,
        isps: Tensor,
        flag: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Predict how frames differ from the warped source; arguments as of `forward`.

        Returns:
            The flow that is added to the grid, (B, H, W, 2), and the difference that is added to
            the sampled source, (B, 3, H, W).
        """
        warped = sample(source, grid)
        place = cast("Tensor", self.place).expand(len(source), -1, -1, -1)
        displacement = (grid.permute(0, 3, 1, 2) - place) * _DISPLACEMENT_SCALE
        x = torch.cat([source, warped, maps, isps, place, displacement], dim=1)
        x = self.stem(F.pixel_unshuffle(x, 2))
        if flag is not None:
            x = x + self.restyling.mark(flag, x)
        x = self.encode[0](x)
        skips = []
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            skips.append(x)
            x = encode(down(activate(x)))
        for i in reversed(range(len(skips))):
            x = self.up[i](activate(F.interpolate(x, scale_factor=2.0)))
            x = self.decode[i](self.join[i](torch.cat([x, skips[i]], dim=1)))
        x = activate(x)
        head = self.head(x)
        if flag is not None:
            more, gain = self.restyling(x, isps, flag)
            head = head + more
        flow = 2 * _LARGEST_FLOW * torch.tanh(head[:, 12:])
        flow = F.interpolate(flow, scale_factor=2.0, mode="bilinear", align_corners=False)
        if flag is not None:
            gain = F.interpolate(gain, scale_factor=2.0, mode="bilinear", align_corners=False)
            flow = flow + gain * (displacement / _DISPLACEMENT_SCALE)
        change = 2 * torch.tanh(F.pixel_shuffle(head[:, :12], 2) / 2)
        return flow.permute(0, 2, 3, 1), change


def places(size: int) -> Tensor:
    """Return the place of each pixel's centre, (1, size, size, 2), −1 to 1 from edge to edge."""
    steps = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)[None]


def sample(image: Tensor, grid: Tensor) -> Tensor:
    """Sample an image (B, C, H, W) at a grid (B, H, W, 2), bicubic, borders repeated."""
    return F.grid_sample(image, grid, "bicubic", "border", align_corners=False)


class Patches(nn.Module):
    """One PatchGAN: 4 × 4 convolutions, one score per patch."""

    def __init__(self, inputs: int, channels: int, layers: int) -> None:
        super().__init__()
        wide = [inputs, *(channels * min(2**i, 8) for i in range(layers))]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(wide)
        )
        self.verdict = nn.Conv2d(wide[-1], 1, 3, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of each layer, and last the patch scores, (B, 1, h, w)."""
        features = []
        for layer in self.layers:
            x = activate(layer(x))
            features.append(x)
        return [*features, self.verdict(x)]


class Discriminator(nn.Module):
    """Two PatchGANs, at full and at half size, on a frame and its facial map."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Patches(3 + MAP_CHANNELS, channels, layers) for _ in range(2))

    def forward(self, image: Tensor, maps: Tensor) -> list[list[Tensor]]:
        """Score frames (B, 3, H, W) with facial maps (B, 7, H, W); return a list a scale."""
        x = torch.cat([image, maps], dim=1)
        outputs = []
        for scale in self.scales:
            outputs.append(scale(x))
            x = F.avg_pool2d(x, 2)
        return outputs
