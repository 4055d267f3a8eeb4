"""Inception v3 of FID (Szegedy et al. 2016, release 2015-12-05), with weights from the user.

    features = load_inception(SHA256)
    features(images)                       # RGB (B, 3, H, W) in [0, 1] to (B, 2048)

No package carries the weights. The file is a safetensors file with the names of `pytorch-fid`'s
port (torchvision's), in the folder of cached weights under its own sha256. Unlike torchvision:
average pooling excludes padding, and the last block uses max pooling.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.base.training import pretrained
from stages.base.training.user_networks import load_into_network

SIZE = 299  # px of the input
_Padding = int | tuple[int, int]
_LONG, _TALL = ((1, 7), (0, 3)), ((7, 1), (3, 0))  # kernel and padding
_WIDE, _HIGH = ((1, 3), (0, 1)), ((3, 1), (1, 0))


class _Convolution(nn.Module):
    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int | tuple[int, int],
        padding: _Padding = 0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


class _Mixed35(nn.Module):
    """Block of the 35×35 plane."""

    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(channels, 64, 1)
        self.branch5x5_1 = _Convolution(channels, 48, 1)
        self.branch5x5_2 = _Convolution(48, 64, 5, 2)
        self.branch3x3dbl_1 = _Convolution(channels, 64, 1)
        self.branch3x3dbl_2 = _Convolution(64, 96, 3, 1)
        self.branch3x3dbl_3 = _Convolution(96, 96, 3, 1)
        self.branch_pool = _Convolution(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five, pool = self.branch5x5_2(self.branch5x5_1(x)), self.branch_pool(_average(x))
        return torch.cat([self.branch1x1(x), five, double, pool], 1)


class _Mixed35To17(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = _Convolution(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Convolution(channels, 64, 1)
        self.branch3x3dbl_2 = _Convolution(64, 96, 3, 1)
        self.branch3x3dbl_3 = _Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class _Mixed17(nn.Module):
    """Block of the 17×17 plane, whose 7×7 convolutions are pairs of 1×7 and 7×1."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(768, 192, 1)
        self.branch7x7_1 = _Convolution(768, inner, 1)
        self.branch7x7_2 = _Convolution(inner, inner, *_LONG)
        self.branch7x7_3 = _Convolution(inner, 192, *_TALL)
        self.branch7x7dbl_1 = _Convolution(768, inner, 1)
        self.branch7x7dbl_2 = _Convolution(inner, inner, *_TALL)
        self.branch7x7dbl_3 = _Convolution(inner, inner, *_LONG)
        self.branch7x7dbl_4 = _Convolution(inner, inner, *_TALL)
        self.branch7x7dbl_5 = _Convolution(inner, 192, *_LONG)
        self.branch_pool = _Convolution(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_average(x))], 1)


class _Mixed17To8(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = _Convolution(768, 192, 1)
        self.branch3x3_2 = _Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Convolution(768, 192, 1)
        self.branch7x7x3_2 = _Convolution(192, 192, *_LONG)
        self.branch7x7x3_3 = _Convolution(192, 192, *_TALL)
        self.branch7x7x3_4 = _Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        three = self.branch3x3_2(self.branch3x3_1(x))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class _Mixed8(nn.Module):
    """Block of the 8×8 plane."""

    def __init__(self, channels: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(channels, 320, 1)
        self.branch3x3_1 = _Convolution(channels, 384, 1)
        self.branch3x3_2a = _Convolution(384, 384, *_WIDE)
        self.branch3x3_2b = _Convolution(384, 384, *_HIGH)
        self.branch3x3dbl_1 = _Convolution(channels, 448, 1)
        self.branch3x3dbl_2 = _Convolution(448, 384, 3, 1)
        self.branch3x3dbl_3a = _Convolution(384, 384, *_WIDE)
        self.branch3x3dbl_3b = _Convolution(384, 384, *_HIGH)
        self.branch_pool = _Convolution(channels, 192, 1)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        threes = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        doubles = [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        pooled = self.branch_pool(self.pool(x))
        return torch.cat([self.branch1x1(x), *threes, *doubles, pooled], 1)


class Inception(nn.Module):
    """RGB images (B, 3, H, W) in [0, 1] to features (B, 2048), the mean over the last plane."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, 3, 1)
        self.Conv2d_3b_1x1 = _Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = _Convolution(80, 192, 3)
        self.Mixed_5b = _Mixed35(192, 32)
        self.Mixed_5c = _Mixed35(256, 64)
        self.Mixed_5d = _Mixed35(288, 64)
        self.Mixed_6a = _Mixed35To17(288)
        self.Mixed_6b = _Mixed17(128)
        self.Mixed_6c = _Mixed17(160)
        self.Mixed_6d = _Mixed17(160)
        self.Mixed_6e = _Mixed17(192)
        self.Mixed_7a = _Mixed17To8()
        self.Mixed_7b = _Mixed8(1280, _average)
        self.Mixed_7c = _Mixed8(2048, _maximum)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of images, which are scaled to 299 px."""
        size = (SIZE, SIZE)
        x = 2 * F.interpolate(images, size=size, mode="bilinear", align_corners=False) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))
        features: Tensor = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
        return features


def load_inception(sha256: str) -> Inception:
    """Load the user's network, frozen.

    Raises:
        BadWeights: the file is missing, has another sha256, or is of another network.
    """
    network = Inception()
    load_into_network(
        network, pretrained.load_user_weights("inception", sha256), "FID's Inception v3"
    )
    return network
