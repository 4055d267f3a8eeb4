"""Produce the next items in other threads or processes while the caller works on the last one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prefetch(source: Iterable[T], depth: int = 8) -> Iterator[T]:
    """Yield the items of `source`, in order, while a thread produces the next ones.

    Args:
        source: iterated in the thread only; its exceptions are raised here, after its items.
        depth: the number of items that may wait while the next one is produced.
    """
    items, end = iter(source), object()
    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(next, items, end) for _ in range(depth + 1))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)


def map_ahead(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int
) -> Iterator[R]:
    """Yield the results of work on each item, in order, while the pool works on the next ones.

    Args:
        pool: runs the work; it is shut down at the end.
        work: called once per item; its exceptions are raised here.
        items: iterated by the caller's thread, a few items ahead.
        ahead: the number of items that wait or are worked on: memory stays flat.
    """
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
