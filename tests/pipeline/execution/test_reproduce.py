"""Which stages a run starts, in which order and with which resources."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

import pytest

from pipeline.execution import dvc_project
from pipeline.execution.scheduler import Scheduler
from pipeline.execution.stage_run import State
from tests.conftest import REPO
from tests.pipeline.execution.conftest import CHAINS, PARAMS, WORK, Small, until
from tests.pipeline.execution.run_states import states

Make = Callable[..., Small]


@pytest.mark.slow
def test_a_parallel_run_writes_the_lock_of_dvc_repro(chains: Small) -> None:
    output = chains.run()
    assert states(output) == dict.fromkeys(["a1", "a2", "b1", "b2", "end"], "ran")
    assert "a1 | a1 says words" in output
    assert "5 ran" in output
    assert "b2 says words" in (chains.root / ".idiolect/logs/b2.log").read_text()
    lock = chains.lock()
    for name in ("a1", "a2", "b1", "b2", "end", "dvc.lock"):
        (chains.root / name).unlink()
    chains.dvc("repro", "--force", "--no-run-cache")
    assert chains.lock() == lock


@pytest.mark.slow
def test_a_run_with_nothing_to_do_starts_no_process(chains: Small) -> None:
    chains.run()
    before = (chains.root / "dvc.lock").stat()
    logs = {path: path.stat().st_mtime_ns for path in (chains.root / ".idiolect/logs").iterdir()}
    assert chains.run() == "nothing to do: no stage has changed\n"
    after = (chains.root / "dvc.lock").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert logs == {p: p.stat().st_mtime_ns for p in (chains.root / ".idiolect/logs").iterdir()}


@pytest.mark.slow
def test_a_change_runs_what_follows_and_going_back_restores_it(chains: Small) -> None:
    chains.run()
    lock = chains.lock()
    (chains.root / "params.yaml").write_text("a: 2\nb: 1\n")
    assert states(chains.run()) == dict.fromkeys(["a1", "a2", "end"], "ran")
    assert chains.lock() != lock
    (chains.root / "params.yaml").write_text(PARAMS)
    assert states(chains.run()) == dict.fromkeys(["a1", "a2", "end"], "restored")
    assert chains.lock() == lock


@pytest.mark.slow
def test_a_stage_downstream_of_the_same_bytes_is_unchanged(chains: Small) -> None:
    chains.run()
    work = chains.root / "work.py"
    work.write_text(work.read_text().replace("own = [", "own = ['same' for line in "))
    text = (chains.root / "work.py").read_text()
    assert "own = ['same'" in text
    (chains.root / "work.py").write_text(WORK)
    (chains.root / "dvc.yaml").write_text(CHAINS.replace("work.py b1,", "work.py  b1,"))
    found = states(chains.run())
    assert found["b1"] == "ran"
    assert found["b2"] == found["end"] == "unchanged"


@pytest.mark.slow
def test_targets_run_with_what_they_need_and_an_unknown_one_suggests_names(chains: Small) -> None:
    assert list(states(chains.run("b2", jobs=1))) == ["b1", "b2"]
    output = chains.run("ends", code=1)
    assert output == "error: ends: no such stage; did you mean end?\n"


@pytest.mark.slow
def test_a_failure_blocks_what_needs_it_and_the_rest_runs(chains: Small) -> None:
    (chains.root / "dvc.yaml").write_text(
        CHAINS.replace("python work.py a1,", "echo reasons && false,")
    )
    output = chains.run(code=1)
    assert states(output) == {
        "a1": "failed",
        "a2": "blocked",
        "b1": "ran",
        "b2": "ran",
        "end": "blocked",
    }
    assert "blocked: a2 needs a1" in output
    assert "    reasons\n" in output
    assert "2 ran, 1 failed, 2 blocked" in output
    assert "reasons" in (chains.root / ".idiolect/logs/a1.log").read_text()
    (chains.root / "dvc.yaml").write_text(CHAINS)
    assert states(chains.run()) == dict.fromkeys(["a1", "a2", "end"], "ran")


@pytest.mark.slow
def test_a_changed_folder_of_a_dvc_file_is_recorded_and_reruns_its_readers(small: Make) -> None:
    project = small(
        "stages: {count: {cmd: ls raw | wc -l > count, deps: [raw], outs: [count]}}",
        raw__one="1",
    )
    project.dvc("add", "raw")
    project.run()
    before = (project.root / "raw.dvc").read_text()
    (project.root / "raw/two").write_text("2")
    assert states(project.run()) == {"raw.dvc": "ran", "count": "ran"}
    assert (project.root / "raw.dvc").read_text() != before
    assert project.dvc("status") == "Data and pipelines are up to date.\n"
    assert (project.root / "count").read_text().strip() == "2"


THREADS = """
stages:
  l1: {cmd: python show.py l1, outs: [l1]}
  l2: {cmd: python show.py l2, outs: [l2]}
  l3: {cmd: python show.py l3, outs: [l3]}
  t1: {cmd: python show.py t1, params: [training], outs: [t1]}
  t2: {cmd: python show.py t2, params: [training], outs: [t2]}
