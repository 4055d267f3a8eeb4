"""The whole DAG has the same result after twenty random kills."""

import random
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.scenarios.conftest import Project, clone

KILLS, LONGEST = 20, 15.0  # at most so many seconds of a run before one of its processes is killed
ENGINE, FLOW = ("idiolect", "repro", "-j", "2"), ("python", "-m", "pipeline.flows.reproduce")
SERVER_SECONDS = 10.0  # until a flow has started its server


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
            has_result_of(again, made)
            again = fresh(tmp_path / f"project{len(killed)}")
    print(f"killed: {killed}")
    again.run(*ENGINE)
    has_result_of(again, made)


def fresh(folder: Path) -> Project:
    project = clone(folder)
    project.run("idiolect", "preset", "tiny")
    return project


def has_result_of(project: Project, made: Project) -> None:
    assert project.lock() == made.lock()
    files = ("models/*", "data/**/*.parquet")
    assert project.files(*files) == made.files(*files)


def kill_one(run: "subprocess.Popen[str]", draw: random.Random) -> str:
    """Kill -9 a process of a run: the scheduler or flow, a server, a DVC, a stage or a worker."""
    scheduler = psutil.Process(run.pid)
    victim = draw.choice([scheduler, *scheduler.children(recursive=True)])
    command = " ".join(victim.cmdline())[:60]
    victim.kill()
    return command
