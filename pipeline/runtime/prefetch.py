"""Produce the next items in a thread while the caller works on the last one."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_WAIT_SECONDS = 0.1


def prefetch(source: Iterable[T], depth: int = 8) -> Iterator[T]:
    """Yield the items of `source`, in order, while a thread produces the next ones.

    Args:
        source: iterated in the thread only; its exceptions are raised here, after its items.
        depth: the number of items that may wait.
    """
    waiting: Queue[tuple[bool, T | BaseException | None]] = Queue(depth)
    stopped = Event()

    def put(more: bool, item: T | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put((more, item), timeout=_WAIT_SECONDS)
                return

    def produce() -> None:
        try:
            for item in source:
                put(True, item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            put(False, error)
        else:
            put(False, None)

    thread = Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            more, item = waiting.get()
            if more:
                yield item  # type: ignore[misc]
            elif item is None:
                return
            else:
                raise item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
