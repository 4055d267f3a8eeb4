"""Make the next items while the last is worked on: decoding beside what is done with pictures."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_WAIT_SECONDS = 0.1


def prefetch(source: Iterable[T], most: int = 8) -> Iterator[T]:
    """Yield the items of `source`, in order, while a thread makes the next ones.

    Args:
        source: is iterated in the thread alone; what it raises is raised here, in its place.
        most: items that may wait, so that memory does not grow.
    """
    waiting: Queue[tuple[bool, T | BaseException | None]] = Queue(most)
    stopped = Event()

    def put(more: bool, item: T | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put((more, item), timeout=_WAIT_SECONDS)
                return

    def make() -> None:
        try:
            for item in source:
                put(True, item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where it is met
            put(False, error)
        else:
            put(False, None)

    thread = Thread(target=make, daemon=True)
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
