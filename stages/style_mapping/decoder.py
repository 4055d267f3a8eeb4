"""The intermediate generator: warped features and style information become an image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.style_mapping.blocks import StyledBlock
from stages.style_mapping.params import Network


class IntermediateGenerator(nn.Module):
    """Warped features and style information (R̄, τ̄, ε̄) → image.

    The style enters as scale and shift of every normalisation (ours; the paper says only that it
    goes in). With `skip`, a mask blends what is painted with the image warped by the same flow.
    """

    def __init__(self, sizes: Network) -> None:
        super().__init__()
        self.sizes = sizes
        guide = sizes.volume[0] * sizes.volume[1]
        code = sizes.style_channels
        self.style = nn.Sequential(
            nn.Linear(12 + 3 * sizes.keypoints, code), nn.ReLU(), nn.Linear(code, code), nn.ReLU()
        )
        width = sizes.decoder_channels
        self.first = nn.Conv2d(guide, width, 3, padding=1)
        blocks = [
            StyledBlock(width, width, code, guide, sizes.spade_channels)
            for _ in range(sizes.decoder_blocks)
        ]
        for _ in range(sizes.halvings):
            blocks.append(StyledBlock(width, width // 2, code, guide, sizes.spade_channels))
            width //= 2
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(
            width + (3 if sizes.skip else 0), 4 if sizes.skip else 3, 3, padding=1
        )
        if sizes.skip:
            with torch.no_grad():
                assert self.last.bias is not None
                self.last.bias[3] = 1.0

    def forward(self, features: Tensor, image: Tensor, style: Tensor) -> Tensor:
        """Paint.

        Args:
            features: warped volume, occluded, depth folded into channels, (B, C·D, H, W).
            image: the neutral image warped by the flow at its surface, (B, 3, S, S).
            style: R̄ (9), τ̄ (3), ε̄ (3K) side by side, (B, 12 + 3K).

        Returns:
            Image, (B, 3, S, S), in [0, 1].
        """
        code = self.style(style)
        x = self.first(features)
        for index, block in enumerate(self.blocks):
            x = block(x, code, features)
            if index >= self.sizes.decoder_blocks:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.leaky_relu(x, 0.2)
        if not self.sizes.skip:
            whole: Tensor = self.last(x).sigmoid()
            return whole
        painted: Tensor = self.last(torch.cat([x, image * 2 - 1], dim=1)).sigmoid()
        rgb, mask = painted[:, :3], painted[:, 3:]
        return mask * image + (1 - mask) * rgb
