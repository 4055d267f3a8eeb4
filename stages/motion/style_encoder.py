"""The style encoder: windows of a person's references to a style vector. Ours.

Each window is read alone, and the mean over windows counts, so that any number will do.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.motion.style_references import MOVED, STEPS, StyleWindows
from stages.motion.synthetic_styles import StyleChange
from stages.references.artifacts import TEMPLATES

_HIDDEN = 64


class StyleEncoder(nn.Module):
    """Maps windows of references to a style vector.

    Args:
        components: principal components of lips and jaw.
        size: of the style vector.
        spread: standard deviation of the vectors before training, about.

    Attributes:
        basis: the components, (C, 204), that the windows are made of.
        usual: their usual size, (C,), by which they are divided.
    """

    basis: Tensor
    usual: Tensor

    def __init__(self, components: int, size: int, spread: float) -> None:
        super().__init__()
        inputs = STEPS * (components + MOVED) + len(TEMPLATES)
        self.window = nn.Sequential(
            nn.Linear(inputs, _HIDDEN), nn.LeakyReLU(0.2), nn.Linear(_HIDDEN, _HIDDEN)
        )
        self.person = nn.Linear(_HIDDEN + components + 1, _HIDDEN)
        self.last = nn.Linear(_HIDDEN, size)
        nn.init.normal_(self.last.weight, std=2 * spread / _HIDDEN**0.5)
        self.register_buffer("basis", torch.zeros(components, 204))
        self.register_buffer("usual", torch.ones(components))

    def forward(self, windows: dict[str, Tensor], kept: Tensor) -> Tensor:
        """Return style vectors, (B, S), of the windows of `stack`; `kept` marks some, (B, K)."""
        mouth = windows["mouth"] / self.usual
        parts = [mouth.flatten(2), windows["rest"].flatten(2), windows["template"]]
        hidden = F.leaky_relu(self.window(torch.cat(parts, dim=2)), 0.2)
        weights = kept / kept.sum(1, keepdim=True).clamp(min=1)
        mean = (hidden * weights[..., None]).sum(1)
        own = [mean, windows["closed"] / self.usual, windows["scale"][:, None]]
        vector: Tensor = self.last(F.leaky_relu(self.person(torch.cat(own, dim=1)), 0.2))
        return vector

    @torch.no_grad()
    def encode(self, windows: StyleWindows) -> Tensor:
        """Return the style vector, (S,), of all windows of one person."""
        stacked = stack([windows])
        vector: Tensor = self(stacked, stacked["known"])[0]
        return vector


def stack(people: Sequence[StyleWindows]) -> dict[str, Tensor]:
    """Stack the windows of people, padded to the most; `known`, (P, K), is 1 for windows."""
    most = max(1, *map(len, people))
    stacked = {
        name: torch.from_numpy(
            np.stack([_padded(getattr(windows, name), most) for windows in people])
        )
        for name in ("mouth", "rest", "template")
    }
    known = [np.arange(most) < len(windows) for windows in people]
    return stacked | {
        "known": torch.from_numpy(np.array(known, np.float32)),
        "closed": torch.from_numpy(np.stack([windows.closed for windows in people])),
        "scale": torch.tensor([windows.scale for windows in people], dtype=torch.float32),
    }


def apply_style_change(
    windows: dict[str, Tensor], change: StyleChange, growth: Tensor
) -> dict[str, Tensor]:
    """Apply a synthetic style change to stacked windows; renormalise them by the new mouth scale.

    Args:
        windows: of B samples, as of `stack`.
        change: of the style.
        growth: of the mouth scale by it, (B,).
    """
    return windows | {
        "mouth": change.apply_to_motion(windows["mouth"]) / growth[:, None, None, None],
        "closed": change.apply_to_pose(windows["closed"]) / growth[:, None],
        "scale": windows["scale"] + growth.log(),
    }


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, ((0, length - len(values)), *[(0, 0)] * (values.ndim - 1)))
