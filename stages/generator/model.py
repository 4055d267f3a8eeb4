"""The trained generator's model file: its weights and each identity's source images.

The source images are as large as the stored frames, so drawing needs no clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat
from stages.base.io.image_io import decode_png, encode_png
from stages.base.training import model_files
from stages.generator.driving import Amplitudes
from stages.generator.params import GeneratorParams
from stages.generator.source_images import Source
from stages.generator.warp_correction import WarpCorrection

_TODO = "run `idiolect repro`"
Sources = Mapping[str, Sequence[Source]]
_ARRAYS = ("points", "shoulders", "colours")
_CORRECTION_KEYS = [field.name for field in fields(WarpCorrection)]


def save(
    path: Path,
    weights: model_files.Weights,
    sources: Sources,
    amplitudes: Mapping[str, Amplitudes],
    params: GeneratorParams,
) -> None:
    """Write networks, sources and how much each person moves as one file.

    The configuration is JSON in the metadata.
    """
    tensors = model_files.flatten_modules(weights)
    subjects = {}
    for name, scenes in sources.items():
        for number, source in enumerate(scenes):
            arrays = {key: getattr(source, key) for key in _ARRAYS}
            arrays |= {f"correction.{k}": getattr(source.correction, k) for k in _CORRECTION_KEYS}
            arrays["png"] = np.frombuffer(bytearray(encode_png(source.image)), np.uint8)
            for key, value in arrays.items():
                tensors[f"source.{name}.{number}.{key}"] = torch.from_numpy(value)
        subjects[name] = [{"size": s.size, "clip": s.clip, "frame": s.frame} for s in scenes]
    config = {
        "generator": params.model_dump(mode="json"),
        "subjects": subjects,
        "amplitudes": {name: own._asdict() for name, own in amplitudes.items()},
    }
    model_files.save_model(path, tensors, config)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, tuple[Source, ...]]]:
    """Read a model file: its tensors, configuration and sources; raise MissingInput, BadFormat."""
    tensors, config = model_files.load_model(path)
    if "subjects" in config and "amplitudes" not in config:
        found = "the generator was trained by an earlier version, without restyling"
        raise BadFormat(path, found, "run `idiolect repro`")
    try:
        sources = {
            name: tuple(
                _source(model_files.module_tensors(tensors, f"source.{name}.{number}"), facts)
                for number, facts in enumerate(scenes)
            )
            for name, scenes in config["subjects"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFormat(path, f"is not a generator: its sources: {error}", _TODO) from None
    except BadFormat as error:
        found = f"a source image cannot be decoded: {error.found}"
        raise BadFormat(path, found, _TODO) from None
    return tensors, config, sources


def _source(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Source:
    correction = {key: tensors[f"correction.{key}"].numpy() for key in _CORRECTION_KEYS}
    return Source(
        **{key: tensors[key].numpy() for key in _ARRAYS},
        image=decode_png(tensors["png"].numpy().tobytes()),
        correction=WarpCorrection(**correction),
        size=int(facts["size"]),
        clip=str(facts["clip"]),
        frame=int(facts["frame"]),
    )


def load_base_weights(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    modules: Mapping[str, nn.Module],
) -> None:
    """Load a base model's weights into networks; raise BadFormat if shapes differ."""
    for name, module in modules.items():
        try:
            module.load_state_dict(model_files.module_tensors(tensors, name))
        except RuntimeError as error:
            channels = config.get("generator", {}).get("channels")
            first = str(error).splitlines()[0]
            found = f"does not fit params.yaml (channels {channels}): {first}"
            raise BadFormat(path, found) from None
