"""One run of the engine in a thread of its own, and what it tells, as events for a flow.

A flow is cancelled by an exception in the main thread, which the engine's own loop would not
outlive: so it runs in another thread, and leaving the block stops it and waits until all is gone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Self

from pipeline.execution.reproduce import reproduce
from pipeline.execution.scheduler import Scheduler
from pipeline.execution.stage_graph import Dag
from pipeline.execution.stage_run import DONE, RunCallbacks, StageRun, State

_ENDED = frozenset({*DONE, State.FAILED, State.BLOCKED, State.STOPPED})


@dataclass(frozen=True)
class Plan:
    """The first event: the graph, and which of its stages a run is about, in order."""

    dag: Dag
    names: Sequence[str]


@dataclass(frozen=True)
class Ended:
    """The last event of a stage: what became of it."""

    state: State
    note: str
    seconds: float


@dataclass
class Voice:
    """What a stage says, from its start, or from where it is clear that it never starts."""

    name: str
    heard: "SimpleQueue[str | Ended]" = field(default_factory=SimpleQueue)

    def lines(self, hear: Callable[[str], None]) -> Ended:
        """Hand on what the stage says, line by line; return when it has ended."""
        while True:
            told = self.heard.get()
            if isinstance(told, Ended):
                return told
            hear(told)


@dataclass
class _Over:
    error: BaseException | None = None


class Following(RunCallbacks):
    """One run, followed.

    Args:
        targets: stages or groups; all if none.
        jobs: how many stages at once.
        ours: look after versions.yaml and params.yaml, see
        `pipeline.execution.reproduce.reproduce`.

    Attributes:
        works: the stages that were stale, once the events have ended.
        stopping: set when the block is left.
    """

    def __init__(self, targets: Sequence[str], jobs: int | None, ours: bool) -> None:
        self.works: list[StageRun] = []
        self.stopping = Event()
        self._events: SimpleQueue[Plan | Voice | _Over] = SimpleQueue()
        self._voices: dict[str, Voice] = {}
        self._runner: Scheduler | None = None
        self._thread = Thread(target=self._run, args=(targets, jobs, ours), daemon=True)

    def events(self) -> Iterator[Plan | Voice]:
        """Yield the plan, then each stage when it starts or will not; raise its UserError."""
        while not isinstance(event := self._events.get(), _Over):
            yield event
        if event.error:
            raise event.error

    def stage_changed(self, work: StageRun) -> None:
        """Hear of a start or an end."""
        voice = self._voices.get(work.name)
        if voice is None:
            voice = self._voices[work.name] = Voice(work.name)
            self._events.put(voice)
        if work.state in _ENDED:
            voice.heard.put(Ended(work.state, work.note, work.seconds))

    def stage_output(self, work: StageRun, line: str) -> None:
        """Hear a line."""
        self._voices[work.name].heard.put(line)

    def stage_progress(self, work: StageRun) -> None:
        """Hear how far a stage is."""
        self._voices[work.name].heard.put(work.note)

    def __enter__(self) -> Self:
        """Begin; the engine enters it too, as any listener, which changes nothing."""
        if not self._thread.ident:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what still runs and wait until it is gone; nothing where the engine leaves it."""
        if current_thread() is self._thread:
            return
        self.stopping.set()
        if self._runner:
            self._runner.stop()
        self._thread.join()

    def _run(self, targets: Sequence[str], jobs: int | None, ours: bool) -> None:
        over = _Over()
        try:
            _, self.works = reproduce(
                targets, jobs, callbacks=self._listen, on_plan=self._planned, check_project=ours
            )
        except BaseException as error:  # noqa: BLE001 - raised again where the events are read
            over.error = error
        finally:
            self._events.put(over)

    def _planned(self, dag: Dag, names: Sequence[str]) -> None:
        self._events.put(Plan(dag, names))

    def _listen(self, runner: Scheduler) -> RunCallbacks:
        self._runner = runner
        if self.stopping.is_set():
            runner.stop()
        return self
