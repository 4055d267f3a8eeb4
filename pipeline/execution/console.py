"""What a run shows while it goes on: a table in a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from pipeline.execution import stage_seconds
from pipeline.execution.scheduler import DONE, Listener, Runner, StageRun, State

_COLOURS = {
    State.RUNNING: "cyan",
    State.RAN: "green",
    State.RESTORED: "green",
    State.UNCHANGED: "dim",
    State.FAILED: "red",
    State.BLOCKED: "yellow",
    State.STOPPED: "yellow",
    State.WAITING: "dim",
}
_FRAMES_SECONDS = 0.25
_TRUSTED = 20.0  # seconds for which the reference machine's speed is taken for this one's


def listener(runner: Runner) -> Listener:
    """Return what shows a run: a table where standard output is a terminal."""
    return Table(runner) if sys.stdout.isatty() else Lines(runner)


class Lines(Listener):
    """A line where a stage starts and ends, and all that it says."""

    def __init__(self, runner: Runner) -> None:
        self.works = list(runner.works.values())
        self.left = Left(self.works)
        self.several = runner.jobs > 1

    def changed(self, work: StageRun) -> None:
        """Tell of a start or an end."""
        place = f"[{sum(w.state is not State.WAITING for w in self.works)}/{len(self.works)}]"
        if work.state is State.RUNNING:
            why = f" ({', '.join(work.why)})" if work.why else ""
            print(f"{place} {work.name}: starts{why}; {self.left.told()} left", flush=True)
        elif work.state in DONE:
            print(f"{place} {work.name}: {work.state}, {work.seconds:.1f} s", flush=True)
        else:
            note = f": {work.note}" if work.note else ""
            print(f"{place} {work.name}: {work.state}{note}", flush=True)

    def said(self, work: StageRun, line: str) -> None:
        """Tell a line, and of which stage where several may run."""
        print(f"{work.name} | {line}" if self.several else line, flush=True)

    def progressed(self, work: StageRun) -> None:
        """Tell how far a stage is."""
        self.said(work, work.note)


class Table(Listener):
    """A table of all stages that fits the terminal, and above it what they say."""

    def __init__(self, runner: Runner) -> None:
        from rich.live import Live

        self.works = list(runner.works.values())
        self.left = Left(self.works)
        self.live = Live(auto_refresh=False, transient=False)
        self.shown = 0.0

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the end."""
        self.live.update(self.drawn(), refresh=True)
        self.live.stop()

    def said(self, work: StageRun, line: str) -> None:
        """Put a line above the table."""
        self.live.console.print(f"{work.name} | {line}", markup=False, highlight=False)

    def tick(self) -> None:
        """Draw again, several times a second."""
        now = time.monotonic()
        if now - self.shown > _FRAMES_SECONDS:
            self.live.update(self.drawn(), refresh=True)
            self.shown = now

    def drawn(self) -> Any:
        """Draw the stages as they are."""
        from rich.table import Table as Grid

        rows = self.live.console.height - 4
        grid = Grid(box=None, pad_edge=False, caption=self._caption(), caption_justify="left")
        for title in ("stage", "state", "seconds", "what changed, or how far"):
            grid.add_column(title, justify="right" if title == "seconds" else "left", no_wrap=True)
        for work in _fitting(self.works, max(5, rows)):
            running = work.state is State.RUNNING
            seconds = time.monotonic() - work.began if running else work.seconds
            state = f"[{_COLOURS[work.state]}]{work.state}[/]"
            note = (work.note or ", ".join(work.why)).replace("[", r"\[")
            grid.add_row(work.name, state, f"{seconds:.1f}" if seconds else "", note)
        return grid

    def _caption(self) -> str:
        ended = sum(work.state not in {State.WAITING, State.RUNNING} for work in self.works)
        return f"{ended} of {len(self.works)} stages, {self.left.told()} left"


def _fitting(works: Sequence[StageRun], rows: int) -> list[StageRun]:
    """Choose what is shown where not all fits: what runs, failed, ended last or starts next."""
    if len(works) <= rows:
        return list(works)
    first = [w for w in works if w.state in {State.RUNNING, State.FAILED}]
    waiting = [w for w in works if w.state is State.WAITING]
    ended = [w for w in works if w not in first and w.state is not State.WAITING]
    ended.sort(key=lambda w: w.began + w.seconds)
    room = max(0, rows - len(first))
    after = waiting[: max(room // 2, room - len(ended))]
    before = ended[len(ended) - (room - len(after)) :] if room > len(after) else []
    kept = {w.name for w in [*first[:rows], *after, *before]}
    return [w for w in works if w.name in kept]


class Left:
    """The time that remains, by how long stages take on the reference machine."""

    def __init__(
        self, works: Sequence[StageRun], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.works, self.now, self.began = works, now, now()

    def seconds(self) -> float:
        """Estimate the seconds that remain: those expected, at the speed so far."""
        expected = passed = 0.0
        for work in self.works:
            usual = stage_seconds.seconds(work.name)
            if work.state is State.RUNNING:
                passed += min(self.now() - work.began, 0.9 * usual)
            elif work.state is not State.WAITING:
                passed += usual
            expected += usual
        speed = (self.now() - self.began + _TRUSTED) / (passed + _TRUSTED)
        return speed * (expected - passed)

    def told(self) -> str:
        """Say it in words: `about 3 min`."""
        return minutes(self.seconds())


def minutes(seconds: float) -> str:
    """Put seconds into words: `about 40 s`, `about 3 min`."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
