"""Frozen image networks for perceptual comparison: MobileNetV2, VGG-16 and VGG-19.

They return feature maps at several scales, for perceptual losses and matching; LPIPS is in
`stages.base.training.lpips`. All are trained on ImageNet. Input is RGB in [0, 1], which the network
normalises by ImageNet's mean and deviation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stages.base.training import pretrained
from stages.base.training.pretrained import BadWeights

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Expansion, channels out, blocks, stride of the first (Sandler et al. 2018, table 2).
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Channels out of each convolution, 0 for a pooling (Simonyan and Zisserman 2015, D and E).
VGG16_WIDTHS = (64, 64, 0, 128, 128, 0, *3 * (256,), 0, *3 * (512,), 0, *3 * (512,))
_VGG19 = (64, 64, 0, 128, 128, 0, *4 * (256,), 0, *4 * (512,), 0, *4 * (512,))
_RENAMED = {"vgg16_hed": "vgg16"}  # names of earlier versions, as old params have them


class Features(nn.Module):
    """A chain of layers that returns the outputs of some of them.

    Args:
        layers: the chain, under torchvision's key `features`.
        taps: indices of the layers whose output is returned; layers after the last are dropped.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Sequence[nn.Module], taps: Sequence[int]) -> None:
        super().__init__()
        if any(not 0 <= tap < len(layers) for tap in taps):
            raise IndexError(f"expected layers 0 to {len(layers) - 1}")
        self.taps = tuple(sorted(taps))
        self.features = nn.Sequential(*layers[: self.taps[-1] + 1])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def on(self, device: torch.device) -> Self:
        """Move the network to a device, where it is not there yet; return it."""
        return self if self.mean.device == device else self.to(device)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Compute the tapped maps of images (B, 3, H, W) in [0, 1], finest first."""
        x = (rgb - self.mean) / self.std
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


class MobileNetV2Features(Features):
    """MobileNetV2; default taps at 1/2, 1/4, 1/8, 1/16, 1/32: 16, 24, 32, 96, 1280 channels."""

    def __init__(self, taps: Sequence[int] = (1, 3, 6, 13, 18)) -> None:
        blocks: list[nn.Module] = [_convolution(3, 32, 3, 2)]
        channels = 32
        for expansion, out, count, stride in _STAGES:
            for index in range(count):
                blocks.append(_Residual(channels, out, stride if index == 0 else 1, expansion))
                channels = out
        super().__init__([*blocks, _convolution(channels, 1280, 1)], taps)


class VGG16Features(Features):
    """VGG-16 as in torchvision; default taps are the first activation of each scale."""

    def __init__(self, taps: Sequence[int] = (1, 6, 11, 18, 25)) -> None:
        super().__init__(vgg_layers(VGG16_WIDTHS), taps)


class VGG19Features(Features):
    """VGG-19 as in torchvision; default taps are the first activation of each scale."""

    def __init__(self, taps: Sequence[int] = (1, 6, 11, 20, 29)) -> None:
        super().__init__(vgg_layers(_VGG19), taps)


def vgg_layers(widths: Sequence[int]) -> list[nn.Module]:
    """Build 3 × 3 convolutions with activations, and poolings where a width is 0."""
    layers: list[nn.Module] = []
    channels = 3
    for out in widths:
        if out:
            # Not in place: a tap may be an activation that the next layer would overwrite.
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
        else:
            layers.append(nn.MaxPool2d(2))
    return layers


class _Residual(nn.Module):
    """Inverted residual: expand, filter each channel, project without an activation."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        expand = [_convolution(channels, hidden, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            _convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def _convolution(
    channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


def load_perceptual(name: str, taps: Sequence[int] | None = None) -> Features:
    """Load a frozen network, in evaluation mode, memory channels last.

    Args:
        name: mobilenet_v2 or vgg16 (or its name in earlier versions, vgg16_hed), or vgg19:SHA256,
            whose file the user puts into the folder of cached weights as SHA256.safetensors:
            torchvision's names, mean and scale (RGB, ImageNet).
        taps: layers whose outputs are returned, if not the network's default ones; layers after
            the last tap are not computed.

    Returns:
        A module from RGB (B, 3, H, W) in [0, 1] to a list of feature maps, finest first.

    Raises:
        BadWeights: no such network or layer, or its weights are missing or do not fit it.
    """
    networks: Mapping[str, Callable[..., Features]] = {
        "mobilenet_v2": MobileNetV2Features,
        "vgg16": VGG16Features,
        "vgg19": VGG19Features,
    }
    kind, _, sha256 = name.partition(":")
    kind = _RENAMED.get(kind, kind)
    if kind not in networks:
        raise BadWeights(name, f"no such perceptual network; known: {', '.join(networks)}")
    try:
        network = networks[kind](taps) if taps else networks[kind]()
    except IndexError as error:
        raise BadWeights(f"{kind}, taps {list(taps or ())}", str(error)) from None
    if kind == "vgg19":
        tensors = pretrained.load_user_weights(kind, sha256)
    elif kind == "vgg16":
        tensors = _vgg16_tensors(network.features)
    else:
        tensors = pretrained.load(kind)
    for key, value in network.state_dict().items():
        if key not in tensors or tensors[key].shape != value.shape:
            raise BadWeights(name, f"{key} is missing, or has another shape than {kind}'s")
    network.load_state_dict({key: tensors[key] for key in network.state_dict()})
    network.eval().requires_grad_(requires_grad=False)
    _fold(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _vgg16_tensors(layers: nn.Sequential) -> dict[str, Tensor]:
    """Read the convolutions' tensors from the weights of LPIPS (VGG), under torchvision's names."""
    arrays = pretrained.load("lpips_vgg")
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    kernels = {
        f"features.{i}.weight": arrays[f"VGG16_0.Conv_{n}.kernel"]
        for n, i in enumerate(convolutions)
    }
    biases = {
        f"features.{i}.bias": arrays[f"VGG16_0.Conv_{n}.bias"] for n, i in enumerate(convolutions)
    }
    return kernels | biases


def _fold(module: nn.Module) -> None:
    """Fold each normalisation into the convolution before it: the same function, a third faster."""
    for child in module.children():
        _fold(child)
    if isinstance(module, nn.Sequential):
        for index in range(len(module) - 1):
            first, second = module[index], module[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(first, second)
                module[index + 1] = nn.Identity()
