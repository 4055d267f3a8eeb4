"""Layers that the networks are built of; two- and three-dimensional by one argument."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolution3d(nn.Conv3d):
    """A 3D convolution that a CPU computes in fp32, under autocast too.

    Its gradient in bfloat16 reads memory that nobody wrote (torch 2.13.0 on AVX-512, kernel 3 in a
    volume of depth 2: values up to 1e35, others each time).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, D, H, W)."""
        if x.device.type != "cpu":
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


def convolution(dims: int, channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Return a convolution that keeps (or divides by its stride) the extent."""
    kind: type[Any] = nn.Conv2d if dims == 2 else Convolution3d
    made: nn.Module = kind(channels, out, kernel, stride=stride, padding=kernel // 2)
    return made


def group_norm(channels: int) -> nn.GroupNorm:
    """Return a normalisation over groups of at least 4 channels, at most 8 groups."""
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
    """Two normalised convolutions beside the identity."""

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
    """Instance normalisation whose scale and shift come from the style and from a feature map.

    x̂ (1 + g(style) + G(map)) + b(style) + B(map): adaptive instance normalisation by the style
    information (ours) and SPADE by the warped features (F). Both start as little or no change.

    Args:
        channels: of x.
        style: width of the style code.
        guide: channels of the feature map.
        hidden: hidden channels of SPADE; 0 leaves it out.
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
            # At the map's own extent, enlarged after: as SPADE, at a sixteenth of its cost.
            g, b = _as_large_as(self.by_map(guide), x).chunk(2, dim=1)
            scale, shift = scale + g, shift + b
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        out: Tensor = (x - mean) * (variance + 1e-5).rsqrt() * (1 + scale) + shift
        return out


class StyledBlock(nn.Module):
    """Residual block of two styled normalisations, F's SPADE block with our modulation."""

    def __init__(self, channels: int, out: int, style: int, guide: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = StyledNorm(channels, style, guide, hidden)
        self.norm2 = StyledNorm(out, style, guide, hidden)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor, style: Tensor, guide: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H, W)."""
        y = self.conv1(F.leaky_relu(self.norm1(x, style, guide), 0.2))
        y = self.conv2(F.leaky_relu(self.norm2(y, style, guide), 0.2))
        out: Tensor = self.shortcut(x) + y
        return out


def _as_large_as(x: Tensor, other: Tensor) -> Tensor:
    if x.shape[-1] == other.shape[-1]:
        return x
    return F.interpolate(x, size=other.shape[-2:], mode="bilinear", align_corners=False)
