"""Memory that a training step takes on a GPU, counted without one.

    python -m pipeline.project.training_memory          # a table: each preset's trainings, GB

A step runs on fake tensors, which have shapes and no content. Counted are the weights with their
gradients, Adam's moments and averages, and the peak of what the step saves for its backward pass.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from pipeline.project.presets import presets, read_preset
from stages.base.config.params import Training, validate_section
from stages.base.training.state import Batch
from stages.generator.params import GeneratorParams
from stages.generator.task import GeneratorTask, StyleTerm
from stages.style_mapping.params import StyleMappingParams
from stages.style_mapping.retargeted_neutral import Neutral
from stages.style_mapping.train_style_mapping import make_task

_ADAM = 2  # moments a weight
_RUNTIME = 0.8e9  # the CUDA context, and the libraries' workspaces
_TRANSIENT = 3  # tensors of the largest size that a backward pass holds besides saved ones
_LANDMARKS = 68
_ISPS = 4


class StepMemory(NamedTuple):
    """Bytes of a training step.

    Attributes:
        weights: weights, gradients, Adam's moments, averages.
        saved: peak of the tensors saved for the backward pass.
        total: these, transient tensors, and the GPU's runtime.
    """

    weights: int
    saved: int
    total: int


class _Saved:
    """Counts the bytes of saved tensors, each storage once, while their graph is alive."""

    def __init__(self, ignored: set[int]) -> None:
        self.ignored, self.alive = ignored, dict[int, int]()
        self.bytes = self.peak = self.largest = 0

    def pack(self, tensor: Tensor) -> "_Held | Tensor":
        """Count a tensor until its graph is freed."""
        storage = tensor.untyped_storage()
        key = _key(tensor)
        return tensor if key in self.ignored else _Held(self, tensor, key, storage.nbytes())

    def unpack(self, held: "_Held | Tensor") -> Tensor:
        """Return the tensor for the backward pass."""
        return held.tensor if isinstance(held, _Held) else held


def _key(tensor: Tensor) -> int:
    """Return a key of a tensor's storage; a fake one has no address."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


class _Held:
    def __init__(self, saved: _Saved, tensor: Tensor, key: int, size: int) -> None:
        self.saved, self.tensor, self.key, self.size = saved, tensor, key, size
        count = saved.alive.get(key, 0)
        saved.alive[key] = count + 1
        if not count:
            saved.bytes += size
            saved.peak = max(saved.peak, saved.bytes)
            saved.largest = max(saved.largest, size)

    def __del__(self) -> None:
        self.saved.alive[self.key] -= 1
        if not self.saved.alive[self.key]:
            self.saved.bytes -= self.size


class Example(NamedTuple):
    """A training's task without data, an empty batch, a step with all losses, frozen networks."""

    task: Any
    batch: Batch
    step: int
    frozen: list[nn.Module]


