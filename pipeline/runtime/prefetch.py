"""Produce the next items in a thread while the caller works on the last one."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


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
