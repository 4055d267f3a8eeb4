"""Weights that a user brings: a network of random weights in the folder of cached weights."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from stages.base.training import pretrained


def bring(build: type[nn.Module], *sizes: object, cache: Path) -> str:
    """Write a network's random weights below a cache folder; return their sha256."""
    torch.manual_seed(1)
    network = build(*sizes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    content = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    sha256 = hashlib.sha256(content).hexdigest()
    folder = cache / pretrained.folder().relative_to(cache)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{sha256}.safetensors").write_bytes(content)
    return sha256
