"""The flow `reproduce`: `idiolect repro` with a task for each stage.

    python -m pipeline.flows.reproduce [STAGE…]

One run of the engine lies under it, with its lock, its cores and its stop; a task appears when
its stage starts, waits on the tasks of those that its stage needs, and logs what it says. What DVC
finds unchanged, or restores, is `Cached`; what needs a failed stage is `Blocked`.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as Told
from prefect.client.schemas.objects import StateType
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from pipeline.execution import helper_process, remote
from pipeline.execution.reproduce import counts
from pipeline.execution.stage_process import PULL
from pipeline.execution.stage_run import State
from pipeline.flows import artifacts, server
from pipeline.flows.following import Ended, Following, Plan, Voice
from pipeline.runtime.user_errors import UserError

_OPTIONS: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
_REMOTE = "pipeline.execution.remote"
_ERROR = "ERROR: "  # as DVC says it, before it offers help on a last line


@flow(name="reproduce", task_runner=ThreadPoolTaskRunner(), persist_result=False)
def reproduce(
    stages: list[str] | None = None, jobs: int | None = None, ours: bool = True
) -> "Told[Any]":
    """Run what is stale, as `idiolect repro` does; end as Failed where a stage has.

    Args:
        stages: as DVC names them, or groups; all if none.
        jobs: how many at once; as many as cores unless given.
        ours: a project of this package's stages.
    """
    try:
        return _reproduce(stages or (), jobs, ours)
    except UserError as problem:
        return Failed(message=str(problem))


def _reproduce(stages: Sequence[str], jobs: int | None, ours: bool) -> "Told[Any]":
    store = remote.name()
    if store:
        name = f"fetch from {store}"
        told = _from_remote.with_options(name=name, task_run_name=name)(return_state=True)
        os.environ.pop(PULL, None)
        if told.name == "Completed":
            os.environ[PULL] = "1"
    with Following(stages, jobs, ours) as following:
        tasks = _Tasks(following, store)
        for event in following.events():
            tasks.hear(event)
        tasks.wait()
    works = following.works
    artifacts.stages(works, tasks.names)
    artifacts.metrics()
    artifacts.results([work.name for work in works if work.state in {State.RAN, State.RESTORED}])
    failed = [f"{work.name}: {work.note}" for work in works if work.state is State.FAILED]
    if failed:
        return Failed(message=f"{counts(works)}; failed: {'; '.join(failed)}")
    if any(work.state is State.STOPPED for work in works):
        return Failed(message=f"{counts(works)}; run it again to go on")
    return Completed(message=counts(works))


class _Tasks:
    """The tasks of one run; each waits on those that its stage needs."""

    def __init__(self, following: Following, store: str) -> None:
        self.following, self.store = following, store
        self.names: Sequence[str] = ()
        self._futures: dict[str, PrefectFuture[Any]] = {}
        self._pushes: list[PrefectFuture[Any]] = []
        self._one_push = Lock()

    def hear(self, event: Plan | Voice) -> None:
        """Submit what an event is about: stages that are not stale, or one that has begun."""
        if isinstance(event, Voice):
            self._submit(event)
            return
        self.dag, self.names = event.dag, event.names
        artifacts.plan(event.dag, event.names)
        stale = set(event.dag.stale(event.names))
        for name in event.names:
            if name not in stale:
                self._submit(Voice(name), cached=True)

    def _submit(self, voice: Voice, *, cached: bool = False) -> None:
        @task(name=voice.name, task_run_name=voice.name, **_OPTIONS)
        def stage() -> "Told[Any]":
            if cached:
                return Completed(name="Cached", message="nothing that it depends on has changed")
            ended = voice.lines(get_run_logger().info)
            return _told(ended)

        needs = self.dag.nodes[voice.name].needs
        before = [self._futures[name] for name in self.names if name in needs & set(self._futures)]
        future = stage.submit(wait_for=[_whatever(one) for one in before])
        self._futures[voice.name] = future
        if self.store and not cached:
            self._push(voice.name, future)

    def _push(self, name: str, future: PrefectFuture[Any]) -> None:
        @task(name=f"push {name}", task_run_name=f"push {name}", **_OPTIONS)
        def push() -> "Told[Any]":
            if future.state.name != "Completed":
                return Completed(name="Cached", message="it did not run")
            with self._one_push, suppress(helper_process.Stopped):
                return _remotely("push", name, stop=self.following.stopping)
            return Told(type=StateType.CANCELLED, name="Stopped")

        self._pushes.append(push.submit(wait_for=[_whatever(future)]))

    def wait(self) -> None:
        """Wait until all tasks have said what became of them."""
        for future in [*self._futures.values(), *self._pushes]:
            future.wait()


def _whatever(future: PrefectFuture[Any]) -> Any:
    """Have a task wait for another, and run however that one ends: the engine has decided."""
    from prefect import allow_failure

    return allow_failure(future)


def _told(ended: Ended) -> "Told[Any]":
    took = f"{ended.seconds:.1f} s"
    match ended.state:
        case State.RAN:
            return Completed(message=f"ran, {took}")
        case State.RESTORED:
            return Completed(name="Cached", message=f"restored from DVC's run cache, {took}")
        case State.UNCHANGED:
            return Completed(name="Cached", message="what it reads came out the same")
        case State.FAILED:
            return Failed(message=ended.note)
        case State.BLOCKED:
            return Told(type=StateType.CANCELLED, name="Blocked", message=ended.note)
        case _:
            return Told(type=StateType.CANCELLED, name="Stopped", message="the run was stopped")


@task(name="fetch", **_OPTIONS)
def _from_remote() -> "Told[Any]":
    return _remotely("fetch")


def _remotely(*arguments: str, stop: Any = None) -> "Told[Any]":
    """Speak to DVC's remote; a failure is told and loud, and no reason to throw results away."""
    logger = get_run_logger()
    code, said = helper_process.run(_REMOTE, arguments, stop)
    for line in said:
        (logger.warning if code else logger.info)(line)
    if code:
        errors = [line.removeprefix(_ERROR) for line in said if line.startswith(_ERROR)]
        return Completed(name="NotReached", message=errors[0] if errors else f"ended with {code}")
    return Completed(message=said[-1] if said else "done")


def main(arguments: list[str], *, ours: bool = True) -> int:
    """Run the flow for the stages that the command line names; return the exit code."""
    with server.running():
        told = reproduce(arguments, ours=ours, return_state=True)
    print(told.message, file=sys.stderr if told.is_failed() else sys.stdout)
    return 0 if told.is_completed() else 1


if __name__ == "__main__":
    from pipeline.runtime.user_errors import report_user_errors

    with report_user_errors():
        if any(argument.startswith("-") for argument in sys.argv[1:]):
            raise UserError("pipeline.flows.reproduce", "expected names of stages")
        raise SystemExit(main(sys.argv[1:]))
