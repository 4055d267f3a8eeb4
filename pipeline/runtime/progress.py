"""Progress of long work: a bar in a terminal, otherwise a line every 15 s."""

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
LINE_SECONDS = "IDIOLECT_PROGRESS_SECONDS"  # between two lines, for a program that reads them


class Bar:
    """Counts finished pieces of work; made by `bar`."""

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count more finished pieces; show a short note next to the rate."""


class _Terminal(Bar):
    def __init__(self, title: str, total: int) -> None:
        from rich import progress
        from rich.console import Console

        self.progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            # Without markup: file names may hold [brackets].
            progress.TextColumn("{task.fields[note]}", markup=False),
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
        self.interval = float(os.environ.get(LINE_SECONDS, "15"))
        self.started = self.printed = time.monotonic()

    def advance(self, amount: int = 1, note: str = "") -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.printed < self.interval and self.done < self.total:
            return
        self.printed = now
        rate = (self.done - self.first) / max(now - self.started, 1e-9)
        left = (self.total - self.done) / rate if rate else 0.0
        line = f"{self.title}: {self.done}/{self.total} {rate:.1f}/s {left:.0f} s left {note}"
        print(line.rstrip(), file=sys.stderr, flush=True)


@contextmanager
def bar(title: str, total: int, done: int = 0) -> Iterator[Bar]:
    """Show the progress of `total` pieces of work, of which `done` are finished already."""
    if not sys.stderr.isatty():
        yield _Lines(title, total, done)
        return
    terminal = _Terminal(title, total)
    with terminal.progress:
        terminal.progress.update(terminal.task, completed=done)
        yield terminal


def with_progress(items: Iterable[T], title: str, total: int) -> Generator[T, None, None]:
    """Yield items; advance a bar after each."""
    with bar(title, total) as progress:
        for item in items:
            yield item
            progress.advance()
