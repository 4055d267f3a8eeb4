"""What a run shows: a table in a terminal, and how much time it takes to remain."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from pipeline.execution import stage_seconds
from pipeline.execution.console import Left, _fitting
from pipeline.execution.scheduler import StageRun, State
from tests.conftest import REPO
from tests.pipeline.execution.conftest import MAIN, Small

Make = Callable[..., Small]
TWO = """
stages:
  first: {cmd: "echo [words] && touch one", outs: [one]}
  second: {cmd: "exit 3", deps: [one], outs: [two]}
"""


@pytest.mark.slow
def test_a_terminal_gets_a_table_and_what_stages_say_above_it(small: Make) -> None:
    project = small(TWO)
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", MAIN, "2"],
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
    assert "what changed, or how far" in text
    assert "never run" in text
    assert "failed: second: " in text
    assert "2 of 2 stages" in text


def work(name: str, state: State, began: float = 0.0, seconds: float = 0.0) -> StageRun:
    return StageRun(name, frozenset(), False, (), state, began=began, seconds=seconds)


def test_what_does_not_fit_is_what_ended_first_and_starts_last() -> None:
    works = [
        *(work(f"ended{i}", State.RAN, began=i, seconds=1) for i in range(20)),
        work("failed", State.FAILED),
        work("runs", State.RUNNING),
        *(work(f"waits{i}", State.WAITING) for i in range(20)),
    ]
    names = [one.name for one in _fitting(works, 8)]
    assert len(names) == 8
    assert {"failed", "runs", "ended19", "waits0"} <= set(names)
    assert {"ended0", "waits19"}.isdisjoint(names)
    assert len(_fitting(works, 50)) == len(works)


def test_the_time_left_follows_the_speed_so_far() -> None:
    clock = 0.0
    works = [work("train_audio", State.WAITING), work("evaluate", State.WAITING)]
    left = Left(works, lambda: clock)
    total = stage_seconds.seconds("train_audio") + stage_seconds.seconds("evaluate")
    assert abs(left.seconds() - total) < 1e-6
    works[0].state, clock = State.RAN, 10 * stage_seconds.seconds("train_audio")
    assert (
        5 * stage_seconds.seconds("evaluate")
        < left.seconds()
        < 10 * stage_seconds.seconds("evaluate")
    )
    works[1].state = State.RAN
    assert left.seconds() == 0
