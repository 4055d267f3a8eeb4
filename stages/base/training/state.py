"""The state of a training: networks, their averages and optimizers, on their device."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Training
from stages.base.training.devices import launch_fabric
from stages.base.training.model_files import Weights, flatten_modules, module_tensors

_STEPS_BETWEEN_STOPS = 10  # of several devices, which wait for each other to agree
_RANKS = 1 << 40  # between the seeds of ranks; more than the steps of any training
Batch = dict[str, Tensor]
Update = Callable[[str, Tensor], None]
Schedule = Callable[[int], float]


class Task(Protocol):
    """What one training optimises.

    Attributes:
        modules: networks by name. `train` replaces them by their Fabric wrappers: a step calls
            them through this mapping and by `forward` only.
        optimizers: by name, over parameters of the modules.
        averaged: names of the modules whose exponential moving average (EMA) is returned.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: tuple[str, ...]

    def batch(self, step: int, rng: np.random.Generator, /) -> Batch:
        """Draw this process's part of the batch of a step, some steps ahead of its use."""
        ...

    def step(self, batch: Batch, step: int, update: Update, /) -> Mapping[str, Tensor | float]:
        """Compute losses and call `update(optimizer name, loss)` for each optimizer.

        `update` clears the gradients of that optimizer, runs backward, clips and steps; with
        `training.micro_batch` a step sees one part of the batch, and weights change after the last
        part. A loss through a network of another optimizer freezes that network's parameters.
        Runs under autocast. Returns the values to log as curves.
        """
        ...


