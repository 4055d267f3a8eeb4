"""Draw a talk on all cores: the bytes do not depend on their number, nor on who is faster.

Batches are drawn by threads, each with one thread in every library, and yielded in order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain

import cv2
import torch
from threadpoolctl import threadpool_limits

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.prefetch import map_ahead
from stages.base.io.image_io import Image
from stages.donors.painter import PartPlan
from stages.generator.drawing import batches
from stages.generator.driving import Driving

Batch = Callable[[], list[Image]]
"""Draws a few frames, in any thread."""


def make_batches(
    draw: Callable[[Driving, Sequence[PartPlan]], list[Image]],
    driving: Driving,
    plans: Sequence[PartPlan],
    size: int,
) -> Iterator[Batch]:
    """Yield batches of so many frames of a piece, with their donors' plans."""
    parts = [plan.batches(size) for plan in plans]
    for rows in batches(driving, size):
        yield partial(draw, rows, [next(part) for part in parts])


def draw_ahead(pieces: Iterable[Iterable[Batch]]) -> Iterator[Image]:
    """Yield the frames of batches, in order; a few batches are in memory."""
    threads, tasks = cpu_count(), chain.from_iterable(pieces)
    for images in map_ahead(ThreadPoolExecutor(threads), _call, tasks, threads + 1):
        yield from images


def draw_piecewise(pieces: Iterable[Iterable[Batch]]) -> Iterator[Image]:
    """Yield the frames of each piece as soon as they are drawn, before the next one is there."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        for piece in pieces:
            for images in pool.map(_call, piece):
                yield from images


def _call(batch: Batch) -> list[Image]:
    return batch()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Run each operation of a library on one thread: other numbers may give other bytes."""
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)