def generator_example(params: Mapping[str, Any]) -> Example:
    """Return that of `train_generator`, the larger of the generator's two phases."""
    section = validate_section("generator", params["generator"], GeneratorParams)
    style = StyleTerm([], (1.0, 1.0, 1.0, 1.0), 1.0)
    task = GeneratorTask(section, [], [], [], section.steps, (1e-4, 1e-4), 0, style)
    size, count = section.size, _examples(params, section.batch)
    plane = (size, size)
    batch = {
        "source": torch.zeros(count, 3, *plane, dtype=torch.uint8),
        "grid": torch.zeros(count, *plane, 2),
        "map": torch.zeros(count, 7, *plane, dtype=torch.uint8),
        "true_map": torch.zeros(count, 7, *plane, dtype=torch.uint8),
        "isps": torch.zeros(count, 3 * _ISPS, *plane, dtype=torch.uint8),
        "flag": torch.zeros(count),
        "frame": torch.zeros(count, 3, *plane, dtype=torch.uint8),
        "focus": torch.ones(count, 1, *plane),
        "close_up": torch.zeros(count, size // 2, size // 2, 2),
        "reference": torch.zeros(count, 3, *plane, dtype=torch.uint8),
        "codes": torch.zeros(count, *plane, dtype=torch.uint8),
    }
    networks: list[nn.Module] = [task.perceptual] if task.perceptual else []
    return Example(task, batch, section.steps, networks)


def style_mapping_example(params: Mapping[str, Any]) -> Example:
    """Return the example of `train_style_mapping`."""
    section = validate_section("style_mapping", params["style_mapping"], StyleMappingParams)
    unread = cast("Neutral", None)  # only batches that are drawn read the neutral face
    task = make_task([], unread, section, seed=0)
    size, count = section.network.size, _examples(params, section.batch)
    plane, points = (size, size), _LANDMARKS
    batch = {name: torch.zeros(count, 3, *plane) for name in ("neutral", "reference", "target")}
    batch |= {
        "keypoints": torch.zeros(count, 2, points, 3),
        "canonical": torch.zeros(count, points, 3),
        "rotation": torch.eye(3).expand(count, 2, 3, 3).contiguous(),
        "angles": torch.zeros(count, 2, 3),
        "reference_points": torch.zeros(count, points, 2),
        "affine": torch.zeros(count, 2, 3),
        "spline": torch.zeros(count, 25),
        "mesh_canonical": torch.zeros(count, points, 3),
        "mesh_keypoints": torch.zeros(count, 2, points, 3),
        "mesh_rotation": torch.eye(3).expand(count, 2, 3, 3).contiguous(),
        "mesh_flow": torch.zeros(count, *plane, 2),
        "mesh_inside": torch.zeros(count, 3, *plane),
        "mesh_open": torch.zeros(count, 1, *plane),
    }
    networks: list[nn.Module] = [task.features] if task.features else []
    return Example(task, batch, section.steps, networks)


EXAMPLES: dict[str, Callable[[Mapping[str, Any]], Example]] = {
    "train_style_mapping": style_mapping_example,
    "train_generator": generator_example,
}


def memory(stage: str, params: Mapping[str, Any]) -> StepMemory:
    """Return the memory of a step of a training."""
    task, batch, step, frozen = EXAMPLES[stage](params)
    return step_memory(task, batch, step, params, frozen)


def _examples(params: Mapping[str, Any], batch: int) -> int:
    micro_batch = validate_section("training", params["training"], Training).micro_batch
    return min(batch, micro_batch or batch)


def step_memory(
    task: Any, batch: Batch, step: int, params: Mapping[str, Any], frozen: Sequence[nn.Module]
) -> StepMemory:
    """Run one step of a task on fake tensors and count.

    Args:
        task: a `stages.base.training.state.Task` on the CPU; its tensors become fake.
        batch: of the examples that are in memory at once.
        step: whose losses are computed.
        params: for `training.precision`.
        frozen: networks that the task reads beside its modules.
    """
    weights = sum(
        parameter.numel() * parameter.element_size() * (2 + _ADAM + (name in task.averaged))
        for name, module in task.modules.items()
        for parameter in module.parameters()
    )
    mode = FakeTensorMode()
    networks = [*task.modules.values(), *frozen]
    with mode:
        ignored = {cdata for network in networks for cdata in _make_fake(network, mode)}
        fakes = {name: mode.from_tensor(tensor) for name, tensor in batch.items()}
        saved = _Saved(ignored)
        bf16 = params["training"]["precision"] == "bf16"
        autocast = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
        with saved_tensors_hooks(saved.pack, saved.unpack), autocast:
            task.step(fakes, step, lambda _, loss: loss.backward())
    given = sum(tensor.numel() * tensor.element_size() for tensor in batch.values())
    total = weights + saved.peak + _TRANSIENT * saved.largest + 2 * given + int(_RUNTIME)
    return StepMemory(weights, saved.peak, total)


def _make_fake(network: nn.Module, mode: FakeTensorMode) -> list[int]:
    """Replace the tensors of a network by fake ones; return their storages."""
    storages = []
    for module in network.modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            fake = mode.from_tensor(tensor)
            setattr(module, name, fake)
            storages.append(_key(fake))
    return storages


def main() -> None:
    """Print the table."""
    from tabulate import tabulate

    rows = []
    for name in presets():
        for stage in EXAMPLES:
            found = memory(stage, read_preset(name))
            rows.append((name, stage, *(f"{size / 1e9:.1f}" for size in found)))
    print(tabulate(rows, ("preset", "training", "weights", "saved", "total, GB"), "simple"))


if __name__ == "__main__":
    main()
