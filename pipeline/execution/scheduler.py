"""Runs stale stages side by side, within the cores of this machine.

DVC decides what a stage is and whether it has to run; the runner decides when, and sees to it that
nothing goes on when it stops. It is one thread around a selector; `stop` may be called from any.
"""

import os
import re
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import IO, Self

from pipeline.execution import stage_seconds
from pipeline.execution.gpus import gpus_per_training, visible_gpus
from pipeline.execution.stage_graph import Dag
from pipeline.execution.stage_process import RAN, RESTORED, UNCHANGED, Server
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Training, read_section

LOGS = Path(".idiolect/logs")
_PATIENCE_SECONDS = 8.0  # between SIGTERM and SIGKILL
_AGAIN_SECONDS = 1.0  # a stage that was just starting has not heard the first SIGTERM
_TICK_SECONDS = 0.25
_LAST = 20  # lines of a stage that are kept for a summary
_BITE, _PIPE = 4096, 65536  # bytes: of what a stage says taken in at once; what a pipe holds
_PROGRESS = re.compile(r".+: (\d+/\d+ [\d.]+/s \d+ s left.*)")


class State(StrEnum):
    """What has become of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    RAN = "ran"
    RESTORED = "restored"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    STOPPED = "stopped"


DONE = frozenset({State.RAN, State.RESTORED, State.UNCHANGED})
_STATES = {RAN: State.RAN, RESTORED: State.RESTORED, UNCHANGED: State.UNCHANGED}


@dataclass
class StageRun:
    """One stage of a run.

    Attributes:
        name: as DVC calls it.
        needs: those of the run that it waits for.
        trains: it uses the threads of the section `training`, or a GPU.
        why: what has changed, in words; empty where it follows from what it needs.
        state: see `State`.
        began: when it started, `time.monotonic`; 0 before.
        seconds: how long it took.
        note: its progress, or why it failed or is blocked.
        cores: how many it has.
        gpus: the GPUs that it has.
        last: the last lines that it said.
    """

    name: str
    needs: frozenset[str]
    trains: bool
    why: Sequence[str]
    state: State = State.WAITING
    began: float = 0.0
    seconds: float = 0.0
    note: str = ""
    cores: int = 0
    gpus: list[str] = field(default_factory=list)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST))

    @property
    def log(self) -> Path:
        """Where all that it says is kept."""
        return LOGS / f"{self.name.replace('/', '_')}.log"


class Listener:
    """Hears of a run what it wants to; every call comes from the thread that runs."""

    def changed(self, work: StageRun) -> None:
        """Hear that a stage has another state."""

    def said(self, work: StageRun, line: str) -> None:
        """Hear a line of a stage that is no progress."""

    def progressed(self, work: StageRun) -> None:
        """Hear that a stage has told how far it is, which is its note now."""

    def tick(self) -> None:
        """Hear that time has passed, several times a second."""

    def __enter__(self) -> Self:
        """Hear that the run begins."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hear that it has ended."""


