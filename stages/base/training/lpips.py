"""LPIPS, the learned perceptual image patch similarity (Zhang et al. 2018, version 0.1).

    judge = load_lpips("alex")
    judge(first, second)          # (B,), RGB images (B, 3, H, W) in [0, 1]
    true = judge.features(truth)  # once for several images that are compared with it
    judge.distance(judge.features(image), true)

The backbone is torchvision's AlexNet or VGG-16 trained on ImageNet; the linear heads are the
authors'. Both come from `lpips_alex` and `lpips_vgg` of `stages.base.training.pretrained`, whose
values a test compares with those of the published code.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.base.training import pretrained
from stages.base.training.perceptual import VGG16_WIDTHS, vgg_layers

# The authors' input scaling, for images in [-1, 1].
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10  # the authors': added to the norm of a feature vector
_ALEX_TAPS, _VGG_TAPS = (1, 4, 7, 9, 11), (3, 8, 15, 22, 29)
Backbone = Literal["alex", "vgg"]


class LPIPS(nn.Module):
    """Distance of two images: normalised feature differences, weighted and averaged.

    Args:
        layers: the backbone's layers, in order.
        taps: indices of the layers whose activations are compared.
        channels: channels of each tapped activation.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, layers: Sequence[nn.Module], taps: Sequence[int], channels: Sequence[int]
    ) -> None:
        super().__init__()
        edges = [0, *(tap + 1 for tap in taps)]
        self.slices = nn.ModuleList(nn.Sequential(*layers[a:b]) for a, b in pairwise(edges))
        self.heads = nn.ParameterList(nn.Parameter(torch.zeros(1, c, 1, 1)) for c in channels)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance of each pair, (B,); images are RGB (B, 3, H, W) in [0, 1]."""
        return self.distance(self.features(first), self.features(second))

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Compute the normalised activations of images, (B, C, H, W) for each tapped layer."""
        x, maps = ((2 * rgb - 1) - self.shift) / self.scale, []
        for piece in self.slices:
            x = piece(x)
            maps.append(_normalised(x))
        return maps

    def distance(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Return the distance of each pair of images, (B,), from their features."""
        distances: list[Tensor] = [
            F.conv2d((a - b).square(), head).mean((1, 2, 3))
            for a, b, head in zip(first, second, self.heads, strict=True)
        ]
        return torch.stack(distances).sum(0)


def _normalised(maps: Tensor) -> Tensor:
    """Divide each pixel's feature vector by its length."""
    lengths: Tensor = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    return maps / (lengths + _EPSILON)


def _alexnet() -> list[nn.Module]:
    """Build AlexNet's convolutions as torchvision orders them (Krizhevsky 2014)."""
    return [
        nn.Conv2d(3, 64, 11, 4, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    ]


def build(backbone: Backbone) -> LPIPS:
    """Build the network without its weights."""
    if backbone == "alex":
        return LPIPS(_alexnet(), _ALEX_TAPS, (64, 192, 384, 256, 256))
    return LPIPS(vgg_layers(VGG16_WIDTHS), _VGG_TAPS, (64, 128, 256, 512, 512))


def load_lpips(backbone: Backbone) -> LPIPS:
    """Load LPIPS, frozen and in evaluation mode.

    Raises:
        BadWeights: its weights cannot be loaded.
    """
    tensors = pretrained.load(f"lpips_{backbone}")
    network = build(backbone)
    body = "AlexNet_0" if backbone == "alex" else "VGG16_0"
    convolutions = [layer for layer in network.slices.modules() if isinstance(layer, nn.Conv2d)]
    for index, layer in enumerate(convolutions):
        layer.load_state_dict(
            {
                "weight": tensors[f"{body}.Conv_{index}.kernel"],
                "bias": tensors[f"{body}.Conv_{index}.bias"],
            }
        )
    for index, head in enumerate(network.heads):
        head.data = tensors[f"NetLinLayer_{index}.Conv_0.kernel"]
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster
    return network.eval().requires_grad_(requires_grad=False)
