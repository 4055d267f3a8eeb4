"""The console: a table in a terminal, and the time left."""

import os
import pty
import subprocess
from collections.abc import Callable

import pytest

from pipeline.execution import stage_seconds
from pipeline.execution.console import RemainingTime, fit_rows
from pipeline.execution.stage_run import StageRun, State
from tests.conftest import REPO
from tests.pipeline.execution.conftest import MAIN, Small

Make = Callable[..., Small]
TWO = """
stages:
  first: {cmd: "echo [words] && touch one", outs: [one]}
  second: {cmd: "exit 3", deps: [one], outs: [two]}
"""


@pytest.mark.slow
def test_a_terminal_shows_a_table_and_the_output_of_stages_above_it(small: Make) -> None:
    project = small(TWO)
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [*MAIN, "2"],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(REPO), "TERM": "xterm", "COLUMNS": "120"},
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not data:
            break
        shown += data
    os.close(ours)
    assert run.wait(30) == 1
    text = shown.decode()
    assert "first | [words]" in text
    assert "changes or progress" in text
    assert "never run" in text
    assert "failed: second: " in text
    assert "2 of 2 stages" in text


def stage(name: str, state: State, started: float = 0.0, seconds: float = 0.0) -> StageRun:
    return StageRun(name, frozenset(), False, (), state, started=started, seconds=seconds)


def test_a_small_terminal_hides_the_stages_that_ended_first_or_start_last() -> None:
    works = [
        *(stage(f"ended{i}", State.RAN, started=i, seconds=1) for i in range(20)),
        stage("failed", State.FAILED),
        stage("runs", State.RUNNING),
        *(stage(f"waits{i}", State.WAITING) for i in range(20)),
    ]
    names = [s.name for s in fit_rows(works, 8)]
    assert len(names) == 8
    assert {"failed", "runs", "ended19", "waits0"} <= set(names)
    assert {"ended0", "waits19"}.isdisjoint(names)
    assert len(fit_rows(works, 50)) == len(works)


def test_the_time_left_follows_the_speed_so_far() -> None:
    clock = 0.0
    works = [stage("train_motion", State.WAITING), stage("evaluate", State.WAITING)]
    left = RemainingTime(works, lambda: clock)
    total = stage_seconds.seconds("train_motion") + stage_seconds.seconds("evaluate")
    assert abs(left.seconds() - total) < 1e-6
    works[0].state, clock = State.RAN, 10 * stage_seconds.seconds("train_motion")
    assert (
        5 * stage_seconds.seconds("evaluate")
        < left.seconds()
        < 10 * stage_seconds.seconds("evaluate")
    )
    works[1].state = State.RAN
    assert left.seconds() == 0
