"""A small project with rules of promotion, whose flows are really run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPO
from tests.pipeline.promotion import promoted

START = """
from pipeline.flows import server
with server.running():
    pass
"""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home of a Prefect server that has started once, so that its database exists."""
    folder = tmp_path_factory.mktemp("migrated")
    env = os.environ | {"PYTHONPATH": str(REPO), "PREFECT_HOME": str(folder / "home")}
    env.pop("PREFECT_API_URL", None)
    subprocess.run([sys.executable, "-c", START], cwd=folder, env=env, check=True)
    return folder / "home"


@pytest.fixture
def prefect_home(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Prefect a home of the test's own, next to its folder, and no server."""
    home = tmp_path.parent / f"{tmp_path.name}_prefect"
    shutil.copytree(migrated, home)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return home


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the project once."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PATH", promoted.python_first(os.environ["PATH"]))
        patch.setenv("PYTHONPATH", str(REPO))
        promoted.new()
        yaml = YAML(typ="safe")
        preset = yaml.load((REPO / "presets/laptop.yaml").read_text())
        clips = yaml.load((REPO / "versions.yaml").read_text())["clips"]
        promoted.edit(clips=preset["clips"], sample={"subjects": {}})
        Path("versions.yaml").write_text(f"train: a1\nevaluate: b1\nclips: {clips}\n")
        promoted.git("commit", "-qam", "limits of clips")
        Path("in").mkdir()
    return root


@pytest.fixture
def project(
    finished: Path, workdir: Path, prefect_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give a copy of the project to work in."""
    shutil.copytree(finished, workdir, symlinks=True, dirs_exist_ok=True)
    monkeypatch.setenv("PATH", promoted.python_first(os.environ["PATH"]))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    return workdir
