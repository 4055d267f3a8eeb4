"""Layers of the networks, in two or three dimensions."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolution3d(nn.Conv3d):
    """A 3D convolution in fp32 on a CPU, even under autocast.

    Its bfloat16 gradient reads uninitialised memory (torch 2.13.0 on AVX-512, kernel 3 in a volume
    of depth 2: values up to 1e35, different in every run).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, D, H, W)."""
        if x.device.type != "cpu":
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


def convolution(dims: int, channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Return a convolution with padding `kernel // 2`."""
    kind: type[Any] = nn.Conv2d if dims == 2 else Convolution3d
    layer: nn.Module = kind(channels, out, kernel, stride=stride, padding=kernel // 2)
    return layer


def group_norm(channels: int) -> nn.GroupNorm:
    """Return a group normalisation with at most 8 groups of at least 4 channels."""
    groups = next(
        count for count in (8, 4, 2, 1) if channels % count == 0 and channels >= 4 * count
    )
    return nn.GroupNorm(groups, channels)


class Layer(nn.Sequential):
    """Convolution, normalisation, ReLU."""

    def __init__(
        self, dims: int, channels: int, out: int, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__(
            convolution(dims, channels, out, kernel, stride), group_norm(out), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Residual block of two normalised convolutions."""

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(channels), group_norm(channels)
        self.conv1 = convolution(dims, channels, channels)
        self.conv2 = convolution(dims, channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, …) to the same shape."""
        y = self.conv1(F.relu(self.norm1(x)))
        out: Tensor = x + self.conv2(F.relu(self.norm2(y)))
        return out


class StyledNorm(nn.Module):
    """Instance normalisation with scale and shift from the style and from a feature map.

    x̂ (1 + g(style) + G(map)) + b(style) + B(map): adaptive instance normalisation by the style
    information (ours) and SPADE by the warped features (face-vid2vid). Both start near identity.

    Args:
        channels: of x.
        style: width of the style code.
        guide: channels of the feature map.
        hidden: hidden channels of SPADE; 0 turns it off.
    """

    def __init__(self, channels: int, style: int, guide: int, hidden: int) -> None:
        super().__init__()
        self.by_style = nn.Linear(style, 2 * channels)
        nn.init.zeros_(self.by_style.weight)
        nn.init.zeros_(self.by_style.bias)
        self.by_map: nn.Sequential | None = None
        if hidden:
            last = nn.Conv2d(hidden, 2 * channels, 3, padding=1)
            nn.init.normal_(last.weight, std=0.02)
            self.by_map = nn.Sequential(
                nn.Conv2d(guide, hidden, 3, padding=1), nn.ReLU(inplace=True), last
            )

    def forward(self, x: Tensor, style: Tensor, guide: Tensor) -> Tensor:
        """Normalise (B, C, H, W) with a style (B, S) and a map (B, G, h, w) of any extent."""
        scale, shift = self.by_style(style)[:, :, None, None].chunk(2, dim=1)
        if self.by_map is not None:
            # Convolved before enlarging: SPADE at a sixteenth of its cost.
            modulation = self.by_map(guide)
            if modulation.shape[-1] != x.shape[-1]:
                modulation = F.interpolate(
                    modulation, size=x.shape[-2:], mode="bilinear", align_corners=False
                )
            g, b = modulation.chunk(2, dim=1)
            scale, shift = scale + g, shift + b
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        out: Tensor = (x - mean) * (variance + 1e-5).rsqrt() * (1 + scale) + shift
        return out


class StyledBlock(nn.Module):
    """Residual block of two styled normalisations (face-vid2vid's SPADE block, our modulation)."""

    def __init__(self, channels: int, out: int, style: int, guide: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = StyledNorm(channels, style, guide, hidden)
        self.norm2 = StyledNorm(out, style, guide, hidden)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor, style: Tensor, guide: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H, W), given a style (B, S) and a map (B, G, h, w)."""
        y = self.conv1(F.leaky_relu(self.norm1(x, style, guide), 0.2))
        y = self.conv2(F.leaky_relu(self.norm2(y, style, guide), 0.2))
        out: Tensor = self.shortcut(x) + y
        return out
