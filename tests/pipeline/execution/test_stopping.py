"""However a run ends, it leaves no process, and the next run has the result of an undisturbed one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product

import psutil
import pytest

from tests.conftest import REPO
from tests.pipeline.execution.conftest import TRAINING, Small, make, until

Make = Callable[..., Small]

# A stage with a process pool beside one with sandboxed processes.
BUSY = """
stages:
  workers: {cmd: exec python -m tasks.workers, outs: [workers]}
  decoders: {cmd: exec python -m tasks.decoders, outs: [decoders]}
  last: {cmd: cat workers decoders > last, deps: [workers, decoders], outs: [last]}
"""
TRAINS = "stages: {training: {cmd: exec python -m tasks.training, outs: [model]}}"
WORKERS = """
import os, pathlib, time
from pipeline.runtime import process_pool
from pipeline.runtime.parent_death import end_with_parent

def work(i):
    for _ in range(5):
        pathlib.Path(f"working{i}").touch()
        time.sleep(0.1 if pathlib.Path("quick").exists() else 60)
    return i

if __name__ == "__main__":
    end_with_parent()
    os.environ["IDIOLECT_CORES"] = "2"
    done = list(process_pool.run(work, [(i,) for i in range(2)]))
    pathlib.Path("workers").write_text(str(done))
"""
DECODERS = """
import pathlib, time
from pipeline.runtime import sandbox
from pipeline.runtime.parent_death import end_with_parent

def decode(i, promise):
    pathlib.Path(f"decoding{i}").touch()
    time.sleep(0.1 if pathlib.Path("quick").exists() else 60)

if __name__ == "__main__":
    end_with_parent()
    done = list(sandbox.run_each(decode, [(0,), (1,)], sandbox.Limits(100, 1, 4), 2))
    pathlib.Path("decoders").write_text(str(sorted(done)))
"""


FILES = {"tasks__workers_py": WORKERS, "tasks__decoders_py": DECODERS}


@pytest.fixture
def busy(small: Make) -> Small:
    return small(BUSY, **FILES)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Return the lock of an undisturbed run."""
    project = make(tmp_path_factory.mktemp("undisturbed") / "project", BUSY, quick="", **FILES)
    project.run()
    return project.lock()


@pytest.fixture
def began() -> Iterator[list["subprocess.Popen[str]"]]:
    """Collect runs that a test starts, and end what a failing one leaves."""
    runs: list[subprocess.Popen[str]] = []
    yield runs
    for run in runs:
        with suppress(psutil.NoSuchProcess):
            for process in [*psutil.Process(run.pid).children(recursive=True), run]:
                process.kill()
        run.communicate()


def works(project: Small) -> bool:
    names = ("working0", "working1", "decoding0", "decoding1")
    return all((project.root / name).exists() for name in names)


def victims(project: Small, run: "subprocess.Popen[str]") -> dict[str, list[psutil.Process]]:
    """Return the processes of a run by their task."""
    scheduler = psutil.Process(run.pid)
    dvc = scheduler.children()
    return {
        "scheduler": [scheduler],
        "dvc": dvc,
        "stage": [child for process in dvc for child in process.children()],
    }


@pytest.mark.parametrize(
    ("who", "how", "code"),
    [
        ("scheduler", signal.SIGINT, 130),
        ("scheduler", signal.SIGTERM, 143),
        ("scheduler", signal.SIGHUP, 129),
        ("scheduler", signal.SIGKILL, -9),
        ("dvc", signal.SIGKILL, 1),
        ("stage", signal.SIGKILL, 1),
    ],
)
@pytest.mark.slow
def test_no_process_is_left_and_the_next_run_writes_the_same_lock(
    busy: Small,
    undisturbed: object,
    began: list["subprocess.Popen[str]"],
    who: str,
    how: signal.Signals,
    code: int,
) -> None:
    run = busy.start()
    began.append(run)
    until(lambda: works(busy))
    for process in victims(busy, run)[who]:
        process.send_signal(how)
    until(lambda: not busy.processes(), 12)
    output, _ = run.communicate(timeout=10)
    assert run.returncode == code, output
    (busy.root / "quick").touch()
    busy.run()
    assert busy.lock() == undisturbed


@pytest.mark.slow
def test_a_stopped_training_resumes_from_its_checkpoint_in_any_shell(
    small: Make, began: list["subprocess.Popen[str]"]
) -> None:
    count = 400
    training = TRAINING.replace("steps = 60", f"steps = {count}")
    assert training != TRAINING
    project = small(TRAINS, tasks__training_py=training)
    steps = project.root / "steps"
    signals = ((signal.SIGTERM, 143), (signal.SIGINT, 130))
    for (number, code), shell in product(signals, ("/bin/sh", "/bin/bash")):
        before = len(steps.read_text().split()) if steps.exists() else 0
        run = project.start(SHELL=shell)
        began.append(run)
        until(lambda n=before: steps.exists() and len(steps.read_text().split()) > n + 10)
        run.send_signal(number)
        output, _ = run.communicate(timeout=10)
        assert run.returncode == code
        assert "continue from their checkpoints" in output
        assert not project.processes()
    assert len(steps.read_text().split()) < count
    (project.root / "quick").touch()
    project.run()
    found = [int(step) for step in steps.read_text().split()]
    assert found == list(range(count)), "each step was taken once"


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.slow
def test_a_stage_ends_with_a_killed_dvc_in_any_shell(
    busy: Small, shell: str, began: list["subprocess.Popen[str]"]
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "-s", "workers"],
        cwd=busy.root,
        env=os.environ | {"SHELL": shell, "PYTHONPATH": str(REPO)},
        text=True,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    began.append(run)
    until((busy.root / "working1").exists)
    run.kill()
    until(lambda: not busy.processes(), 10)


@pytest.mark.slow
def test_a_run_under_nohup_outlives_its_terminal(
    small: Make, began: list["subprocess.Popen[str]"]
) -> None:
    project = small(TRAINS, tasks__training_py=TRAINING)
    steps = project.root / "steps"
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does, and children take over
    try:
        run = project.start()
    finally:
        signal.signal(signal.SIGHUP, kept)
    began.append(run)
    until(lambda: steps.exists() and len(steps.read_text().split()) > 5)
    run.send_signal(signal.SIGHUP)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert [int(step) for step in steps.read_text().split()] == list(range(60))
