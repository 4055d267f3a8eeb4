"""Batches of a training, drawn ahead of the step: by a thread, or by worker processes.

Every step has a random generator of its own, so that the batches do not depend on the number of
workers. `IDIOLECT_WORKERS` sets it; by default a CPU training uses a thread, since its steps need
the cores, and a GPU training all cores but one, at most eight.
"""

import os
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.user_errors import BadParams
from stages.base.training.state import Batch, Task

WORKERS = "IDIOLECT_WORKERS"
_MOST_WORKERS = 8
_WAITING = 2  # batches ready for each worker


class _Steps(Dataset[Batch]):
    """The batches of a task by step."""

    def __init__(self, task: Task, seed: int, rank: int) -> None:
        self.task, self.seed, self.rank = task, seed, rank

    def __getitem__(self, step: int) -> Batch:
        return self.task.batch(step, np.random.default_rng([self.seed, step, self.rank]))


def worker_count(device: torch.device) -> int:
    """Return how many processes draw batches for a training on a device; 0 for a thread.

    Raises:
        BadParams: IDIOLECT_WORKERS is no number from 0.
    """
    if asked := os.environ.get(WORKERS):
        if not asked.isdecimal():
            raise BadParams(WORKERS, f"expected a number of processes, found {asked}")
        return int(asked)
    return min(_MOST_WORKERS, max(1, cpu_count() - 1)) if device.type == "cuda" else 0


@contextmanager
def batches(
    task: Task, seed: int, rank: int, steps: range, device: torch.device
) -> Iterator[Iterator[Batch]]:
    """Draw the batches of steps ahead of their use.

    Args:
        task: draws them.
        seed: with step and rank, of each batch's generator.
        rank: of this process among those that share the training.
        steps: whose batches are drawn.
        device: where they are used. A batch for a GPU is copied there from pinned memory while
            the step before it computes.

    Yields:
        The batches in order. Workers end with the block.
    """
    source, workers = _Steps(task, seed, rank), worker_count(device)
    on_gpu = device.type == "cuda"
    if not workers:
        drawn = _drawn_by_thread(source, steps, pin=on_gpu)
        try:
            yield _copied_ahead(drawn, device) if on_gpu else drawn
        finally:
            drawn.close()
        return
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=_WAITING,
        pin_memory=on_gpu,
        multiprocessing_context="fork",  # the task is inherited, not copied
    )
    yield _copied_ahead(iter(loader), device) if on_gpu else iter(loader)


def _drawn_by_thread(source: _Steps, steps: range, *, pin: bool) -> Generator[Batch, None, None]:
    drawn = (source[step] for step in steps)
    if pin:
        drawn = ({name: tensor.pin_memory() for name, tensor in b.items()} for b in drawn)
    yield from prefetch(drawn, depth=1)


def _copied_ahead(drawn: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Copy each batch to a GPU on a stream of its own, one batch ahead of its use."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    waiting: deque[tuple[Batch, torch.cuda.Event]] = deque()
    for batch in drawn:
        with torch.cuda.stream(stream):
            copied = {name: t.to(device, non_blocking=True) for name, t in batch.items()}
        waiting.append((copied, stream.record_event()))
        if len(waiting) > 1:
            yield _ready(*waiting.popleft())
    for copied, event in waiting:
        yield _ready(copied, event)


def _ready(batch: Batch, copied: torch.cuda.Event) -> Batch:
    """Have the step's stream wait for a batch's copy, and own its memory."""
    stream = torch.cuda.current_stream()
    stream.wait_event(copied)
    for tensor in batch.values():
        tensor.record_stream(stream)
    return batch
