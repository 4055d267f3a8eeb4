"""Model files of other people, versions and purposes are refused in one line that names the file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipeline.runtime.user_errors import UserError
from stages.base.io.wav_files import write_wav
from stages.motion.model import NotTrained
from stages.render.any_audio import render_audio

Tensors = dict[str, torch.Tensor]
NAMES = ("motion", "generator", "audio")


def write_voice() -> Path:
    write_wav(Path("voice.wav"), np.random.default_rng(0).normal(0, 0.1, 6400))
    return Path("voice.wav")


def rows_twice(tensors: Tensors) -> Tensors:
    return {key: torch.cat([t, t]) if t.dim() > 1 else t for key, t in tensors.items()}


def whole_numbers(tensors: Tensors) -> Tensors:
    return {key: t.int() for key, t in tensors.items()}


def no_numbers(tensors: Tensors) -> Tensors:
    return {key: t * torch.nan if t.is_floating_point() else t for key, t in tensors.items()}


def one_other(tensors: Tensors) -> Tensors:
    return {"x": torch.zeros(1)}


def replaced(value: Any, change: Callable[[float], Any]) -> Any:
    if isinstance(value, dict):
        return {key: replaced(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [replaced(entry, change) for entry in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return change(value) if is_number else value


CONFIGS: dict[str, Callable[[Any], Any]] = {
    "empty": lambda _: {},
    "huge numbers": lambda config: replaced(config, lambda _: 2**20),
    "texts": lambda config: replaced(config, lambda _: "x"),
    "no mapping": lambda config: [config],
}


def rewrite(name: str, tensors: Callable[[Tensors], Tensors], config: Callable[[Any], Any]) -> Path:
    path = Path(f"models/{name}.safetensors")
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["config"])
    changed = config(metadata)
    content = tensors(load_file(path))
    save_file(content, path, metadata={"config": json.dumps(changed)})
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        render_audio("ann", "bob", write_voice(), Path("talk.mp4"))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("talk.mp4").exists()
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [rows_twice, whole_numbers, no_numbers, one_other])
def test_tensors_that_do_not_fit_are_refused(
    project: Path, name: str, change: Callable[[Tensors], Tensors]
) -> None:
    refused(rewrite(name, change, lambda config: config))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_configurations_that_do_not_fit_are_refused(project: Path, name: str, kind: str) -> None:
    refused(rewrite(name, lambda tensors: tensors, CONFIGS[kind]))


def test_one_model_in_the_place_of_another_is_refused(project: Path) -> None:
    shutil.copy("models/motion.safetensors", "kept")
    shutil.copy("models/generator.safetensors", "models/motion.safetensors")
    refused(Path("models/motion.safetensors"))
    shutil.copy("kept", "models/motion.safetensors")
    shutil.copy("kept", "models/generator.safetensors")
    refused(Path("models/generator.safetensors"))


def test_models_of_other_people_name_whom_they_were_trained_on(project: Path) -> None:
    def renamed(text: str) -> str:
        return text.replace("person.ann.", "person.eve.").replace("base.ann", "base.eve")

    rewrite(
        "motion",
        lambda tensors: {renamed(key): tensor for key, tensor in tensors.items()},
        lambda config: json.loads(json.dumps(config).replace('"ann"', '"eve"')),
    )
    with pytest.raises(NotTrained, match="the motion model was trained on eve, bob"):
        render_audio("ann", "bob", write_voice(), Path("talk.mp4"))
