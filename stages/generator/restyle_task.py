"""Training of the part for neutral motion alone: every frame has flag 1, the rest stands still.

Ours. A frame of flag 0 is afterwards, to the bit, what it was before: reconstruction loses nothing.
"""

from collections.abc import Mapping
from copy import copy
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from stages.base.training.state import Batch, Update
from stages.generator import losses
from stages.generator.network import UNet
from stages.generator.task import RESTYLING_RATE, GeneratorTask


class RestyleTask:
    """L1 and λ L_sp of restyled frames; a `stages.base.training.state.Task`.

    Half-open mouths teach little about amplitudes, and dropped ISPs, whose code is 0, nothing: all
    frames are drawn evenly over the opening, with ISPs.

    Args:
        task: of the second phase, which draws the frames.
        weights: state dict of the trained U-Net.
        rate: learning rate of the U-Net.
    """

    def __init__(self, task: GeneratorTask, weights: Mapping[str, Tensor], rate: float) -> None:
        self.frames, self.style = copy(task), task.style
        changed = {"neutralise": 1.0, "isp_dropout": 0.0, "rare": 1.0}
        self.frames.params = task.params.model_copy(update=changed)
        unet = UNet(task.params.size, task.params.channels)
        unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        unet.load_state_dict(weights)
        unet.requires_grad_(requires_grad=False)
        own = [p for n, p in unet.restyling.named_parameters() if not n.startswith("flag.")]
        for parameter in own:
            parameter.requires_grad = True
        self.modules: dict[str, nn.Module] = {"unet": unet}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "unet": torch.optim.Adam(own, RESTYLING_RATE * rate, (0.9, 0.99))
        }
        self.averaged: tuple[str, ...] = ("unet",)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw frames of neutral motion, people in turn, with ISPs of anyone."""
        return self.frames.batch(step, rng)

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the part for neutral motion."""
        inputs = (batch[name] for name in ("source", "grid", "map", "isps", "flag"))
        generated = cast("Tensor", self.modules["unet"](*inputs))
        values = {"l1": losses.weighted_l1(generated, batch["frame"], batch["focus"])}
        total = self.frames.params.losses.l1 * values["l1"]
        if self.style is not None:
            values["style_preserving"] = losses.style_preserving(
                generated, batch["reference"], batch["codes"], self.style.weights
            )
            total = total + self.style.factor * values["style_preserving"]
        update("unet", total)
        return {name: value.detach() for name, value in values.items()}
