"""Make Intermediate Style Patterns with a trained style mapping.

mapping = load(Path("models/style_mapping.safetensors"))
picture = mapping.isp(neutral, reference)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import validate_section
from stages.base.io.image_io import Image, resize
from stages.base.training.model_files import load_model, module_tensors
from stages.style_mapping.frame_pairs import to_tensor
from stages.style_mapping.networks import StyleMapping
from stages.style_mapping.params import Network


@dataclass(frozen=True)
class Mapping:
    """A trained style mapping; made by `load`."""

    model: StyleMapping

    @property
    def size(self) -> int:
        """Width and height of an ISP, px."""
        return self.model.sizes.size

    def isp(self, neutral: Image, reference: Image) -> Image:
        """Give the neutral face the pose and expression of a style reference image.

        Args:
            neutral: RGB, any size; head and shoulders, framed as clips are.
            reference: RGB, any size.

        Returns:
            The ISP, (size, size, 3) RGB.
        """
        one: Image = self.isps(neutral, [reference])[0]
        return one

    @torch.no_grad()
    def isps(self, neutral: Image, references: list[Image]) -> NDArray[np.uint8]:
        """Make one ISP a reference, one at a time, (N, size, size, 3) RGB."""
        source = to_tensor(square(neutral, self.size)[None])
        made = []
        for reference in references:
            image = self.model(source, to_tensor(square(reference, self.size)[None]))["image"]
            pixels = (image[0].clamp(0, 1) * 255).round().to(torch.uint8)
            made.append(pixels.permute(1, 2, 0).contiguous().numpy())
        stacked: NDArray[np.uint8] = np.stack(made)
        return stacked


def square(image: Image, size: int) -> Image:
    """Cut the middle square out of an RGB picture and scale it; raise BadFormat if it is none."""
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise BadFormat("picture", f"expected RGB (H, W, 3), found shape {image.shape}")
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(np.ascontiguousarray(image[top : top + side, left : left + side, :3]), size)


def load(path: Path) -> Mapping:
    """Read a trained style mapping; raise MissingInput or BadFormat."""
    tensors, config = load_model(path)
    network = validate_section("network", _section(path, config), Network)
    model = StyleMapping(network)
    try:
        model.load_state_dict(module_tensors(tensors, "mapping"))
    except RuntimeError as error:
        raise BadFormat(path, f"tensors do not fit its configuration: {error}") from None
    return Mapping(model.eval())


def _section(path: Path, config: dict[str, Any]) -> Any:
    if "network" not in config:
        raise BadFormat(path, "is no style mapping: its configuration has no network")
    return config["network"]