class TrainingState:
    """Runs steps of a task on its device; its tensors can be saved and restored.

    Args:
        task: networks, optimizers and the step.
        training: seed, precision and threads.
        ema: decay of the averaged weights.
        clip: largest norm of an optimizer's gradients, or None.
        schedule: factor on every learning rate at a step.
    """

    def __init__(
        self, task: Task, training: Training, ema: float, clip: float | None, schedule: Schedule
    ) -> None:
        torch.manual_seed(training.seed)
        self.task, self.seed, self.ema = task, training.seed, ema
        self.clip, self.schedule, self.part = clip, schedule, training.micro_batch
        self.fabric = launch_fabric(training.precision)
        torch.set_num_threads(training.threads)  # after Fabric, which sets its own number
        self.rank, self.shared = self.fabric.global_rank, self.fabric.world_size > 1
        on_cpu = self.fabric.device.type == "cpu"
        # On a GPU the deterministic algorithms are slow, and grid_sample has none.
        torch.use_deterministic_algorithms(mode=on_cpu, warn_only=True)
        torch.backends.cudnn.benchmark = not on_cpu
        self.modules = dict(task.modules)
        for name, module in self.modules.items():
            task.modules[name] = self.fabric.setup_module(module)
        self.optimizers = dict(task.optimizers)
        self.learning_rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in self.optimizers.items()
        }
        self.averages: Weights = {
            name: {key: t.detach().clone() for key, t in self.modules[name].state_dict().items()}
            for name in task.averaged
        }

    def step(self, batch: Batch, step: int) -> Mapping[str, Tensor | float]:
        """Run one step and update the averages; return the values to log."""
        torch.manual_seed(self.seed * 1_000_003 + step + self.rank * _RANKS)
        factor = self.schedule(step)
        for name, optimizer in self.optimizers.items():
            for group, base in zip(optimizer.param_groups, self.learning_rates[name], strict=True):
                group["lr"] = base * factor
        parts = split_batch(self.fabric.to_device(batch), self.part)
        sizes = [len(next(iter(part.values()))) for part in parts]
        shares = [size / sum(sizes) for size in sizes] if len(parts) > 1 else [1.0]
        logged = [
            self._step_part(part, step, share, first=i == 0, last=i == len(parts) - 1)
            for i, (part, share) in enumerate(zip(parts, shares, strict=True))
        ]
        self._update_averages(min(self.ema, (1 + step) / (10 + step)))
        if len(logged) == 1:
            return logged[0]
        return {
            name: sum(s * one[name] for s, one in zip(shares, logged, strict=True))
            for name in logged[0]
        }

    def _step_part(
        self, part: Batch, step: int, share: float, *, first: bool, last: bool
    ) -> Mapping[str, Tensor | float]:
        """Run a task's step on a part of a batch; gradients add up, the last part descends."""

        def update(name: str, loss: Tensor) -> None:
            if first:
                self.optimizers[name].zero_grad()
            with full_precision(loss):  # autocast is for the forward pass alone
                self.fabric.backward(loss if first and last else loss * share)
            if last:
                self._descend(self.optimizers[name])

        with ExitStack() as stack:
            if self.shared and not last:  # gradients are averaged once, with the last part
                for module in self.task.modules.values():
                    stack.enter_context(self.fabric.no_backward_sync(module))  # type: ignore[arg-type]
            # Covers the perceptual networks, which Fabric does not wrap.
            stack.enter_context(self.fabric.autocast())
            return self.task.step(part, step, update)

    def _descend(self, optimizer: torch.optim.Optimizer) -> None:
        if self.clip is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()

    def mean_over_devices(self, values: Mapping[str, Tensor | float]) -> dict[str, Tensor | float]:
        """Average values over the processes that share the training."""
        if not self.shared:
            return dict(values)
        row = [torch.as_tensor(value, dtype=torch.float32) for value in values.values()]
        means = self._reduce(torch.stack([value.to(self.fabric.device) for value in row]))
        return dict(zip(values, means.unbind(), strict=True))

    def any_device(self, step: int, *, stop: bool) -> bool:
        """Return whether any process is to stop: all stop after the same step."""
        if not self.shared:
            return stop
        if (step + 1) % _STEPS_BETWEEN_STOPS:
            return False
        return bool(self._reduce(torch.tensor(float(stop), device=self.fabric.device)) > 0)

    def _reduce(self, values: Tensor) -> Tensor:
        return cast("Tensor", self.fabric.all_reduce(values, reduce_op="mean"))

    @torch.no_grad()
    def _update_averages(self, decay: float) -> None:
        for name, average in self.averages.items():
            current = self.modules[name].state_dict()
            floats = [key for key, tensor in average.items() if tensor.is_floating_point()]
            torch._foreach_lerp_(
                [average[k] for k in floats], [current[k] for k in floats], 1 - decay
            )
            for key in average.keys() - set(floats):
                average[key].copy_(current[key])

    def weights(self) -> Weights:
        """Return the state dicts on the CPU: the averages of averaged modules."""
        return {
            name: {
                key: tensor.detach().cpu()
                for key, tensor in self.averages.get(name, module.state_dict()).items()
            }
            for name, module in self.modules.items()
        }

    def tensors(self) -> dict[str, Tensor]:
        """Flatten all that the next step depends on, on the CPU."""
        current = {name: dict(module.state_dict()) for name, module in self.modules.items()}
        optimizers: Weights = {
            name: {
                f"{index}.{key}": torch.as_tensor(value)
                for index, values in optimizer.state_dict()["state"].items()
                for key, value in values.items()
            }
            for name, optimizer in self.optimizers.items()
        }
        groups = {"module": current, "average": self.averages, "optimizer": optimizers}
        return {
            f"{group}.{key}": tensor.detach().cpu().contiguous().clone()
            for group, weights in groups.items()
            for key, tensor in flatten_modules(weights).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Load what `tensors` returned."""
        current, averages, optimizers = (
            module_tensors(tensors, group) for group in ("module", "average", "optimizer")
        )
        for name, module in self.modules.items():
            module.load_state_dict(module_tensors(current, name))
        for name, average in self.averages.items():
            for key, value in module_tensors(averages, name).items():
                average[key].copy_(value)
        for name, optimizer in self.optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in module_tensors(optimizers, name).items():
                index, _, entry = key.partition(".")
                state.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict(
                {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
            )


def split_batch(batch: Batch, size: int) -> list[Batch]:
    """Split a batch into parts of at most `size` examples, the first ones larger; 0: one part.

    Raises:
        BadParams: its tensors do not all have one row an example.
    """
    counts = {len(tensor) if tensor.dim() else 0 for tensor in batch.values()}
    if not size or max(counts) <= size:
        return [batch]
    if len(counts) > 1:
        found = f"expected 0, since the batches of this training cannot be split; found {size}"
        raise BadParams("training.micro_batch", found, "set it to 0")
    parts = -(-counts.pop() // size)
    split = {name: torch.tensor_split(tensor, parts) for name, tensor in batch.items()}
    return [{name: tensors[i] for name, tensors in split.items()} for i in range(parts)]


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast: bfloat16 resolves half a pixel of 256."""
    device = like.device.type
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)