class Runner:
    """One run of some stages.

    Args:
        dag: the graph.
        names: the stages to run; those among them that they need are waited for.
        jobs: how many may run at once.
        listener: hears what happens.
        threads: how many a training uses; params.yaml tells unless given.
    """

    def __init__(
        self,
        dag: Dag,
        names: Iterable[str],
        jobs: int | None = None,
        listener: Listener | None = None,
        threads: int | None = None,
    ) -> None:
        wanted = dag.order(names)
        self.works = {
            name: StageRun(
                name,
                dag.nodes[name].needs & frozenset(wanted),
                dag.nodes[name].trains,
                dag.changes.get(name, ()),
            )
            for name in wanted
        }
        self.total = cpu_count()
        self.jobs = max(1, jobs or self.total)
        self.listener = listener or Listener()
        self.gpus = visible_gpus()
        trains = any(work.trains for work in self.works.values())
        self.threads = threads or (read_section("training", Training).threads if trains else 1)
        self._rank = _ranks(self.works)
        self._outputs: dict[str, _Output] = {}
        self._heard, self._said = socket.socketpair()
        self._said.setblocking(False)
        self._stops = 0
        self._stopped, self._reminded = 0.0, 0.0

    @property
    def ok(self) -> bool:
        """Whether all is done."""
        return all(work.state in DONE for work in self.works.values())

    def stop(self) -> None:
        """Start no more, and end what runs: SIGTERM, after 8 s SIGKILL; at once if called again."""
        self._stops += 1
        self._said.send(b"!")

    def run(self) -> None:
        """Run the stages; return when all is done, failed, blocked or stopped and none is left."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with (
            Server(environment()) as self._server,
            selectors.DefaultSelector() as self._ready,
            self.listener,
        ):
            self._ready.register(self._heard, selectors.EVENT_READ)
            self._ready.register(self._server.socket, selectors.EVENT_READ)
            try:
                while self._go_on():
                    self._wait()
            finally:
                for output in self._outputs.values():
                    output.close()

    def _go_on(self) -> bool:
        """Start what can start; return whether anything runs."""
        if self._stops:
            self._end()
        else:
            for work in self._startable():
                self._start(work)
        return any(work.state is State.RUNNING for work in self.works.values())

    def _startable(self) -> Iterator[StageRun]:
        """Yield what may start now, the beginning of the longest way first."""
        for work in sorted(self.works.values(), key=lambda work: -self._rank[work.name]):
            if work.state is not State.WAITING:
                continue
            bad = [n for n in sorted(work.needs) if self.works[n].state in _BAD]
            if bad:
                work.note = f"needs {bad[0]}"
                self._change(work, State.BLOCKED)
            elif self._is_ready(work) and self._give(work):
                yield work

    def _is_ready(self, work: StageRun) -> bool:
        return work.state is State.WAITING and all(
            self.works[name].state in DONE for name in work.needs
        )

    def _give(self, work: StageRun) -> bool:
        """Give a stage the cores and cards that it needs, if they are free."""
        running = [other for other in self.works.values() if other.state is State.RUNNING]
        free = self.total - sum(other.cores for other in running)
        if len(running) >= self.jobs or not free:
            return False
        if work.trains and self.gpus:
            taken = {card for other in running for card in other.gpus}
            left = [card for card in self.gpus if card not in taken]
            needed = min(gpus_per_training(), len(self.gpus))
            work.cores, work.gpus = 1, left[:needed]
            return len(left) >= needed
        if work.trains:
            work.cores = min(self.threads, self.total)
            return work.cores <= free
        light = [o for o in self.works.values() if not o.trains]
        beside = sum(o.state is State.RUNNING or self._is_ready(o) for o in light)
        work.cores = min(free, max(1, self.total // min(self.jobs, beside)))
        return True

    def _start(self, work: StageRun) -> None:
        reads, writes = os.pipe()
        env = {"IDIOLECT_CORES": str(work.cores)}
        if work.gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(work.gpus)
        self._outputs[work.name] = _Output(work, reads, self.listener)
        self._ready.register(reads, selectors.EVENT_READ, self._outputs[work.name])
        work.began = time.monotonic()
        self._change(work, State.RUNNING)
        self._server.start(work.name, env, writes)
        os.close(writes)

    def _wait(self) -> None:
        """Take in what happens next."""
        ready = [key for key, _ in self._ready.select(_TICK_SECONDS)]
        for key in ready:
            if isinstance(key.data, _Output) and not key.data.read():
                self._ready.unregister(key.fileobj)
        files = [key.fileobj for key in ready]
        if self._heard in files:
            self._heard.recv(1024)
        if self._server.socket in files:  # last: `_finish` closes outputs
            for name, code in self._server.ended():
                self._finish(self.works[name], code)
        self.listener.tick()

    def _finish(self, work: StageRun, code: int) -> None:
        output = self._outputs.pop(work.name)
        for _ in range(_PIPE // _BITE):  # no more: what it has started may talk on
            output.read()
        if output.fd in self._ready.get_map():
            self._ready.unregister(output.fd)
        output.close()
        work.seconds, work.note = time.monotonic() - work.began, ""
        state = _STATES.get(code, State.STOPPED if self._stops else State.FAILED)
        if state is State.FAILED:
            work.note = _reason(code, work.last)
        self._change(work, state)

    def _end(self) -> None:
        """Have what runs stop, in words and then by force."""
        now = time.monotonic()
        for work in self.works.values():
            if work.state is State.WAITING:
                self._change(work, State.STOPPED)
        self._stopped = self._stopped or now
        if self._stops > 1 or now - self._stopped > _PATIENCE_SECONDS:
            self._server.signal(SIGKILL)
        elif now - self._reminded > _AGAIN_SECONDS:
            self._server.signal(SIGTERM)
            self._reminded = now

    def _change(self, work: StageRun, state: State) -> None:
        work.state = state
        self.listener.changed(work)


_BAD = frozenset({State.FAILED, State.BLOCKED, State.STOPPED})


class _Output:
    """What a stage says, line by line."""

    def __init__(self, work: StageRun, fd: int, listener: Listener) -> None:
        os.set_blocking(fd, False)
        self.work, self.fd, self.listener = work, fd, listener
        self.log: IO[bytes] = work.log.open("wb", buffering=0)
        self.rest = b""

    def read(self) -> bool:
        """Take in a bite of what has been said; return False where nothing more can come.

        Raises:
            UserError: the log cannot be written.
        """
        try:
            data = os.read(self.fd, _BITE)
        except BlockingIOError:
            return True
        try:
            self.log.write(data)
        except OSError as error:
            found = f"cannot be written: {str(error.strerror).lower()}"
            raise UserError(self.work.log, found, "make room and run again") from None
        *lines, self.rest = re.split(rb"[\r\n]+", self.rest + data)
        if len(self.rest) > _PIPE:
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            self._line(line)
        return bool(data)

    def close(self) -> None:
        """Leave the pipe and the log."""
        self._line(self.rest)
        os.close(self.fd)
        self.log.close()

    def _line(self, said: bytes) -> None:
        line = said.decode(errors="replace").rstrip()
        if not line:
            return
        if progress := _PROGRESS.fullmatch(line):
            self.work.note = progress[1]
            self.listener.progressed(self.work)
        elif not line.startswith(_DVC_SAYS):
            self.work.last.append(line)
            self.listener.said(self.work, line)


# What DVC tells of each stage and the table tells better.
_DVC_SAYS = (
    "> ",
    "Running stage '",
    "Updating lock file",
    "Generating lock file",
    "Use `dvc push`",
    "To track the",
    "Stage '",
)


def _reason(code: int, last: Iterable[str]) -> str:
    if code < 0:
        names = {number.value: number.name for number in Signals}
        return f"killed ({names.get(-code, f'signal {-code}')})"
    told = [line for line in last if line.startswith("error: ")]
    return told[0].removeprefix("error: ") if told else f"ended with code {code}"


def _ranks(works: dict[str, StageRun]) -> dict[str, float]:
    """Return the seconds from the start of each stage to the end of the longest way from it."""
    after: dict[str, float] = dict.fromkeys(works, 0.0)
    for name, work in reversed(works.items()):
        after[name] += stage_seconds.seconds(name)
        for needed in work.needs:
            after[needed] = max(after[needed], after[name])
    return after


def environment() -> dict[str, str]:
    """Return the environment in which `python` in dvc.yaml is this Python."""
    folder = str(Path(sys.executable).parent)
    return os.environ | {"PATH": folder + os.pathsep + os.environ.get("PATH", "")}
