"""Batches a second of every training, for one and two workers, and what a frame costs by part.

    python bench/loading.py                 # in a project that `idiolect repro` has finished
    python bench/loading.py --steps 40

Nothing is trained: batches are drawn and dropped. The first pass fills the cache of decoded frames,
the second is timed. The last rows are the generator's at 512 px in batches of 8, whatever the
project's size. Writes the cache alone.
"""

import cProfile
import os
import pstats
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Annotated, Any

import numpy as np
import torch
import typer
from tabulate import tabulate

from stages.base.config.code_version import ENTRIES
from stages.base.config.params import read_section
from stages.base.training.loader import WORKERS, batches
from stages.base.training.state import Task
from stages.generator.artifacts import BASE_MODEL
from stages.generator.footage import read_footage
from stages.generator.isps import read_isps
from stages.generator.matched_references import MatchedReferences
from stages.generator.model import read as read_generator
from stages.generator.params import RegionWeights, StyleGeneratorParams
from stages.generator.task import GeneratorTask, StyleTerm
from stages.generator.training_run import read_inputs
from stages.transfer.params import Transfers

_SIZE, _BATCH = 512, 8
# Functions whose time is shown, by what they make.
_PARTS = {
    "frame": ("decoded_frames.py", "__getitem__"),
    "warp": ("source_images.py", "warp_grid"),
    "facial maps": ("conditioning.py", "facial_map"),
    "focus": ("conditioning.py", "focus_map"),
    "close-up": ("conditioning.py", "close_up_grid"),
    "ISPs": ("isps.py", "draw"),
    "reference": ("matched_references.py", "aligned"),
    "stacking": ("task.py", "_stack"),
    "pairs": ("frame_pairs.py", "draw"),
    "augmentation": ("augmentation.py", "augment"),
    "mesh": ("frame_pairs.py", "build_batch_mesh"),
    "windows": ("windows.py", "draw"),
    "voices": ("voices.py", "draw"),
}


class _Captured(Exception):
    """The task of a training, which then does not run."""


def _capture(task: Task, **_: Any) -> None:
    raise _Captured(task)


def task_of(stage: str, *subject: str) -> Task | None:
    """Return the task that a stage would train on; None for a stage that fits without training."""
    module: Any = import_module(ENTRIES[stage])
    trains: Any = import_module("stages.generator.training_run")
    trains = trains if "generator" in stage else module
    before, trains.train = trains.train, _capture
    try:
        module.main(*subject)
    except _Captured as captured:
        return captured.args[0]  # type: ignore[no-any-return]
    finally:
        trains.train = before
    return None


def large_generator(*, style: bool) -> Task:
    """Return the generator's task at 512 px, of either phase, from the project's smaller data."""
    inputs = read_inputs()
    params = inputs.params.model_copy(update={"size": _SIZE, "batch": _BATCH})
    _, _, trained = read_generator(BASE_MODEL)
    factor = _SIZE / inputs.params.size
    sources = [
        [
            replace(s, size=_SIZE, points=s.points * factor, shoulders=s.shoulders * factor)
            for s in trained[subject.name]
        ]
        for subject in inputs.subjects
    ]
    phase = read_section("style_generator", StyleGeneratorParams)
    how = phase.alignment, phase.restyle_alignment
    term = None
    if style:
        references = [MatchedReferences(s, _SIZE, *how, cached=True) for s in inputs.subjects]
        codes = read_section("region_weights", RegionWeights).by_code
        term = StyleTerm(references, codes, 1.0)
    footage = read_footage(inputs.subjects, _SIZE, cached=True)
    isps = [read_isps(subject.name, _SIZE) for subject in inputs.subjects]
    return GeneratorTask(params, footage, sources, isps, 1, (1e-4, 1e-4), 0, term)


def batches_a_second(task: Task, steps: int, workers: int) -> float:
    """Draw the batches of steps by worker processes; return how many a second."""
    os.environ[WORKERS] = str(workers)
    began = time.perf_counter()
    with batches(task, 0, 0, range(steps), torch.device("cpu")) as drawn:
        for _ in drawn:
            pass
    return steps / (time.perf_counter() - began)


def cost(task: Task, steps: int) -> tuple[int, float, dict[str, float]]:
    """Return examples a batch, CPU-ms an example, and those by part, of warm batches."""
    torch.set_num_threads(1)
    for step in range(steps):
        batch = task.batch(step, np.random.default_rng([0, step, 0]))
    size = len(next(tensor for tensor in batch.values() if tensor.dim() > 1))
    profile = cProfile.Profile(time.process_time)
    began = time.process_time()
    for step in range(steps):
        task.batch(step, np.random.default_rng([0, step, 0]))
    total = time.process_time() - began
    profile.enable()
    for step in range(steps):
        task.batch(step, np.random.default_rng([0, step, 0]))
    profile.disable()
    found = {
        name: 1000 * entry[3] / steps / size  # cumulative seconds
        for (path, _, function), entry in pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
        for name, part in _PARTS.items()
        if (os.path.basename(path), function) == part  # noqa: PTH119
    }
    return size, 1000 * total / steps / size, found


def tasks() -> dict[str, Callable[[], Task | None]]:
    """Return what makes each training's task."""
    stages = ("train_audio", "train_style_mapping", "train_motion")
    made: dict[str, Callable[[], Task | None]] = {
        name: partial(task_of, name)
        for name in (*stages, "train_generator_base", "train_generator")
    }
    for owner in read_section("transfers", Transfers).owners()[:1]:
        made["transfer_style"] = partial(task_of, "transfer_style", str(owner))
    made[f"train_generator_base, {_SIZE} px"] = partial(large_generator, style=False)
    made[f"train_generator, {_SIZE} px"] = partial(large_generator, style=True)
    return made


def main(
    steps: Annotated[int, typer.Option(min=1, help="Batches that are timed.")] = 20,
    only: Annotated[str, typer.Option(help="Only trainings whose name has this text.")] = "",
) -> None:
    """Time the batches and print two tables."""
    rates, parts = [], []
    for name, make in tasks().items():
        task = make() if only in name else None
        if task is None:
            continue
        size, each, found = cost(task, steps)
        speeds = [batches_a_second(task, steps, workers) for workers in (1, 2)]
        rates.append((name, size, *speeds, each))
        print(f"{name}: {each:.0f} CPU-ms an example", flush=True)
        parts += [(name, part, value) for part, value in sorted(found.items(), key=lambda p: -p[1])]
    head = ("training", "batch", "1 worker, batches/s", "2 workers", "CPU-ms an example")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(tabulate(rates, head, "github", floatfmt=".1f"))
    print(tabulate(parts, ("training", "part", "CPU-ms an example"), "github", floatfmt=".2f"))


if __name__ == "__main__":
    typer.run(main)
