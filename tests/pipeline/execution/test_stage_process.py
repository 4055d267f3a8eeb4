"""Stage processes: their output, their end, and what they leave behind."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import psutil
import pytest

from pipeline.execution import dvc_project
from pipeline.execution.scheduler import Scheduler
from pipeline.execution.stage_process import kill_session
from pipeline.execution.stage_run import RunCallbacks, StageRun, State
from tests.conftest import REPO
from tests.pipeline.execution.conftest import Small, until

Make = Callable[..., Small]


class FirstLines(RunCallbacks):
    """Keeps the first lines of output."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def stage_output(self, stage: StageRun, line: str) -> None:
        if len(self.lines) < 10:
            self.lines.append((stage.name, line))


def scheduler(
    project: Small, monkeypatch: pytest.MonkeyPatch, callbacks: RunCallbacks
) -> Scheduler:
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    dag = dvc_project.load_dag()
    return Scheduler(dag, dag.resolve([]), 2, callbacks)


def start(run: Scheduler) -> Thread:
    """Run in a thread, for which a test need not wait."""
    thread = Thread(target=run.run, daemon=True)
    thread.start()
    return thread


def test_a_stage_that_ends_while_the_scheduler_is_busy_loses_no_output(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = small(
        """
        stages:
          one: {cmd: echo 1 > one, outs: [one]}
          two: {cmd: 'until [ -e go ]; do sleep 0.05; done; printf words; kill -9 $PPID', outs: [two]}
        """
    )
    lines = []

    class Busy(RunCallbacks):
        """Blocks the scheduler after the end of one until two has ended too."""

        def stage_changed(self, stage: StageRun) -> None:
            if (stage.name, stage.state) == ("one", State.RAN):
                (project.root / "go").touch()
                until(lambda: len(project.processes()) == 1)  # only this one
                time.sleep(0.2)

        def stage_output(self, stage: StageRun, line: str) -> None:
            lines.append((stage.name, line))

    run = scheduler(project, monkeypatch, Busy())
    run.run()
    assert run.stages["one"].state is State.RAN
    assert run.stages["two"].note == "killed (SIGKILL)"
    assert lines == [("two", "words")]


def test_a_stage_that_prints_without_end_can_be_stopped(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    callbacks = FirstLines()
    run = scheduler(small("stages: {a: {cmd: 'yes', outs: [a]}}"), monkeypatch, callbacks)
    thread = start(run)
    until(lambda: len(callbacks.lines) > 9)
    run.stop()
    thread.join(20)
    assert run.stages["a"].state is State.STOPPED


def test_a_process_left_behind_by_a_stage_does_not_hang_a_run(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scheduler(small("stages: {a: {cmd: 'setsid yes & exit 3'}}"), monkeypatch, FirstLines())
    start(run).join(30)
    assert run.stages["a"].state is State.FAILED


def test_a_signal_without_a_name_is_reported_by_its_number(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scheduler(small("stages: {a: {cmd: 'kill -40 $PPID'}}"), monkeypatch, FirstLines())
    run.run()
    assert run.stages["a"].note == "killed (signal 40)"


@pytest.mark.slow
def test_an_unwritable_log_is_reported_in_one_line(small: Make) -> None:
    project = small("stages: {a: {cmd: 'echo words'}}")
    logs = project.root / ".idiolect" / "logs"
    logs.mkdir(parents=True)
    (logs / "a.log").symlink_to(Path("/dev/full"))
    line = project.run(code=1).splitlines()[-1]
    found = "cannot be written: no space left on device; make room and run again"
    assert line == f"error: .idiolect/logs/a.log: {found}"


def test_a_session_is_killed_although_its_leader_has_ended() -> None:
    command = "sleep 300 >/dev/null & echo $!"
    leader = subprocess.Popen(
        ["sh", "-c", command], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    output, _ = leader.communicate(timeout=20)
    left = psutil.Process(int(output))
    assert os.getsid(left.pid) == leader.pid
    kill_session(leader.pid)
    until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, 20)


def test_a_child_in_a_process_group_of_its_own_ends_with_its_stage(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import os, subprocess; os.setpgid(0, 0); print(os.getpid(), flush=True); os.execlp('sleep', 'sleep', '300')"
    project = small("stages: {a: {cmd: 'python child.py & sleep 1'}}", child_py=child)
    callbacks = FirstLines()
    run = scheduler(project, monkeypatch, callbacks)
    run.run()
    assert run.stages["a"].state is State.RAN
    ((_, pid),) = callbacks.lines
    until(lambda: not psutil.pid_exists(int(pid)), 20)
