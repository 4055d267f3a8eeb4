"""`dvc repro`, one stage after the other, gives the lock of `idiolect repro`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.scenarios.conftest import Project, clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
MOTION = ("train_audio", "features", "train_motion", "transfer_style")


def test_dvc_repro_of_the_motion_stages_gives_the_same_lock(made: Project, tmp_path: Path) -> None:
    def of_motion(name: str) -> bool:
        return name.partition("@")[0] in MOTION

    project = _without(made, tmp_path / "project", of_motion)
    assert project.repro() == sorted(name for name in made.lock() if of_motion(name))
    assert project.lock() == made.lock()


@pytest.mark.soak
def test_dvc_repro_from_scratch_gives_the_same_lock(made: Project, tmp_path: Path) -> None:
    project = clone(tmp_path / "project")
    project.run("idiolect", "preset", "tiny")
    project.repro()
    assert project.lock() == made.lock()


def _without(made: Project, to: Path, left_out: Callable[[str], bool]) -> Project:
    """Copy a project with nothing that some stages have made."""
    shutil.copytree(made.root, to, symlinks=True)
    project, yaml = Project(to), YAML()
    lock = yaml.load(project.root / "dvc.lock")
    for name in [name for name in lock["stages"] if left_out(name)]:
        for out in lock["stages"].pop(name).get("outs", []):
            path = to / out["path"]
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    yaml.dump(lock, project.root / "dvc.lock")
    shutil.rmtree(to / ".dvc/cache/runs")
    for caches in ("items", "checkpoints", "decoded"):
        shutil.rmtree(to / ".idiolect" / caches, ignore_errors=True)
    return project
