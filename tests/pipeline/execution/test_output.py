"""What stages say: it is taken in whole, however much it is and whenever they end."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import psutil
import pytest

from pipeline.execution import stage_graph, stage_process
from pipeline.execution.scheduler import Listener, Runner, StageRun, State
from tests.pipeline.execution.conftest import Small, until

Make = Callable[..., Small]


class Hearing(Listener):
    """Keeps the first lines that it hears."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def said(self, work: StageRun, line: str) -> None:
        if len(self.lines) < 10:
            self.lines.append((work.name, line))


def runner(project: Small, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Runner:
    monkeypatch.chdir(project.root)
    graph = stage_graph.load()
    return Runner(graph, graph.resolve([]), 2, listener=listener)


def begun(run: Runner) -> Thread:
    """Run in a thread, which a test does not wait for where it never ends."""
    thread = Thread(target=run.run, daemon=True)
    thread.start()
    return thread


def test_stages_that_end_while_the_runner_is_busy_are_taken_in_with_what_they_said(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = small(
        """
        stages:
          one: {cmd: echo 1 > one, outs: [one]}
          two: {cmd: 'until [ -e go ]; do sleep 0.05; done; printf words; kill -9 $PPID', outs: [two]}
        """
    )
    said = []

    class Busy(Listener):
        """Hears that one has run, and keeps the runner until two has ended too."""

        def changed(self, work: StageRun) -> None:
            if (work.name, work.state) == ("one", State.RAN):
                (project.root / "go").touch()
                until(lambda: len(project.processes()) == 2)  # this one and the runner's server
                time.sleep(0.2)

        def said(self, work: StageRun, line: str) -> None:
            said.append((work.name, line))

    run = runner(project, monkeypatch, Busy())
    run.run()
    assert run.works["one"].state is State.RAN
    assert run.works["two"].note == "killed (SIGKILL)"
    assert said == [("two", "words")]


def test_a_stage_that_never_stops_talking_can_be_stopped(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing = Hearing()
    run = runner(small("stages: {a: {cmd: 'yes', outs: [a]}}"), monkeypatch, hearing)
    thread = begun(run)
    until(lambda: len(hearing.lines) > 9)
    run.stop()
    thread.join(20)
    assert run.works["a"].state is State.STOPPED


def test_what_a_stage_has_left_behind_does_not_keep_a_run_from_ending(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(small("stages: {a: {cmd: 'setsid yes & exit 3'}}"), monkeypatch, Hearing())
    begun(run).join(30)
    assert run.works["a"].state is State.FAILED


def test_a_signal_without_a_name_is_told_by_its_number(
    small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(small("stages: {a: {cmd: 'kill -40 $PPID'}}"), monkeypatch, Hearing())
    run.run()
    assert run.works["a"].note == "killed (signal 40)"


@pytest.mark.slow
def test_a_log_that_cannot_be_written_is_one_line(small: Make) -> None:
    project = small("stages: {a: {cmd: 'echo words'}}")
    logs = project.root / ".idiolect" / "logs"
    logs.mkdir(parents=True)
    (logs / "a.log").symlink_to(Path("/dev/full"))
    told = project.run(code=1).splitlines()[-1]
    found = "cannot be written: no space left on device; make room and run again"
    assert told == f"error: .idiolect/logs/a.log: {found}"


def test_a_session_is_killed_also_where_its_leader_has_ended() -> None:
    command = "sleep 300 >/dev/null & echo $!"
    leader = subprocess.Popen(
        ["sh", "-c", command], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    told, _ = leader.communicate(timeout=20)  # it has ended, and is waited for
    left = psutil.Process(int(told))
    assert os.getsid(left.pid) == leader.pid
    stage_process._kill_session(leader.pid)
    until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, 20)
