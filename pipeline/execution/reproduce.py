"""Run the stale stages, independent ones in parallel: the command `idiolect repro`.

    idiolect repro                 # all of dvc.yaml
    idiolect repro render -j 1     # every render@… and what it needs, one stage at a time
    idiolect repro --dry           # only list what would run

One run at a time in a work tree; DVC alone decides what is stale.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pipeline.execution import dvc_project, project_files, repair
from pipeline.execution.dvc_project import Dag
from pipeline.execution.params_check import check_if_changed, check_lists
from pipeline.execution.scheduler import Scheduler
from pipeline.execution.stage_run import RunCallbacks, StageRun, State
from stages.base.config import code_version

_EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def reproduce(
    targets: Sequence[str] = (),
    jobs: int | None = None,
    *,
    callbacks: Callable[[Scheduler], RunCallbacks],
    on_plan: Callable[[Dag, Sequence[str]], None] | None = None,
    on_change: Callable[[Sequence[StageRun]], None] | None = None,
    dry: bool = False,
    check_project: bool = True,
) -> tuple[int, list[StageRun]]:
    """Run the stale stages among the targets and all stages upstream of them.

    Args:
        targets: stages as DVC names them, or groups such as `clips`; all of dvc.yaml if none.
        jobs: maximum number of parallel stages; default: all cores.
        callbacks: makes the callbacks of the run.
        on_plan: called with the graph and the names of all stages meant, stale or not, before
            any starts.
        on_change: called with all stages of the run whenever one starts or ends; it must
            return at once, because the scheduler waits for it.
        dry: run no stage; return the stages that would run, in state waiting.
        check_project: write versions.yaml and check params.yaml first; a project of other stages
            has neither.

    Returns:
        The exit code (0 only if all is done, 130 after Ctrl-C, 143 after SIGTERM, 129 after
            SIGHUP), and the stages.

    Raises:
        UserError: another run or `dvc repro` holds the project, or params.yaml or the project
            cannot be read.
    """
    project_files.check()
    with repair.hold_project():
        if message := repair.repair_lock():
            print(message, file=sys.stderr)
        if check_project:
            check_lists()
            repair.remove_unreadable_versions()
            code_version.write()
        dag = dvc_project.load_dag()
        names = dag.resolve(targets)
        if on_plan:
            on_plan(dag, names)
        scheduler = Scheduler(dag, dag.stale(names), jobs)
        stages = list(scheduler.stages.values())
        if dry or not stages:
            return 0, stages
        if check_project:
            check_if_changed()
        repair.remove_partial_files()
        repair.copy_lock()
        scheduler.callbacks = callbacks(scheduler)
        scheduler.on_change = on_change
        with _stop_on_signals(scheduler) as signals:
            scheduler.run()
    if scheduler.ok:
        return 0, stages
    return (_EXIT_CODES[signals[0]] if signals else 1), stages


def print_summary(stages: Sequence[StageRun], out: Callable[[str], None]) -> None:
    """Print the counts of stages by state, and the last lines of those that failed."""
    for stage in stages:
        if stage.state is State.FAILED:
            out(f"\nfailed: {stage.name}: {stage.note}")
            for line in stage.last_lines:
                out(f"    {line}")
            out(f"    full log: {stage.log}")
    for stage in stages:
        if stage.state is State.BLOCKED:
            out(f"blocked: {stage.name} {stage.note}")
    out(counts(stages))
    if any(stage.state is State.STOPPED for stage in stages):
        out("stopped: run it again to continue; trainings continue from their checkpoints")


def counts(stages: Sequence[StageRun]) -> str:
    """Count stages by state: `9 ran, 2 restored, 1 unchanged`."""
    if not stages:
        return "nothing to do: no stage has changed"
    numbers = [(state, sum(stage.state is state for stage in stages)) for state in State]
    return ", ".join(f"{number} {state}" for state, number in numbers if number)


@contextmanager
def _stop_on_signals(scheduler: Scheduler) -> Iterator[list[signal.Signals]]:
    """Stop the run on Ctrl-C, SIGTERM and SIGHUP; yield the list of those received.

    Only the main thread can handle signals: a caller in another thread stops the run itself.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def stop(number: int, _: object) -> None:
        received.append(signal.Signals(number))
        scheduler.stop()

    handled = set(_EXIT_CODES)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup
        handled.remove(signal.SIGHUP)
    previous = {number: signal.signal(number, stop) for number in handled}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
