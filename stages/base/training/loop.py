"""The one training loop: seeded, resumed by default, the same bytes for the same inputs.

A training stage writes a `Task` (networks, optimizers, one batch, one step) and calls `train`.
The loop adds what every training needs: device and precision (Lightning Fabric), a rng of its own
for every step, so that nothing but the step's number has to be restored, averaged weights (EMA),
checkpoints without pickle, curves (DVCLive), one progress bar, and a clean stop on Ctrl-C.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypedDict

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.progress import bar
from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.config.params import Training
from stages.base.training.model_files import Weights, flatten_modules, module_tensors

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINTS = Path(".idiolect/checkpoints")
_SECONDS_BETWEEN_CHECKPOINTS = 60.0
_KEPT_RUNS = 4
_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}

Batch = dict[str, Tensor]
Update = Callable[..., None]


class Told(TypedDict):
    """Curves so far: points [step, value] by name, and the values since the last point."""

    points: dict[str, list[list[float]]]
    sums: dict[str, list[float]]


class Stopped(UserError):
    """The training was asked to stop; its checkpoint is written."""


class Task(Protocol):
    """What one training optimises.

    Attributes:
        modules: networks by name. `train` replaces them by their Fabric wrappers, so a step calls
            them through this mapping and by `forward` only.
        optimizers: by name, over parameters of the modules.
        averaged: names of the modules whose EMA is kept and returned.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: tuple[str, ...]

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw the batch of a step; may run in another thread, one step ahead."""
        ...

    def step(self, batch: Batch, step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Compute losses and call `update(optimizer name, loss)` for each optimizer.

        `update` clears the gradients of that optimizer, runs backward, clips and steps. Returns
        the values to draw as curves.
        """
        ...


def train(
    task: Task,
    *,
    name: str,
    steps: int,
    training: Training,
    inputs: Mapping[str, Any],
    ema: float = 0.999,
    clip: float | None = None,
    rate: Callable[[int], float] = lambda _: 1.0,
    log_every: int = 10,
    report: Path | None = None,
) -> Weights:
    """Train for a number of steps, going on from the last checkpoint of the same inputs.

    Args:
        task: networks, optimizers, batches and the step.
        name: the stage's name; curves go to reports/training/NAME.
        steps: optimizer steps in total.
        training: seed, precision and threads.
        inputs: everything that the result depends on beside torch's version (params sections,
            code version, hashes of the inputs); names the checkpoint's folder.
        ema: decay of the averaged weights, warmed up as (1 + step) / (10 + step).
        clip: largest norm of an optimizer's gradients; None for no clipping.
        rate: factor on every optimizer's learning rate at a step.
        log_every: steps between points of the curves, each the mean since the last.
        report: folder of the curves, unless the default.

    Returns:
        Module name to state dict on the CPU: averaged weights where the task asks for them.

    Raises:
        Stopped: Ctrl-C or SIGTERM; the state is saved, the next call goes on from it.

    """
    run = _Run(task, training, ema, clip, rate)
    folder = CHECKPOINTS / name / _key(training, inputs, steps)
    first, told = _restore(run, folder)
    curves_to = report or Path("reports/training") / name
    with _stop_flag() as stop, _Curves(curves_to, told) as drawn:
        saved = time.monotonic()
        with bar(name, steps, first) as progress, ThreadPoolExecutor(1) as ahead:
            rngs = (
                np.random.default_rng([training.seed, step, run.fabric.global_rank])
                for step in range(first, steps)
            )
            coming = ahead.submit(task.batch, first, next(rngs)) if first < steps else None
            for step in range(first, steps):
                assert coming is not None
                batch = coming.result()
                following = next(rngs, None)
                if following is not None:
                    coming = ahead.submit(task.batch, step + 1, following)
                values = run.step(batch, step)
                note = drawn.add(step, values, log_every)
                progress.advance(note=note)
                if stop.is_set() or time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                    _save(run, folder, step + 1, drawn.told())
                    saved = time.monotonic()
                if stop.is_set():
                    raise Stopped(name, f"stopped after step {step + 1} of {steps}", "run it again")
        drawn.finish(steps)
        if first < steps:
            _save(run, folder, steps, drawn.told())
    return run.weights()