"""
SHOW = """
import os, pathlib, sys, time
begin = time.time()
time.sleep(0.6)
cores = os.environ["IDIOLECT_CORES"]
pathlib.Path(sys.argv[1]).touch()
with open("times", "a") as file:
    print(sys.argv[1], begin, time.time(), cores, file=file)
"""


@pytest.mark.slow
def test_no_more_than_the_cores_are_allotted(small: Make) -> None:
    params = "training: {seed: 1, precision: fp32, threads: 3}\n"
    project = small(THREADS, show_py=SHOW, params_yaml=params)
    total = 4
    project.run(jobs=3, IDIOLECT_CORES=str(total))
    there = len(os.sched_getaffinity(0))
    total = min(total, there)
    rows = [line.split() for line in (project.root / "times").read_text().splitlines()]
    spans = {name: (float(begin), float(end), int(cores)) for name, begin, end, cores in rows}
    assert len(spans) == 5
    assert spans["t1"][2] == spans["t2"][2] == min(3, total)
    for begin, _, _ in spans.values():
        beside = [cores for b, e, cores in spans.values() if b <= begin < e]
        assert sum(beside) <= total
        assert len(beside) <= 3
    first, second = sorted([spans["t1"], spans["t2"]])
    assert first[1] <= second[0]  # one training at a time: together they need six


@pytest.mark.slow
def test_a_second_run_names_the_first(small: Make) -> None:
    project = small(
        "stages: {long: {cmd: touch begun && sleep 30, outs: [begun]}}",
    )
    first = project.start()
    try:
        until((project.root / "begun").exists)
        output = project.run(code=1)
        assert output.startswith("error: this project: is run by `")
        assert f"process {first.pid}" in output
    finally:
        first.terminate()
        first.communicate()
    assert first.returncode == 143


@pytest.mark.slow
def test_a_run_beside_dvc_repro_names_it_and_its_start(small: Make) -> None:
    project = small("stages: {long: {cmd: touch begun && sleep 30, outs: [begun]}}")
    first = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until((project.root / "begun").exists)
        expected = rf"error: this project: is run by `-m dvc repro` \(process {first.pid}, since "
        for _ in range(2):
            output = project.run(code=1)
            assert re.fullmatch(rf"{expected}\d\d:\d\d:\d\d\); wait or stop it\n", output)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    (project.root / "begun").unlink()
    killed = project.start()  # what the killed one left behind stops no run
    until((project.root / "begun").exists)
    killed.terminate()
    killed.communicate()


def test_a_broken_dvc_yaml_is_reported_in_one_line(chains: Small) -> None:
    (chains.root / "dvc.yaml").write_text("stages: [\n")
    output = chains.run(code=1)
    assert output.startswith("error: dvc: ")
    assert output.count("\n") == 1
    assert "dvc.yaml" in output


def test_another_thread_can_stop_a_run(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = small(
        "stages: {long: {cmd: touch begun && sleep 60, outs: [begun]}, next: {cmd: 'true', deps: [begun]}}"
    )
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    dag = dvc_project.load_dag()
    scheduler = Scheduler(dag, dag.resolve([]), 2)
    thread = Thread(target=scheduler.run)
    thread.start()
    until((project.root / "begun").exists)
    scheduler.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert {stage.state for stage in scheduler.stages.values()} == {State.STOPPED}
    assert [process.pid for process in project.processes()] == [os.getpid()]
