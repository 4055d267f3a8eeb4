"""The generator's model file: weights, and each identity's source images with their landmarks.

The sources lie in the file, so that drawing frames needs no clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat
from stages.base.io.image_io import Image
from stages.base.training import model_files
from stages.generator.network import UNet
from stages.generator.params import GeneratorParams
from stages.generator.refinement import Refinement

_WHOLE = ("image", "points", "shoulders", "look")  # a source's arrays


@dataclass(frozen=True)
class Source:
    """The source image of one identity in one scene, at training size.

    Attributes:
        image: (size, size, 3) RGB.
        points: its landmarks, (68, 2), px of the image.
        shoulders: its shoulder points, (18, 2), px of the image, or NaN.
        refinement: the scene's own correction of the warp.
        look: colours of the scene, see `scenes`.
        stored: width and height of the identity's stored frames, px.
        clip: the clip it was taken from.
        frame: index in that clip.
    """

    image: Image
    points: NDArray[np.float32]
    shoulders: NDArray[np.float32]
    refinement: Refinement
    look: NDArray[np.float32]
    stored: int
    clip: str
    frame: int


def save(
    path: Path,
    weights: model_files.Weights,
    sources: Mapping[str, Sequence[Source]],
    params: GeneratorParams,
) -> None:
    """Write networks and sources whole; the configuration is JSON in the metadata."""
    tensors = model_files.flatten_modules(weights)
    subjects = {}
    for name, scenes in sources.items():
        for number, source in enumerate(scenes):
            for key, value in _arrays(source).items():
                tensors[f"source.{name}.{number}.{key}"] = torch.from_numpy(value)
        subjects[name] = [{"stored": s.stored, "clip": s.clip, "frame": s.frame} for s in scenes]
    config = {"generator": params.model_dump(mode="json"), "subjects": subjects}
    model_files.save_model(path, tensors, config)


def _arrays(source: Source) -> dict[str, NDArray[Any]]:
    whole = {name: getattr(source, name) for name in _WHOLE}
    return whole | {f"refinement.{k}": v for k, v in vars(source.refinement).items()}


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, tuple[Source, ...]]]:
    """Read a model file: its tensors, configuration and sources; raise MissingInput, BadFormat."""
    tensors, config = model_files.load_model(path)
    try:
        sources = {
            name: tuple(
                _source(model_files.module_tensors(tensors, f"source.{name}.{number}"), facts)
                for number, facts in enumerate(scenes)
            )
            for name, scenes in config["subjects"].items()
        }
    except (KeyError, TypeError) as error:
        raise BadFormat(path, f"is no generator: {error} is missing") from None
    return tensors, config, sources


def _source(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Source:
    names = [field.name for field in fields(Refinement)]
    return Source(
        **{name: tensors[name].numpy() for name in _WHOLE},
        refinement=Refinement(**{n: tensors[f"refinement.{n}"].numpy() for n in names}),
        stored=int(facts["stored"]),
        clip=str(facts["clip"]),
        frame=int(facts["frame"]),
    )


def load_unet(path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> UNet:
    """Build the U-Net of a model file; raise BadFormat where weights and shape differ."""
    try:
        shape = config["generator"]
        unet = UNet(int(shape["size"]), tuple(shape["channels"]))
        unet.load_state_dict(model_files.module_tensors(tensors, "unet"))
    except (KeyError, RuntimeError) as error:
        raise BadFormat(path, f"is no generator: {str(error).splitlines()[0]}") from None
    unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return unet.eval()


def continue_from(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    modules: Mapping[str, nn.Module],
) -> None:
    """Put a base model's weights into networks; raise BadFormat where they do not fit."""
    for name, module in modules.items():
        try:
            module.load_state_dict(model_files.module_tensors(tensors, name))
        except RuntimeError as error:
            shape = config.get("generator", {}).get("channels")
            first = str(error).splitlines()[0]
            raise BadFormat(path, f"does not fit params.yaml (channels {shape}): {first}") from None
