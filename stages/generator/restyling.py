"""What the generator adds where its flag is 1: the ISPs enlarge or calm the motion of the map.

Ours. The flag is a plane of the first convolution. A code is read from how the four ISPs differ
from their mean: that is the amplitude of the style, and dropped ISPs, all alike, have the code 0.
The code multiplies features of the last layer; out come a difference to the network's head and the
gain of the warp's displacement. The last layers start at 0, and at a flag of 0 none of this is
computed: the frame is then that of the same network without this part.
"""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SIDE = 64  # ISPs are read at this size, px
_CHANNELS = (16, 32, 32, 32)
_CODE = 16
_SLOPE = 0.1
_CONTRAST = 4.0  # brings the differences of ISPs, mostly small, to the range of other inputs


class Restyling(nn.Module):
    """The part of the U-Net that serves frames of neutral motion.

    Args:
        channels: of the U-Net's finest features.
        outputs: channels of the U-Net's head.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the other networks start as without this part
            self.flag = nn.Conv2d(4, channels, 3, padding=1, bias=False)
            self.read = nn.ModuleList(
                nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False)
                for a, b in pairwise((12, *_CHANNELS))
            )
            side = _SIDE // 2 ** len(_CHANNELS)
            self.code = nn.Linear(_CHANNELS[-1] * side**2, _CODE, bias=False)
            self.features = nn.Conv2d(channels, channels, 3, padding=1)
            self.gate = nn.Linear(_CODE, channels, bias=False)
            self.out = nn.Conv2d(channels, outputs + 1, 3, padding=1, bias=False)
            for layer in (*self.read, self.features):
                nn.init.kaiming_normal_(cast("nn.Conv2d", layer).weight, _SLOPE)
        nn.init.zeros_(self.flag.weight)
        nn.init.zeros_(self.out.weight)

    def mark(self, flag: Tensor, x: Tensor) -> Tensor:
        """Return what the plane of a flag, (B,), adds to the first features, (B, C, h, w)."""
        plane = flag.to(x)[:, None, None, None].expand(-1, 4, *x.shape[2:])
        return cast("Tensor", self.flag(plane))

    def style_code(self, isps: Tensor) -> Tensor:
        """Read ISPs, (B, 12, H, W); return their code, (B, 16), 0 where all four are alike."""
        x = F.interpolate(isps, (_SIDE, _SIDE), mode="area")
        four = x.reshape(len(x), 4, 3, _SIDE, _SIDE)
        x = _CONTRAST * (four - four.mean(1, keepdim=True)).flatten(1, 2)
        for layer in self.read:
            x = F.leaky_relu(layer(x), _SLOPE)
        return cast("Tensor", self.code(x.flatten(1)))

    def forward(self, x: Tensor, isps: Tensor, flag: Tensor) -> tuple[Tensor, Tensor]:
        """Restyle the marked frames of a batch.

        Args:
            x: activated finest features of the decoder, (B, C, h, w).
            isps: (B, 12, H, W), −1 to 1.
            flag: (B,), 0 or 1.

        Returns:
            What is added to the head, (B, outputs, h, w), and the gain of the displacement,
            (B, 1, h, w), −1 to 1; both 0 where the flag is 0.
        """
        gate = self.gate(self.style_code(isps)) * flag.to(x)[:, None]
        features = F.leaky_relu(self.features(x), _SLOPE) * gate[:, :, None, None]
        out = self.out(features)
        return out[:, :-1], torch.tanh(out[:, -1:])
