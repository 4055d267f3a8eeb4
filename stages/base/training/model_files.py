"""Read and write trained models: tensors and a configuration, as safetensors."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat, MissingInput

Weights = dict[str, dict[str, Tensor]]
M = TypeVar("M", bound=nn.Module)
_TODO = "run `idiolect repro`"
_LONGEST_HEADER = 16 << 20  # bytes; ours have about 100 per tensor


def save_model(path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Write a model's tensors, and its configuration as JSON in the metadata; atomic."""
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_file(path) as part:
        save_file(flat, part, metadata={"config": json.dumps(config, sort_keys=True)})


def load_model(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a model's whole file at once: tensors and configuration.

    Raises:
        MissingInput: there is no such file.
        BadFormat: it is no model, or is only partly written.
    """
    if not path.is_file():
        raise MissingInput(path, "no trained model here", "run `idiolect repro`")
    try:
        with path.open("rb") as file:
            config = _read_config(file)
            file.seek(0)
            # Not mapped: a mapped file that is overwritten kills its readers.
            return load(file.read()), config
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadFormat(path, f"is not a model file of this project: {reason}", _TODO) from None


def _read_config(file: IO[bytes]) -> dict[str, Any]:
    """Read the configuration of a model file whose size is as its header says.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is not.
    """
    size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
    if not 0 < length <= min(_LONGEST_HEADER, size - 8):
        raise ValueError(f"its header would be {length} bytes long")
    header = json.loads(file.read(length))
    text = header["__metadata__"]["config"]
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if (expected := 8 + length + max(ends, default=0)) != size:
        raise ValueError(f"expected {expected} bytes by its header, found {size}")
    config = json.loads(text)
    if not isinstance(config, dict):
        raise TypeError("its configuration is not a mapping")
    return config


def load_weights(path: Path, build: Callable[[], M], tensors: Mapping[str, Tensor]) -> M:
    """Build a network and load its weights, after a look at their shapes.

    Args:
        path: of the model file, for errors.
        build: makes the network; called on the meta device first, which takes no memory.
        tensors: its state dict.

    Raises:
        BadFormat: a tensor is missing or unknown, has another shape than the configuration says,
            or holds numbers that are not finite.
    """
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    for name in sorted({*shapes, *tensors}):
        found = tuple(tensors[name].shape) if name in tensors else "none"
        if (expected := shapes.get(name, "none")) != found:
            raise BadFormat(path, f"tensor {name}: expected {expected}, found {found}", _TODO)
        check_finite(path, name, tensors[name])
    network = build()
    network.load_state_dict(dict(tensors))
    return network


def check_finite(path: Path, name: str, tensor: Tensor) -> None:
    """Raise BadFormat unless a tensor of a model file holds finite floating-point numbers."""
    if not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise BadFormat(
            path, f"tensor {name}: expected floating-point numbers, found {kind}", _TODO
        )
    if not torch.isfinite(tensor).all():
        raise BadFormat(path, f"tensor {name}: holds numbers that are not finite", _TODO)


def flatten_modules(weights: Weights) -> dict[str, Tensor]:
    """Flatten module name → state dict to one mapping, `NAME.PARAMETER`."""
    return {
        f"{name}.{key}": tensor
        for name, state_dict in weights.items()
        for key, tensor in state_dict.items()
    }


def module_tensors(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the state dict of one module from a flattened mapping."""
    start = name + "."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
