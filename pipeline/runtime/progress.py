"""One progress bar for all long work: rate and time left, quiet where there is no terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_QUIET_SECONDS = 15.0


class Bar:
    """Counts work done; made by `bar`."""

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Add finished work, with a short note to show beside the rate."""


class _Terminal(Bar):
    def __init__(self, title: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),  # file names may hold [brackets]
            console=Console(stderr=True),
        )
        self.note = ""
        self.task = self.progress.add_task(title, total=total, note="", rate="")

    def advance(self, amount: int = 1, note: str = "") -> None:
        self.progress.advance(self.task, amount)
        speed = self.progress.tasks[0].speed
        rate = f"{speed:.1f}/s" if speed else ""
        self.note = note or self.note
        self.progress.update(self.task, rate=rate, note=self.note)


class _Lines(Bar):
    def __init__(self, title: str, total: int, done: int) -> None:
        self.title, self.total, self.done, self.first = title, total, done, done
        self.began = self.told = time.monotonic()

    def advance(self, amount: int = 1, note: str = "") -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.told < _QUIET_SECONDS and self.done < self.total:
            return
        self.told = now
        rate = (self.done - self.first) / max(now - self.began, 1e-9)
        left = (self.total - self.done) / rate if rate else 0.0
        line = f"{self.title}: {self.done}/{self.total} {rate:.1f}/s {left:.0f} s left {note}"
        print(line.rstrip(), file=sys.stderr, flush=True)


@contextmanager
def bar(title: str, total: int, done: int = 0) -> Iterator[Bar]:
    """Show the progress of `total` pieces of work, `done` of which are finished already.

    A terminal gets a bar; a log gets a line every 15 s and one at the end.
    """
    if not sys.stderr.isatty():
        yield _Lines(title, total, done)
        return
    terminal = _Terminal(title, total)
    with terminal.progress:
        terminal.progress.update(terminal.task, completed=done)
        yield terminal


def each(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """Yield items and advance a bar after each."""
    with bar(title, total) as progress:
        for item in items:
            yield item
            progress.advance()
