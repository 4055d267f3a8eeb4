"""The flow `reproduce`: `idiolect repro` with one task per stage.

    python -m pipeline.flows.reproduce [STAGE…]

One run of the engine does the work, in the main thread: a signal that cancels the flow first stops
the stages, then reaches Prefect. A task appears when its stage starts, depends on the tasks of the
stages that its stage needs, and logs the output of the stage. A stage that is unchanged or restored
is `Cached`; one that needs a failed stage is `Blocked`.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import Annotated, Any

import typer
from prefect import Task, allow_failure, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.client.schemas.objects import StateType
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from pipeline.execution.dvc_project import Dag
from pipeline.execution.reproduce import counts
from pipeline.execution.reproduce import reproduce as run_stages
from pipeline.execution.stage_process import PULL
from pipeline.execution.stage_run import RunCallbacks, StageRun, State
from pipeline.flows import artifacts, flow_process, server
from pipeline.report.page.project_state import PAGE
from pipeline.report.page.updater import PageUpdater
from pipeline.runtime.user_errors import UserError, report_user_errors

TASK: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
_ERROR = "error: "  # prefix of a process's error line
_SIGNALLED = 128  # an exit code above it: the run was stopped by this signal


def run_name() -> str:
    """Name a run by its project folder, its subject if it has one, and the time."""
    parts = (Path.cwd().name, flow_run.parameters.get("subject"))
    return " ".join(filter(None, (*parts, f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}")))


@flow(
    name="reproduce",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(),
    persist_result=False,
)
def reproduce(
    stages: list[str] | None = None, jobs: int | None = None, check_project: bool = True
) -> "PrefectState[Any]":
    """Run the stale stages, as `idiolect repro` does; end as Failed if a stage has.

    Args:
        stages: names of DVC, or groups; all if none.
        jobs: maximum number of parallel stages; default: all cores.
        check_project: write versions.yaml and check params.yaml first.
    """
    try:
        return _reproduce(stages or (), jobs, check_project=check_project)
    except UserError as error:
        return Failed(message=str(error))


def _reproduce(
    stages: Sequence[str], jobs: int | None, *, check_project: bool
) -> "PrefectState[Any]":
    remote = _default_remote()
    if remote:
        os.environ.pop(PULL, None)
        fetch = _task(f"fetch from {remote}", lambda: _call_remote("fetch"))
        if fetch(return_state=True).name == "Completed":
            os.environ[PULL] = "1"
    tasks, page = _Tasks(remote), PageUpdater()

    def plan(dag: Dag, names: Sequence[str]) -> None:
        tasks.plan(dag, names)
        if check_project:  # a project of other stages has no page
            page.on_plan(dag, names)
            artifacts.page(PAGE)

    try:
        code, ended = run_stages(
            stages,
            jobs,
            callbacks=lambda _: tasks,
            on_plan=plan,
            on_change=page.on_change,
            check_project=check_project,
        )
        if code > _SIGNALLED:
            signal.raise_signal(code - _SIGNALLED)  # the stages have ended: now Prefect may cancel
        tasks.wait()
        page.close(ended)
    finally:
        tasks.stopping.set()
        page.end()
    artifacts.stages(ended, tasks.names)
    artifacts.metrics()
    artifacts.results([stage.name for stage in ended if stage.state in {State.RAN, State.RESTORED}])
    failed = [f"{stage.name}: {stage.note}" for stage in ended if stage.state is State.FAILED]
    if failed:
        return Failed(message=f"{counts(ended)}; failed: {'; '.join(failed)}")
    return Completed(message=counts(ended))


def _task(name: str, function: Callable[[], "PrefectState[Any]"]) -> "Task[[], Any]":
    return task(function, name=name, task_run_name=name, **TASK)


class _Tasks(RunCallbacks):
    """The tasks of one run, which log what the engine reports.

    Each depends on the tasks of the stages that its stage needs, and runs however they end.
    """

    def __init__(self, remote: str) -> None:
        self.remote = remote
        self.names: Sequence[str] = ()
        self._needs: Mapping[str, frozenset[str]] = {}
        self._events: dict[str, SimpleQueue[str | StageRun | None]] = {}
        self._futures: dict[str, PrefectFuture[Any]] = {}
        self._pushes: list[PrefectFuture[Any]] = []
        self._pushing = Lock()  # one push at a time
        self.stopping = Event()

    def plan(self, dag: Dag, names: Sequence[str]) -> None:
        """Submit the tasks of stages that are not stale."""
        self.names, self._needs = names, {name: dag.nodes[name].needs for name in names}
        artifacts.plan(dag, names)
        stale = set(dag.stale(names))
        for name in names:
            if name not in stale:
                self._submit(name, _unchanged)

    def stage_changed(self, stage: StageRun) -> None:
        """Submit the task of a stage that starts, or never will; end that of one that has ended."""
        name = stage.name
        if name not in self._events:
            self._events[name] = SimpleQueue()
            future = self._submit(name, lambda: self._follow(name))
            if self.remote:
                push = _task(f"push {name}", lambda: self._push(name, future))
                self._pushes.append(push.submit(wait_for=[allow_failure(future)]))
        if stage.state not in {State.WAITING, State.RUNNING}:
            self._events[name].put(stage)

    def stage_output(self, stage: StageRun, line: str) -> None:
        """Log a line of output."""
        self._events[stage.name].put(line)

    def stage_progress(self, stage: StageRun) -> None:
        """Log the progress of a stage."""
        self._events[stage.name].put(stage.note)

    def _submit(self, name: str, function: Callable[[], "PrefectState[Any]"]) -> PrefectFuture[Any]:
        needs = self._needs[name] & set(self._futures)
        before = [allow_failure(self._futures[other]) for other in self.names if other in needs]
        self._futures[name] = _task(name, function).submit(wait_for=before)
        return self._futures[name]

    def _follow(self, name: str) -> "PrefectState[Any]":
        log = get_run_logger()
        while isinstance(event := self._events[name].get(), str):
            log.info(event)
        return _state(event) if event else _stopped()

    def _push(self, name: str, future: PrefectFuture[Any]) -> "PrefectState[Any]":
        if future.state.name != "Completed":
            return Completed(name="Cached", message="the stage did not run")
        with self._pushing, suppress(flow_process.FlowProcessStopped):
            return _call_remote("push", name, stop=self.stopping)
        return _stopped()

    def __exit__(self, *_: object) -> None:
        """End the tasks of stages whose end the engine has not reported."""
        for events in self._events.values():
            events.put(None)

    def wait(self) -> None:
        """Wait until all tasks have ended."""
        for future in [*self._futures.values(), *self._pushes]:
            future.wait()


def _unchanged() -> "PrefectState[Any]":
    return Completed(name="Cached", message="no input has changed")


def _state(stage: StageRun) -> "PrefectState[Any]":
    """Return Prefect's state for a stage that has ended."""
    match stage.state:
        case State.RAN:
            return Completed(message=f"ran, {stage.seconds:.1f} s")
        case State.RESTORED:
            message = f"restored from DVC's run cache, {stage.seconds:.1f} s"
            return Completed(name="Cached", message=message)
        case State.UNCHANGED:
            return Completed(name="Cached", message="its inputs did not change")
        case State.FAILED:
            return Failed(message=stage.note)
        case State.BLOCKED:
            # Prefect refuses to begin a task below a cancelled one.
            return PrefectState(type=StateType.FAILED, name="Blocked", message=stage.note)
        case _:
            return _stopped()


