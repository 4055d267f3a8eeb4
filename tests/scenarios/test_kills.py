"""The whole DAG under twenty random kills ends as it does undisturbed."""

import random
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.scenarios.conftest import Project, clone

KILLS, LONGEST = 20, 15.0  # seconds that a run has at most before something of it is killed
ENGINE, FLOW = ("idiolect", "repro", "-j", "2"), ("python", "-m", "pipeline.flows.reproduce")
SERVER_SECONDS = 10.0  # until a flow has one


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", [1])
def test_random_kills_change_no_hash(
    made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    pytest.importorskip("prefect", reason="needs the extra `flows`")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    draw = random.Random(seed)
    again = fresh(tmp_path / "project")
    killed: list[str] = []
    while len(killed) < KILLS:
        command = draw.choice([ENGINE, FLOW])
        run = again.start(*command)
        least = SERVER_SECONDS if command is FLOW else 1.0
        try:
            run.communicate(timeout=draw.uniform(least, least + LONGEST))
        except subprocess.TimeoutExpired:
            killed.append(kill_one(run, draw))
            run.communicate(timeout=600)
        else:
            assert run.returncode == 0
            ends_as(again, made)
            again = fresh(tmp_path / f"project{len(killed)}")
    print(f"killed: {killed}")
    again.run(*ENGINE)
    ends_as(again, made)


def fresh(folder: Path) -> Project:
    project = clone(folder)
    project.run("idiolect", "preset", "tiny")
    return project


def ends_as(project: Project, made: Project) -> None:
    assert project.lock() == made.lock()
    files = ("models/*", "data/**/*.parquet")
    assert project.files(*files) == made.files(*files)


def kill_one(run: "subprocess.Popen[str]", draw: random.Random) -> str:
    """Kill -9 a process of a run: the runner or flow, a server, a DVC, a stage or a worker."""
    runner = psutil.Process(run.pid)
    victim = draw.choice([runner, *runner.children(recursive=True)])
    told = " ".join(victim.cmdline())[:60]
    victim.kill()
    return told
