"""A training that several processes share: `shared_training.py FOLDER [MICRO_BATCH] [both]`.

Two adversaries, Adam and clipping, run twice. With `both`, one process draws what two would draw.
Each process that gets to the end writes its rank's weights into the folder.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.base.config.params import Training
from stages.base.training.devices import local_batch
from stages.base.training.loop import train
from stages.base.training.model_files import flatten_modules, save_model
from stages.base.training.state import Batch, Update

BATCH, STEPS, SEED = 12, 7, 3


class Adversaries:
    """Two networks, of which one's loss passes through the other; a third rests in odd steps."""

    def __init__(self, *, both: bool) -> None:
        torch.manual_seed(0)
        self.both = both
        self.modules: dict[str, nn.Module] = {
            "made": nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)),
            "judge": nn.Linear(4, 1),
            "rests": nn.Linear(4, 4),
        }
        groups = {"made": ("made", "rests"), "judge": ("judge",)}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam([p for m in modules for p in self.modules[m].parameters()], 0.01)
            for name, modules in groups.items()
        }
        self.averaged = ("made",)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw this process's part, or the parts of two."""
        rngs = [np.random.default_rng([SEED, step, r]) for r in range(2)] if self.both else [rng]
        rows = local_batch(BATCH) // len(rngs)
        drawn = np.concatenate([each.normal(size=(rows, 4)) for each in rngs])
        return {"x": torch.from_numpy(drawn.astype(np.float32))}

    def step(self, batch: Batch, step: int, update: Update) -> dict[str, Tensor | float]:
        """Update one by its error and the other's judgement, then the other."""
        x, judge = batch["x"], self.modules["judge"]
        made = self.modules["made"](x)
        if step % 2:
            made = made + self.modules["rests"](x)
        judge.requires_grad_(requires_grad=False)
        loss = (made - x.square()).square().mean() - judge(made).mean()
        judge.requires_grad_(requires_grad=True)
        update("made", loss)
        update("judge", judge(made.detach()).square().mean() + judge(x).square().mean())
        return {"loss": loss.detach()}


def main(folder: str, micro_batch: str = "0", both: str = "") -> None:
    """Train twice, the second time from other weights, and write the weights."""
    os.chdir(folder)
    part = int(micro_batch)
    training = Training(seed=SEED, precision="fp32", threads=1, micro_batch=part)
    weights = {}
    for name in ("first", "second"):
        last = name == "second"
        task = Adversaries(both=bool(both))
        weights[name] = train(
            task, name=name, steps=STEPS, training=training, inputs={}, clip=1.0, last=last
        )
    rank = os.environ.get("LOCAL_RANK", "0")
    for name, trained in weights.items():
        save_model(Path(f"{name}-{rank}.safetensors"), flatten_modules(trained), {})


if __name__ == "__main__":
    main(*sys.argv[1:])
