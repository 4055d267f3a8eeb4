"""The curves of a training, written by DVCLive."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypedDict

import numpy as np
from torch import Tensor

from pipeline.runtime.user_errors import MissingInput

STEPS_PER_POINT = 10


class CurveState(TypedDict):
    """Curves in a checkpoint: points [step, value] by name, and the values since the last point."""

    points: dict[str, list[list[float]]]
    sums: dict[str, list[float]]


class Curves:
    """Means of the logged values over every STEPS_PER_POINT steps.

    Args:
        folder: of DVCLive's files, written anew; None to write none.
        state: of the checkpoint that the training continues from; its points are written again.
    """

    def __init__(self, folder: Path | None, state: CurveState) -> None:
        self.folder, self.points = folder, state["points"]
        self.sums: dict[str, list[Tensor | float]] = {n: [*v] for n, v in state["sums"].items()}

    def state(self) -> CurveState:
        """Return what a checkpoint stores."""
        sums = {name: [float(value) for value in values] for name, values in self.sums.items()}
        return {"points": self.points, "sums": sums}

    def __enter__(self) -> Self:
        if self.folder is None:
            return self
        from dvclive import Live
        from scmrepo.exceptions import SCMError

        try:
            self.live = Live(dir=str(self.folder), save_dvc_exp=False, dvcyaml=None, report=None)
        except SCMError:
            todo = "DVCLive needs one: run `git commit`"
            raise MissingInput("git", "this repository has no commit yet", todo) from None
        by_step: dict[int, dict[str, float]] = {}
        for name, curve in self.points.items():
            for step, value in curve:
                by_step.setdefault(int(step), {})[name] = value
        for step in sorted(by_step):
            self._write(step, by_step[step])
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder is not None:
            self.live.end()

    def add(self, step: int, values: Mapping[str, Tensor | float]) -> str:
        """Add a step's values; return the new point as text where one is complete, else ''."""
        for name, value in values.items():  # tensors until the point: a GPU is not waited for
            kept = value.detach() if isinstance(value, Tensor) else value
            self.sums.setdefault(name, []).append(kept)
        return "" if (step + 1) % STEPS_PER_POINT else self._add_point(step + 1)

    def finish(self, steps: int) -> None:
        """Write the values since the last point."""
        if self.sums:
            self._add_point(steps)

    def _add_point(self, step: int) -> str:
        means = {name: float(np.mean(values)) for name, values in self.state()["sums"].items()}
        self.sums = {}
        for name, mean in means.items():
            self.points.setdefault(name, []).append([step, mean])
        self._write(step, means)
        return " ".join(f"{name} {mean:.3g}" for name, mean in list(means.items())[:3])

    def _write(self, step: int, means: Mapping[str, float]) -> None:
        if self.folder is None:
            return
        self.live.step = step
        for name, mean in means.items():
            self.live.log_metric(name, mean)
        self.live.make_summary()
