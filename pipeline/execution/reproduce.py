"""Run what is stale, independent stages side by side: what `idiolect repro` does.

    idiolect repro                 # all of dvc.yaml
    idiolect repro render -j 1     # every render@… and what it needs, one stage at a time
    idiolect repro --dry           # only tell

One run at a time in a work tree; DVC alone decides what is stale.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.execution import dvc_lock_copy, dvc_rwlock, leftovers, project_lock, stage_graph
from pipeline.execution.scheduler import DONE, Listener, Runner, StageRun, State
from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import UserError
from stages.base.config import code_version
from stages.base.config.params import PARAMS
from stages.base.training import pretrained

CHECKED = Path(".idiolect/params.checked")
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def reproduce(
    targets: Sequence[str] = (),
    jobs: int | None = None,
    *,
    listener: Callable[[Runner], Listener],
    planned: Callable[[stage_graph.Dag, Sequence[str]], None] | None = None,
    dry: bool = False,
    ours: bool = True,
) -> tuple[int, list[StageRun]]:
    """Run the stale ones of some stages and of all that they need.

    Args:
        targets: stages as DVC names them, or groups such as `clips`; all of dvc.yaml if none.
        jobs: how many may run at once; as many as there are cores unless given.
        listener: makes what hears of the run.
        planned: hears of the graph and of all stages meant, stale or not, before any starts.
        dry: run nothing; what would run is returned, waiting.
        ours: look after versions.yaml and params.yaml first; a project of other stages has neither.

    Returns:
        The exit code (0 only if all is done, 130 after Ctrl-C, 143 after SIGTERM, 129 after
            SIGHUP), and the stages.

    Raises:
        UserError: another run is at work, or params.yaml or the project cannot be read.
    """
    with project_lock.claimed():
        dvc_rwlock.mend()
        if told := dvc_lock_copy.mend():
            print(told, file=sys.stderr)
        if ours:
            code_version.write()
        graph = stage_graph.load()
        names = graph.resolve(targets)
        if planned:
            planned(graph, names)
        runner = Runner(graph, graph.stale(names), jobs)
        works = list(runner.works.values())
        if dry or not works:
            return 0, works
        if ours:
            _check()
        leftovers.remove()
        dvc_lock_copy.keep()
        heard = listener(runner)
        runner.listener = heard
        with _stopped_by_signals(runner) as signals:
            runner.run()
    if runner.ok:
        return 0, works
    return (_CODES[signals[0]] if signals else 1), works


def tell(works: Sequence[StageRun], out: Callable[[str], None]) -> None:
    """Say what became of the stages: counts, and of those that failed the last lines."""
    for work in works:
        if work.state is State.FAILED:
            out(f"\nfailed: {work.name}: {work.note}")
            for line in work.last:
                out(f"    {line}")
            out(f"    all of it: {work.log}")
    for work in works:
        if work.state is State.BLOCKED:
            out(f"blocked: {work.name} {work.note}")
    out(counts(works))
    if any(work.state is State.STOPPED for work in works):
        out("stopped: run it again to go on; trainings go on from their checkpoints")


def counts(works: Sequence[StageRun]) -> str:
    """Count stages by state: `9 ran, 2 restored, 1 unchanged`."""
    if not works:
        return "nothing to do: no stage has changed"
    found = [(state, sum(work.state is state for work in works)) for state in State]
    return ", ".join(f"{number} {state}" for state, number in found if number)


def finished(works: Sequence[StageRun]) -> list[StageRun]:
    """List those that are done."""
    return [work for work in works if work.state in DONE]


@contextmanager
def _stopped_by_signals(runner: Runner) -> Iterator[list[signal.Signals]]:
    """Have Ctrl-C and SIGTERM stop a run; yield which came, in order.

    In another thread than the main one, which alone hears signals, it is for the caller to stop it.
    """
    came: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def stop(number: int, _: object) -> None:
        came.append(signal.Signals(number))
        runner.stop()

    heard = set(_CODES)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup
        heard.remove(signal.SIGHUP)
    kept = {number: signal.signal(number, stop) for number in heard}
    try:
        yield came
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _check() -> None:
    """Check all of params.yaml, in a process of its own: it loads torch.

    Once for the same text and the same weights in their folder.
    """
    key = _checked()
    if CHECKED.is_file() and CHECKED.read_text() == key:
        return
    command = [sys.executable, "-m", "pipeline.execution.params_check"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [
            "pipeline.execution.params_check ended without a word"
        ]
        raise UserError(PARAMS, lines[-1].removeprefix("error: ").removeprefix(f"{PARAMS}: "))
    with atomic_file(CHECKED) as part:
        part.write_text(key)


def _checked() -> str:
    """Hash what the check reads: params.yaml, the code, and which weights are there."""
    texts = [
        item_store.file_hash(path) for path in (PARAMS, code_version.VERSIONS) if path.is_file()
    ]
    return item_store.key(
        files=texts, weights=sorted(p.name for p in pretrained.folder().glob("[!.]*"))
    )
