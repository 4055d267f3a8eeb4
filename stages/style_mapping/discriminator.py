"""Multi-scale patch discriminator of the style mapping."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Judged = tuple[list[Tensor], list[list[Tensor]]]


class PatchDiscriminator(nn.Module):
    """One score a patch; spectral normalisation keeps it from winning too soon."""

    def __init__(self, channels: int, layers: int = 3) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, width = 3, channels
        for index in range(layers):
            conv = spectral_norm(nn.Conv2d(before, width, 4, stride=2, padding=1))
            norm = nn.InstanceNorm2d(width) if index else nn.Identity()
            blocks.append(nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))
            before, width = width, min(2 * width, 8 * channels)
        self.blocks = nn.ModuleList(blocks)
        self.score = spectral_norm(nn.Conv2d(before, 1, 3, padding=1))

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge images (B, 3, H, W): scores (B, 1, h, w) and the maps on the way."""
        maps, x = [], image * 2 - 1
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return self.score(x), maps


class MultiScale(nn.Module):
    """Patch discriminators on the image and on its halves."""

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(channels) for _ in range(scales))

    def forward(self, image: Tensor) -> Judged:
        """Return scores and maps of every scale, finest first."""
        scores, maps = [], []
        for index, scale in enumerate(self.scales):
            score, layers = scale(F.avg_pool2d(image, 1 << index) if index else image)
            scores.append(score)
            maps.append(layers)
        return scores, maps
