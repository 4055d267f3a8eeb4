"""The output of a run: a live table in a terminal, otherwise lines."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from pipeline.execution import stage_seconds
from pipeline.execution.scheduler import Scheduler
from pipeline.execution.stage_run import DONE, RunCallbacks, StageRun, State

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
_REDRAW_SECONDS = 0.25
_PRIOR_SECONDS = 20.0  # weight of the reference machine's speed in the estimate of this one's


def console(scheduler: Scheduler) -> RunCallbacks:
    """Return a live table if standard output is a terminal, otherwise lines."""
    return LiveTable(scheduler) if sys.stdout.isatty() else LogLines(scheduler)


class LogLines(RunCallbacks):
    """Prints a line at the start and end of each stage, and its output."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.stages = list(scheduler.stages.values())
        self.remaining = RemainingTime(self.stages)
        self.prefixed = scheduler.jobs > 1

    def stage_changed(self, stage: StageRun) -> None:
        """Print a line when a stage starts or ends."""
        begun = sum(other.state is not State.WAITING for other in self.stages)
        line = f"[{begun}/{len(self.stages)}] {stage.name}: "
        if stage.state is State.RUNNING:
            changes = f" ({', '.join(stage.changes)})" if stage.changes else ""
            line += f"starts{changes}; {format_duration(self.remaining.seconds())} left"
        elif stage.state in DONE:
            line += f"{stage.state}, {stage.seconds:.1f} s"
        else:
            line += f"{stage.state}: {stage.note}" if stage.note else stage.state
        print(line, flush=True)

    def stage_output(self, stage: StageRun, line: str) -> None:
        """Print a line, after the stage's name if several may run."""
        print(f"{stage.name} | {line}" if self.prefixed else line, flush=True)

    def stage_progress(self, stage: StageRun) -> None:
        """Print the progress."""
        self.stage_output(stage, stage.note)


class LiveTable(RunCallbacks):
    """Draws a table of all stages that fits the terminal, and prints their output above it."""

    def __init__(self, scheduler: Scheduler) -> None:
        from rich.live import Live

        self.stages = list(scheduler.stages.values())
        self.remaining = RemainingTime(self.stages)
        self.live = Live(auto_refresh=False, transient=False)
        self.drawn = 0.0

    def __enter__(self) -> Self:
        """Start to draw."""
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the last state."""
        self.live.update(self._table(), refresh=True)
        self.live.stop()

    def stage_output(self, stage: StageRun, line: str) -> None:
        """Print a line above the table."""
        self.live.console.print(f"{stage.name} | {line}", markup=False, highlight=False)

    def tick(self) -> None:
        """Redraw the table, about four times per second."""
        now = time.monotonic()
        if now - self.drawn > _REDRAW_SECONDS:
            self.live.update(self._table(), refresh=True)
            self.drawn = now

    def _table(self) -> Any:
        from rich.table import Table

        ended = sum(s.state not in {State.WAITING, State.RUNNING} for s in self.stages)
        left = format_duration(self.remaining.seconds())
        caption = f"{ended} of {len(self.stages)} stages, {left} left"
        table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
        for title in ("stage", "state", "seconds", "changes or progress"):
            table.add_column(title, justify="right" if title == "seconds" else "left", no_wrap=True)
        for stage in fit_rows(self.stages, max(5, self.live.console.height - 4)):
            running = stage.state is State.RUNNING
            seconds = time.monotonic() - stage.started if running else stage.seconds
            state = f"[{_COLOURS[stage.state]}]{stage.state}[/]"
            note = (stage.note or ", ".join(stage.changes)).replace("[", r"\[")
            table.add_row(stage.name, state, f"{seconds:.1f}" if seconds else "", note)
        return table


def fit_rows(stages: Sequence[StageRun], rows: int) -> list[StageRun]:
    """Choose the stages to show in `rows` rows: running, failed, last ended and next to start."""
    if len(stages) <= rows:
        return list(stages)
    first = [s for s in stages if s.state in {State.RUNNING, State.FAILED}][:rows]
    waiting = [s for s in stages if s.state is State.WAITING]
    ended = [s for s in stages if s not in first and s.state is not State.WAITING]
    ended.sort(key=lambda s: s.started + s.seconds, reverse=True)
    free = rows - len(first)
    following = waiting[: max(free // 2, free - len(ended))]
    shown = {s.name for s in [*first, *following, *ended[: free - len(following)]]}
    return [s for s in stages if s.name in shown]


class RemainingTime:
    """Estimates the time left from the stages' seconds on the reference machine."""

    def __init__(
        self, stages: Sequence[StageRun], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.stages, self.now, self.started = stages, now, now()

    def seconds(self) -> float:
        """Return the seconds left: the expected seconds over the speed so far."""
        total = done = 0.0
        for stage in self.stages:
            expected = stage_seconds.seconds(stage.name)
            if stage.state is State.RUNNING:
                done += min(self.now() - stage.started, 0.9 * expected)
            elif stage.state is not State.WAITING:
                done += expected
            total += expected
        slowness = (self.now() - self.started + _PRIOR_SECONDS) / (done + _PRIOR_SECONDS)
        return slowness * (total - done)


def format_duration(seconds: float) -> str:
    """Format a duration: `about 40 s`, `about 3 min`."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
