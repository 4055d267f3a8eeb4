"""Run stale stages in parallel, within the cores and GPUs of this machine.

DVC decides whether a stage has to run; the scheduler decides when, and ends all processes when it
stops. It is one thread around a selector; `stop` may be called from any thread.
"""

import os
import selectors
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from signal import Signals

from pipeline.execution import stage_seconds
from pipeline.execution.dvc_project import Dag, Result
from pipeline.execution.stage_process import StageProcess
from pipeline.execution.stage_run import DONE, ENDED, LOGS, NOT_DONE, RunCallbacks, StageRun, State
from pipeline.runtime.cpu_count import cpu_count
from stages.base.config.params import Training, read_section

_KILL_SECONDS = 8.0  # from SIGTERM to SIGKILL
_TERMINATE_SECONDS = 1.0  # between SIGTERMs: a process that has just started may miss the first
_POLL_SECONDS = 0.05
_STATES: dict[int, State] = {
    Result.RAN: State.RAN,
    Result.RESTORED: State.RESTORED,
    Result.UNCHANGED: State.UNCHANGED,
}


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    The list is empty if torch, which takes seconds to import, is built without CUDA.
    """
    spec = find_spec("torch")
    origin = spec.origin if spec else None
    if not origin or not Path(origin).with_name("lib").joinpath("libtorch_cuda.so").exists():
        return []
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in {"", "-1"}]
    return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


class Scheduler:
    """One run of some stages.

    Args:
        dag: the graph.
        names: the stages to run, in topological order.
        jobs: maximum number of parallel stages; default: all cores.
        callbacks: called during the run.
    """

    def __init__(
        self,
        dag: Dag,
        names: Iterable[str],
        jobs: int | None = None,
        callbacks: RunCallbacks | None = None,
    ) -> None:
        wanted = dag.order(names)
        self.stages = {
            name: StageRun(
                name,
                dag.nodes[name].needs & frozenset(wanted),
                dag.nodes[name].trains,
                dag.changes.get(name, ()),
                may_fail=dag.nodes[name].may_fail,
            )
            for name in wanted
        }
        self.cores = cpu_count()
        self.jobs = max(1, jobs or self.cores)
        self.callbacks = callbacks or RunCallbacks()
        self.on_change: Callable[[Sequence[StageRun]], None] | None = None
        self.gpus = visible_gpus()
        trains = any(stage.trains for stage in self.stages.values())
        self.threads = read_section("training", Training).threads if trains else 1
        self._seconds_to_end = _seconds_to_end(self.stages)
        self._running: dict[str, StageProcess] = {}
        self._stops = 0
        self._stopped = self._terminated = 0.0

    @property
    def ok(self) -> bool:
        """Whether all stages are done."""
        return all(stage.state in DONE for stage in self.stages.values())

    def stop(self) -> None:
        """Start no more stages and end the running ones.

        They receive SIGTERM, and SIGKILL after 8 s or at a second call.
        """
        self._stops += 1

    def run(self) -> None:
        """Run the stages; return when no more can run and no process of them is left."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with selectors.DefaultSelector() as self._selector, self.callbacks:
            try:
                while self._advance():
                    self._wait()
            finally:
                for process in self._running.values():
                    process.kill()
                    process.close()

    def _advance(self) -> bool:
        """Start the stages that can start, or stop; return whether any runs."""
        if self._stops:
            self._end()
        else:
            for stage in self._startable():
                self._start(stage)
                self._report()
        return bool(self._running)

    def _startable(self) -> Iterator[StageRun]:
        """Yield the stages that may start now, those with the longest path to the end first."""
        for stage in sorted(self.stages.values(), key=lambda s: -self._seconds_to_end[s.name]):
            if stage.state is not State.WAITING:
                continue
            not_done = [
                n for n in sorted(stage.needs - stage.may_fail) if self.stages[n].state in NOT_DONE
            ]
            if not_done:
                stage.note = f"needs {not_done[0]}"
                self._change(stage, State.BLOCKED)
            elif self._is_ready(stage) and self._allot(stage):
                yield stage

    def _is_ready(self, stage: StageRun) -> bool:
        return stage.state is State.WAITING and all(
            self.stages[name].state in (ENDED if name in stage.may_fail else DONE)
            for name in stage.needs
        )

    def _allot(self, stage: StageRun) -> bool:
        """Allot cores and GPUs to a stage; return whether enough are free."""
        running = [other.stage for other in self._running.values()]
        free = self.cores - sum(other.cores for other in running)
        if len(running) >= self.jobs or not free:
            return False
        if stage.trains and self.gpus:
            used = {gpu for other in running for gpu in other.gpus}
            unused = [gpu for gpu in self.gpus if gpu not in used]
            count = min(int(os.environ.get("IDIOLECT_DEVICES", "1")), len(self.gpus))
            share = (self.cores - 1) // len(self.gpus)  # for its loader; one is left to others
            stage.cores, stage.gpus = max(1, min(free, share * count)), unused[:count]
            return len(unused) >= count
        if stage.trains:
            stage.cores = min(self.threads, self.cores)
            return stage.cores <= free
        light = [other for other in self.stages.values() if not other.trains]
        side_by_side = sum(s.state is State.RUNNING or self._is_ready(s) for s in light)
        stage.cores = min(free, max(1, self.cores // min(self.jobs, side_by_side)))
        return True

    def _start(self, stage: StageRun) -> None:
        env = environment() | {"IDIOLECT_CORES": str(stage.cores)}
        if stage.gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(stage.gpus)
        process = StageProcess(stage, env, self.callbacks)
        self._selector.register(process.pipe, selectors.EVENT_READ, process)
        self._running[stage.name] = process
        stage.started = time.monotonic()
        self._change(stage, State.RUNNING)

    def _wait(self) -> None:
        """Read output, and detect the stages that have ended."""
        for key, _ in self._selector.select(_POLL_SECONDS):
            if not key.data.read():
                self._selector.unregister(key.fileobj)
        for process in list(self._running.values()):
            if (code := process.exit_code()) is not None:
                self._finish(process, code)
        self.callbacks.tick()

    def _finish(self, process: StageProcess, code: int) -> None:
        stage = process.stage
        process.read_rest()
        if process.pipe in self._selector.get_map():
            self._selector.unregister(process.pipe)
        process.close()
        del self._running[stage.name]
        stage.seconds, stage.note = time.monotonic() - stage.started, ""
        stage.state = _STATES.get(code, State.STOPPED if self._stops else State.FAILED)
        if stage.state is State.FAILED:
            stage.note = _reason(code, stage.last_lines)
        self.callbacks.stage_changed(stage)
        self._report()

    def _report(self) -> None:
        """Tell the caller that a stage has started or ended."""
        if self.on_change:
            self.on_change(list(self.stages.values()))

    def _end(self) -> None:
        """End all running stages, at first with SIGTERM, later with SIGKILL."""
        now = time.monotonic()
        for stage in self.stages.values():
            if stage.state is State.WAITING:
                self._change(stage, State.STOPPED)
        self._stopped = self._stopped or now
        if self._stops > 1 or now - self._stopped > _KILL_SECONDS:
            for process in self._running.values():
                process.kill()
        elif now - self._terminated > _TERMINATE_SECONDS:
            self._terminated = now
            for process in self._running.values():
                process.terminate()

    def _change(self, stage: StageRun, state: State) -> None:
        stage.state = state
        self.callbacks.stage_changed(stage)


def _reason(code: int, last_lines: Iterable[str]) -> str:
    """Describe why a stage failed, by its exit code and output."""
    if code < 0:
        names = {number.value: number.name for number in Signals}
        return f"killed ({names.get(-code, f'signal {-code}')})"
    errors = [line for line in last_lines if line.startswith("error: ")]
    return errors[0].removeprefix("error: ") if errors else f"ended with code {code}"


def _seconds_to_end(stages: dict[str, StageRun]) -> dict[str, float]:
    """Return the expected seconds from the start of each stage to the end of the longest path."""
    after: dict[str, float] = dict.fromkeys(stages, 0.0)
    for name, stage in reversed(stages.items()):
        after[name] += stage_seconds.seconds(name)
        for needed in stage.needs:
            after[needed] = max(after[needed], after[name])
    return after


def environment() -> dict[str, str]:
    """Return the environment in which `python` in dvc.yaml is this Python."""
    folder = str(Path(sys.executable).parent)
    return os.environ | {"PATH": folder + os.pathsep + os.environ.get("PATH", "")}
