"""The trained generator: its model file, and the frames that it draws.

The file holds the weights and each identity's source images with their landmarks, so drawing
needs no clip.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.io.image_io import Image, resize
from stages.base.training import model_files
from stages.generator.artifacts import MODEL
from stages.generator.conditioning import (
    facial_map,
    images_to_tensor,
    maps_to_tensor,
    stack_isps,
    tensor_to_images,
)
from stages.generator.driving import Driving
from stages.generator.network import UNet, sample
from stages.generator.params import GeneratorParams
from stages.generator.source_images import Source
from stages.generator.warp_correction import WarpCorrection

Sources = Mapping[str, Sequence[Source]]
# Attribute of a source to its key in the file.
_SOURCE_KEYS = {"image": "image", "points": "points", "shoulders": "shoulders", "colours": "look"}
_CORRECTION_KEYS = [field.name for field in fields(WarpCorrection)]


def save(
    path: Path, weights: model_files.Weights, sources: Sources, params: GeneratorParams
) -> None:
    """Write networks and sources as one file; the configuration is JSON in the metadata."""
    tensors = model_files.flatten_modules(weights)
    subjects = {}
    for name, scenes in sources.items():
        for number, source in enumerate(scenes):
            arrays = {key: getattr(source, attr) for attr, key in _SOURCE_KEYS.items()}
            arrays |= {f"refinement.{k}": getattr(source.correction, k) for k in _CORRECTION_KEYS}
            for key, value in arrays.items():
                tensors[f"source.{name}.{number}.{key}"] = torch.from_numpy(value)
        subjects[name] = [{"stored": s.stored, "clip": s.clip, "frame": s.frame} for s in scenes]
    config = {"generator": params.model_dump(mode="json"), "subjects": subjects}
    model_files.save_model(path, tensors, config)


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
    correction = {key: tensors[f"refinement.{key}"].numpy() for key in _CORRECTION_KEYS}
    return Source(
        **{name: tensors[key].numpy() for name, key in _SOURCE_KEYS.items()},
        correction=WarpCorrection(**correction),
        stored=int(facts["stored"]),
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


class Generator:
    """A trained generator of all its seen subjects.

    Attributes:
        size: width and height of the frames that it draws, px.
        subjects: the identities that it can draw.
        sources: the source images of each identity, one per scene, the default first.
    """

    def __init__(self, unet: UNet, sources: Sources, size: int) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.unet = unet.to(self.device)
        self.sources = dict(sources)
        self.subjects = tuple(self.sources)
        self.size = size

    @classmethod
    def load(cls, path: Path = MODEL) -> "Generator":
        """Read a generator that a training stage wrote; raise MissingInput or BadFormat."""
        tensors, config, sources = read(path)
        try:
            shape = config["generator"]
            size = int(shape["size"])
            unet = UNet(size, tuple(shape["channels"]))
            unet.load_state_dict(model_files.module_tensors(tensors, "unet"))
        except (KeyError, RuntimeError) as error:
            raise BadFormat(path, f"is no generator: {str(error).splitlines()[0]}") from None
        unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(unet.eval(), sources, size)

    def default_source(self, identity: str) -> Source:
        """Return the first source of an identity; raise UserError for an unknown one."""
        if identity not in self.sources:
            raise UserError(identity, f"not an identity of this model: {', '.join(self.subjects)}")
        return self.sources[identity][0]

    def frames(
        self, source: Source, driving: Driving, isps: Image, batch: int = 8
    ) -> Iterator[Image]:
        """Draw one frame per row, in order, one batch in memory at a time.

        Args:
            source: the identity's source image.
            driving: N rows, px of the identity's stored frame; unknown irises and shoulders, NaN,
                are not drawn.
            isps: the four ISPs None, M, R, O of the style, (4, H, W, 3), RGB, any size; all
                black drops them, as training does for a share of its frames.
            batch: frames computed together.

        Yields:
            Frames, (size, size, 3), RGB.
        """
        rows = driving.scaled(self.size / source.stored)
        style = stack_isps(np.stack([resize(isp, self.size) for isp in isps]))
        style_tensor = images_to_tensor([style]).to(self.device)
        for first in range(0, len(rows), batch):
            indices = range(first, min(first + batch, len(rows)))
            yield from self._draw_batch(source, rows, indices, style_tensor)

    @torch.inference_mode()
    def warped_source(self, source: Source, driving: Driving) -> Iterator[Image]:
        """Warp the source image to each row's landmarks: the U-Net's input, without the U-Net.

        Args:
            source: the identity's source image.
            driving: N rows, px of the identity's stored frame.

        Yields:
            Frames, (size, size, 3), RGB.
        """
        rows = driving.scaled(self.size / source.stored)
        still = images_to_tensor([source.image])
        for i in range(len(rows)):
            grid = torch.from_numpy(source.warp_grid(rows.points[i], rows.shoulders[i])[None])
            yield tensor_to_images(sample(still, grid))[0]

    @torch.inference_mode()
    def _draw_batch(self, source: Source, rows: Driving, indices: range, style: Tensor) -> Image:
        grids = [source.warp_grid(rows.points[i], rows.shoulders[i]) for i in indices]
        maps = [
            facial_map(rows.points[i], rows.irises[i], rows.shoulders[i], self.size)
            for i in indices
        ]
        grid = torch.from_numpy(np.stack(grids)).to(self.device)
        still = images_to_tensor([source.image]).to(self.device)
        shape = (len(grid), -1, -1, -1)
        map_tensor = maps_to_tensor(maps).to(self.device)
        frames = self.unet(still.expand(shape), grid, map_tensor, style.expand(shape))
        return tensor_to_images(frames)
