"""Read and write trained models: tensors and a configuration, as safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat, MissingInput

Weights = dict[str, dict[str, Tensor]]


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
        raise MissingInput(path, "no trained model here", "run `dvc repro`")
    content = path.read_bytes()  # a mapped file that is overwritten kills its readers
    try:
        size = int.from_bytes(content[:8], "little")
        config = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["config"])
        return load(content), config
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadFormat(path, f"is no model file of this project: {error}") from None


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
