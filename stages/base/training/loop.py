"""The one training loop: seeded, resumed by default, the same bytes for the same inputs.

A training stage implements `Task` (networks, optimizers, one batch, one step) and calls `train`.
The loop adds device and precision (Lightning Fabric), a random generator for every step, averaged
weights (EMA), checkpoints, curves (DVCLive), a progress bar, and a clean stop on Ctrl-C. Because
every step has its own generator, only its number has to be restored.
"""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.progress import Bar, bar
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Training
from stages.base.training.checkpoint import Checkpoints
from stages.base.training.curves import Curves
from stages.base.training.loader import batches
from stages.base.training.model_files import Weights
from stages.base.training.state import Schedule, Task, TrainingState

SECONDS_BETWEEN_CHECKPOINTS = 60.0


class TrainingInterrupted(UserError):
    """The training was interrupted; its checkpoint is written."""


def train(
    task: Task,
    *,
    name: str,
    steps: int,
    training: Training,
    inputs: Mapping[str, Any],
    ema: float = 0.999,
    clip: float | None = None,
    schedule: Schedule = lambda _: 1.0,
    last: bool = True,
) -> Weights:
    """Train for a number of steps, continuing from the last checkpoint of the same inputs.

    Args:
        task: networks, optimizers, batches and the step.
        name: the stage's name; curves are written to reports/training/NAME.
        steps: optimizer steps in total.
        training: seed, precision and threads.
        inputs: all that the result depends on besides torch's version, see
            `checkpoint.fingerprint`.
        ema: decay of the averaged weights, warmed up as (1 + step) / (10 + step).
        clip: largest norm of an optimizer's gradients; None for no clipping.
        schedule: factor on every optimizer's learning rate at a step.
        last: no other training of this process follows. Of several processes that share it, all
            but the first, which writes the results, exit at its end.

    Returns:
        Module name to state dict on the CPU: averaged weights of the modules in `task.averaged`.

    Raises:
        TrainingInterrupted: Ctrl-C or SIGTERM; the state is saved, and the next call continues
            from it.
    """
    state = TrainingState(task, training, ema, clip, schedule)
    checkpoints = Checkpoints(name, inputs, training, steps)
    first, curve_state = checkpoints.restore(state)
    with (
        _stop_signals() as stop,
        Curves(None if state.rank else Path("reports/training") / name, curve_state) as curves,
        nullcontext(Bar()) if state.rank else bar(name, steps, first) as progress,
        batches(task, training.seed, state.rank, range(first, steps), state.fabric.device) as drawn,
    ):
        saved = time.monotonic()
        for step, batch in enumerate(drawn, first):
            values = state.mean_over_devices(state.step(batch, step))
            progress.advance(note=curves.add(step, values))
            stopped = state.any_device(step, stop=stop.is_set())
            if stopped or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                checkpoints.save(state, step + 1, curves.state())
                saved = time.monotonic()
            if stopped:
                state.fabric.barrier()  # torchrun ends all processes when one ends with an error
                raise TrainingInterrupted(
                    name, f"stopped after step {step + 1} of {steps}", "run it again"
                )
        curves.finish(steps)
        if first < steps:
            checkpoints.save(state, steps, curves.state())
    if state.rank and last:
        raise SystemExit
    return state.weights()


def cosine(steps: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Return a schedule: linear warm-up, then a half cosine from 1 down to `floor`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / max(1, steps - warmup)
        return floor + (1 - floor) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))

    return factor


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Set an event on Ctrl-C and SIGTERM; the loop reads it between steps."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread can set signal handlers
        return
    handlers = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