def cosine(steps: int, warmup: int = 0, floor: float = 0.0) -> Callable[[int], float]:
    """Return a schedule: linear warm-up, then a half cosine from 1 down to `floor`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / max(1, steps - warmup)
        return floor + (1 - floor) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))

    return factor


class _Run:
    """The networks, optimizers and averages on their device."""

    def __init__(
        self,
        task: Task,
        training: Training,
        ema: float,
        clip: float | None,
        rate: Callable[[int], float],
    ) -> None:
        torch.set_num_threads(training.threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        torch.manual_seed(training.seed)
        self.task, self.seed, self.decay, self.clip, self.rate = (
            task,
            training.seed,
            ema,
            clip,
            rate,
        )
        self.fabric = _fabric(training.precision)
        self.plain = dict(task.modules)
        for name, module in self.plain.items():
            task.modules[name] = self.fabric.setup_module(module)
        self.optimizers = dict(task.optimizers)
        self.rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in self.optimizers.items()
        }
        self.average: Weights = {
            name: {key: t.detach().clone() for key, t in self.plain[name].state_dict().items()}
            for name in task.averaged
        }

    def step(self, batch: Batch, step: int) -> Mapping[str, Tensor | float]:
        """Run one step and update the averages."""
        torch.manual_seed(self.seed * 1_000_003 + step)
        factor = self.rate(step)
        for name, optimizer in self.optimizers.items():
            for group, base in zip(optimizer.param_groups, self.rates[name], strict=True):
                group["lr"] = base * factor
        values = self.task.step(self.fabric.to_device(batch), step, self._update)
        self._follow(min(self.decay, (1 + step) / (10 + step)))
        return values

    def _update(self, name: str, loss: Tensor, *, retain: bool = False) -> None:
        optimizer = self.optimizers[name]
        optimizer.zero_grad()
        self.fabric.backward(loss, retain_graph=retain)
        if self.clip is not None:
            weights = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, self.clip)
        optimizer.step()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for name, kept in self.average.items():
            now = self.plain[name].state_dict()
            floats = [key for key, tensor in kept.items() if tensor.is_floating_point()]
            torch._foreach_lerp_([kept[k] for k in floats], [now[k] for k in floats], 1 - decay)
            for key in kept.keys() - set(floats):
                kept[key].copy_(now[key])

    def weights(self) -> Weights:
        """Return the state dicts to keep: averages where there are, else the last."""
        return {
            name: {
                key: tensor.detach().cpu()
                for key, tensor in self.average.get(name, module.state_dict()).items()
            }
            for name, module in self.plain.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Flatten everything that the next step depends on."""
        flat = {f"module.{k}": v for k, v in flatten_modules(self._now()).items()}
        flat |= {f"average.{k}": v for k, v in flatten_modules(self.average).items()}
        for name, optimizer in self.optimizers.items():
            for index, values in optimizer.state_dict()["state"].items():
                for key, value in values.items():
                    flat[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
        return flat

    def _now(self) -> Weights:
        return {name: dict(module.state_dict()) for name, module in self.plain.items()}

    def restore(self, flat: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned."""
        modules, averages = module_tensors(flat, "module"), module_tensors(flat, "average")
        for name, module in self.plain.items():
            module.load_state_dict(module_tensors(modules, name))
        for name, kept in self.average.items():
            for key, value in module_tensors(averages, name).items():
                kept[key].copy_(value)
        for name, optimizer in self.optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in module_tensors(module_tensors(flat, "optimizer"), name).items():
                index, _, what = key.partition(".")
                state.setdefault(int(index), {})[what] = value
            optimizer.load_state_dict(
                {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
            )


def _fabric(precision: str) -> "Fabric":
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator="auto", devices=devices(), precision=_PRECISIONS[precision])  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def devices() -> int:
    """Return how many GPUs share a training (DDP); more than one makes larger batches."""
    return int(os.environ.get("IDIOLECT_DEVICES", "1"))


def _key(training: Training, inputs: Mapping[str, Any], steps: int) -> str:
    parts = dict(inputs) | {"training": training.model_dump(), "steps": steps}
    parts["devices"] = devices()
    return item_store.key(torch=torch.__version__, **parts)[:16]


def _save(run: _Run, folder: Path, step: int, told: Told) -> None:
    """Write the checkpoint of a step, then drop older ones and the oldest runs."""
    if run.fabric.global_rank:
        return
    path = folder / f"{step:08d}.safetensors"
    state = {key: value.detach().cpu().contiguous().clone() for key, value in run.state().items()}
    with atomic_file(path) as part_:
        save_file(state, part_, metadata={"step": str(step), "curves": json.dumps(told)})
    for old in sorted(folder.glob("[0-9]*.safetensors"))[:-1]:
        old.unlink()
    runs = sorted(folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)
    for old_run in runs[:-_KEPT_RUNS]:
        for file in old_run.iterdir():
            file.unlink()
        old_run.rmdir()


def _restore(run: _Run, folder: Path) -> tuple[int, Told]:
    """Load the newest checkpoint; return the next step and the curves so far."""
    for path in sorted(folder.glob("[0-9]*.safetensors"), reverse=True):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            run.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        return int(metadata["step"]), json.loads(metadata["curves"])
    return 0, {"points": {}, "sums": {}}


@contextmanager
def _stop_flag() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into a flag that is looked at between steps."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kept = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class _Curves:
    """Curves of a training, written by DVCLive; those of before a stop are written again."""

    def __init__(self, folder: Path, told: Told) -> None:
        self.folder, self.points, self.sums = folder, told["points"], told["sums"]

    def told(self) -> Told:
        """Return what is drawn and what is not yet, for a checkpoint."""
        return {"points": self.points, "sums": self.sums}

    def __enter__(self) -> Self:
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
            self._draw(step, by_step[step])
        return self

    def __exit__(self, *_: object) -> None:
        self.live.end()

    def add(self, step: int, values: Mapping[str, Tensor | float], every: int) -> str:
        """Add a step's values; every so many steps draw their means and return them as text."""
        for name, value in values.items():
            self.sums.setdefault(name, []).append(float(value))
        return "" if (step + 1) % every else self._point(step + 1)

    def finish(self, steps: int) -> None:
        """Draw what is left since the last point."""
        if self.sums:
            self._point(steps)

    def _point(self, step: int) -> str:
        means = {name: float(np.mean(kept)) for name, kept in self.sums.items()}
        self.sums = {}
        for name, mean in means.items():
            self.points.setdefault(name, []).append([step, mean])
        self._draw(step, means)
        return " ".join(f"{name} {mean:.3g}" for name, mean in list(means.items())[:3])

    def _draw(self, step: int, means: Mapping[str, float]) -> None:
        self.live.step = step
        for name, mean in means.items():
            self.live.log_metric(name, mean)
        self.live.make_summary()
