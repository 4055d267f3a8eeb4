"""ArcFace (Deng et al. 2019): face descriptors of 512 numbers, by weights that the user brings.

    descriptor = load_descriptor(SHA256)
    descriptor(image, points)              # compare two by `face_identity.similarity`

No package carries the weights. The file is a safetensors file of an IResNet (18 to 200 layers) with
the names of insightface's `arcface_torch`, in the folder of cached weights under its own sha256.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stages.base.arrays import Floats
from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import Image, opencv_transform
from stages.base.training import pretrained
from stages.base.training.user_networks import load_into_network

SIZE, FEATURES = 112, 512  # px of the aligned face; numbers of a descriptor
_WIDTHS = (64, 128, 256, 512)
# Where ArcFace's alignment puts eyes, tip of the nose and corners of the mouth, px.
_TEMPLATE = 0.5 + np.array(  # our coordinates of a pixel's centre are 0.5 more
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
Descriptor = Callable[[Image, ArrayLike], Floats]


class _Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.prelu = nn.PReLU(out)
        self.conv2 = nn.Conv2d(out, out, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        outer: Tensor = self.bn3(self.conv2(inner)) + self.downsample(x)
        return outer


class IResNet(nn.Module):
    """ArcFace's residual network: aligned faces (B, 3, 112, 112) in [-1, 1] to (B, 512).

    Args:
        blocks: of each of the four layers: 3, 4, 14, 3 for 50 layers.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = nn.PReLU(_WIDTHS[0])
        layers, channels = [], _WIDTHS[0]
        for width, count in zip(_WIDTHS, blocks, strict=True):
            rest = (_Block(width, width, 1) for _ in range(count - 1))
            layers.append(nn.Sequential(_Block(channels, width, 2), *rest))
            channels = width
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.bn2 = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels * (SIZE // 16) ** 2, FEATURES)
        self.features = nn.BatchNorm1d(FEATURES)

    def forward(self, faces: Tensor) -> Tensor:
        """Describe aligned faces."""
        x = self.prelu(self.bn1(self.conv1(faces)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        described: Tensor = self.features(self.fc(self.bn2(x).flatten(1)))
        return described


@cache
def load_descriptor(sha256: str) -> Descriptor:
    """Load the user's network; return the function that describes a face, (512,).

    It takes an RGB image (H, W, 3) and its 68 landmarks (68, 2), px, and returns NaN where a
    landmark is NaN.

    Raises:
        BadWeights: the file is missing, has another sha256, or is of another network.
    """
    tensors = pretrained.load_user_weights("arcface", sha256)
    network = IResNet(_count_blocks(tensors))
    load_into_network(network, tensors, "ArcFace's IResNet")

    def descriptor(image: Image, points: ArrayLike) -> Floats:
        at = np.asarray(points, float)
        if not np.isfinite(at).all():
            return np.full(FEATURES, np.nan)
        face = torch.from_numpy(align(image, at)).permute(2, 0, 1).float()[None]
        return np.asarray(network(face / 127.5 - 1)[0].numpy(), float)

    return descriptor


def align(image: Image, points: Floats) -> Image:
    """Cut out a face, (112, 112, 3), whose eyes, nose and mouth corners lie as ArcFace has them."""
    own = [points[36:42].mean(0), points[42:48].mean(0), *points[[30, 48, 54]]]
    transform = opencv_transform(fit_similarity(np.array(own), _TEMPLATE))
    return np.asarray(cv2.warpAffine(image, transform, (SIZE, SIZE), flags=cv2.INTER_LINEAR))


def _count_blocks(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Count the blocks of each layer by the tensors' names; 1 at least."""
    first = re.compile(r"layer(\d)\.\d+\.conv1\.weight")
    layers = [found[1] for found in map(first.fullmatch, tensors) if found]
    return tuple(max(1, layers.count(str(layer))) for layer in range(1, len(_WIDTHS) + 1))
