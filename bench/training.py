"""Steps a second of the image trainings: the loop as it runs, and a step on one resident batch.

    python bench/training.py                # in a project whose landmarks and ISPs are made
    IDIOLECT_WORKERS=4 python bench/training.py --steps 100

The ratio says how much of the time the step waits for its batch. Prints one table; on a GPU with
the memory at its peak. Writes nothing.
"""

import os
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Annotated

import numpy as np
import torch
import typer
from tabulate import tabulate

from pipeline.project.doctor import cpu
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import training_subjects
from stages.base.training.loader import batches, worker_count
from stages.base.training.state import Batch, Task, TrainingState
from stages.generator.artifacts import BASE_MODEL
from stages.generator.model import read as read_generator
from stages.generator.task import GeneratorTask
from stages.generator.training_run import read_inputs
from stages.style_mapping.frame_pairs import read_clips
from stages.style_mapping.params import StyleMappingParams
from stages.style_mapping.retargeted_neutral import read_neutral
from stages.style_mapping.train_style_mapping import make_task

_WARM = 5  # steps before the clock starts


def generator() -> Task:
    """Return the task of `train_generator_base`, in its last steps."""
    inputs = read_inputs()
    _, _, sources = read_generator(BASE_MODEL)
    own = [sources[subject.name] for subject in inputs.subjects]
    rates = inputs.params.learning_rate, inputs.params.discriminator.learning_rate
    return GeneratorTask(inputs.params, inputs.footage, own, inputs.isps, 1, rates, 0)


def style_mapping() -> Task:
    """Return the task of `train_style_mapping`."""
    params = read_section("style_mapping", StyleMappingParams)
    size = params.network.size
    clips = read_clips(training_subjects(seen_subjects(), DATA / "clips/seen"), size)
    return make_task(clips, read_neutral(size), params, 0)


TASKS: dict[str, Callable[[], Task]] = {
    "train_style_mapping": style_mapping,
    "train_generator": generator,
}


def steps_per_second(state: TrainingState, drawn: Iterator[Batch], steps: int) -> float:
    """Run steps on batches; return how many a second."""
    for step in range(_WARM):
        state.step(next(drawn), step)
    _wait(state)
    began = time.perf_counter()
    for step in range(_WARM, _WARM + steps):
        state.step(next(drawn), step)
    _wait(state)
    return steps / (time.perf_counter() - began)


def _wait(state: TrainingState) -> None:
    if state.fabric.device.type == "cuda":
        torch.cuda.synchronize()


def main(
    steps: Annotated[int, typer.Option(min=1, help="Steps that are timed.")] = 30,
) -> None:
    """Time the loops and print the table."""
    training = read_section("training", Training)
    rows = []
    for name, make in TASKS.items():
        task = make()
        state = TrainingState(task, training, 0.99, None, lambda _: 1.0)
        device = state.fabric.device
        count = _WARM + steps
        with batches(task, training.seed, 0, range(count), device) as drawn:
            loop = steps_per_second(state, drawn, steps)
        batch = state.fabric.to_device(task.batch(0, np.random.default_rng(0)))
        resident = steps_per_second(state, repeat(batch), steps)
        peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
        rows.append((name, loop, resident, loop / resident, peak or None))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    print(f"cpu: {cpu()}; gpu: {gpu}; precision {training.precision}; ", end="")
    print(f"{worker_count(device)} workers; load {os.getloadavg()[0]:.1f}")
    head = ("training", "loop, steps/s", "resident, steps/s", "ratio", "peak, GB")
    print(tabulate(rows, head, "simple", floatfmt=".2f"))


if __name__ == "__main__":
    typer.run(main)