def _stopped() -> "PrefectState[Any]":
    return PrefectState(type=StateType.CANCELLED, name="Stopped", message="the run was stopped")


def _default_remote() -> str:
    """Return the name of DVC's default remote; empty if there is none."""
    from dvc.repo import Repo

    with Repo() as repo:
        return str(repo.config["core"].get("remote") or "")


def _call_remote(*command: str, stop: Event | None = None) -> "PrefectState[Any]":
    """Fetch from or push to DVC's remote; a failure is logged and does not fail the run."""
    logger = get_run_logger()
    code, lines = flow_process.run(command, stop)
    for line in lines:
        (logger.warning if code else logger.info)(line)
    if code:
        errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
        return Completed(name="NotReached", message=errors[0] if errors else f"exit code {code}")
    return Completed(message=lines[-1] if lines else "done")


def main(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages or groups. Default: all.")
    ] = None,
) -> None:
    """Run the flow `reproduce` with the configured Prefect server, or a new one."""
    raise typer.Exit(run(stages or []))


def run(stages: list[str], *, check_project: bool = True) -> int:
    """Run the flow here and now, print its message, and return the exit code."""
    with server.running():
        state = reproduce(stages, check_project=check_project, return_state=True)
    typer.echo(state.message, err=state.is_failed())
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    with report_user_errors():
        typer.run(main)
