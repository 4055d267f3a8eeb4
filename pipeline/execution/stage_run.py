"""One stage of a run: its state, its resources, and the callbacks that follow it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

LOGS = Path(".idiolect/logs")
_LAST_LINES = 20


class State(StrEnum):
    """The state of a stage in a run."""

    WAITING = "waiting"
    RUNNING = "running"
    RAN = "ran"
    RESTORED = "restored"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    STOPPED = "stopped"


DONE = frozenset({State.RAN, State.RESTORED, State.UNCHANGED})
NOT_DONE = frozenset({State.FAILED, State.BLOCKED, State.STOPPED})  # ended without a result
ENDED = DONE | NOT_DONE


@dataclass
class StageRun:
    """One stage of a run.

    Attributes:
        name: the stage's name in DVC.
        needs: the stages of this run whose outs it reads.
        trains: whether it uses the threads of the section `training`, or GPUs.
        changes: what has changed since it last ran; empty if only its inputs may change.
        state: see `State`.
        started: `time.monotonic()` at its start; 0 before.
        seconds: how long it took.
        note: its progress while it runs; the reason if it failed or is blocked.
        cores: the number of cores allotted to it.
        gpus: the GPUs allotted to it.
        last_lines: the end of its output.
        may_fail: those of `needs` after whose failure it runs all the same.
    """

    name: str
    needs: frozenset[str]
    trains: bool
    changes: Sequence[str]
    state: State = State.WAITING
    started: float = 0.0
    seconds: float = 0.0
    note: str = ""
    cores: int = 0
    gpus: list[str] = field(default_factory=list)
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    may_fail: frozenset[str] = frozenset()

    @property
    def log(self) -> Path:
        """The file that holds all of its output."""
        return LOGS / f"{self.name.replace('/', '_')}.log"


class RunCallbacks:
    """Methods that the scheduler calls during a run, all from its own thread.

    The scheduler enters it as a context manager for as long as the run lasts.
    """

    def stage_changed(self, stage: StageRun) -> None:
        """Handle a stage's new state."""

    def stage_output(self, stage: StageRun, line: str) -> None:
        """Handle one line of a stage's output that is not progress."""

    def stage_progress(self, stage: StageRun) -> None:
        """Handle new progress of a stage, which is in its note."""

    def tick(self) -> None:
        """Handle the passing of time; called several times a second."""

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
