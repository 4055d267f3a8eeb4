"""A project with a champion, at the root of its git repository."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.promotion import champions
from tests.conftest import REPO
from tests.pipeline.promotion import promoted
from tests.pipeline.promotion.promoted import python_first, run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the project once and make what it holds champion 1."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PATH", python_first(os.environ["PATH"]))
        patch.setenv("PYTHONPATH", str(REPO))
        promoted.new()
        assert champions.decide_workspace().promote
        run("promote")
    return root


@pytest.fixture
def project(finished: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished, workdir, symlinks=True, dirs_exist_ok=True)
    monkeypatch.setenv("PATH", python_first(os.environ["PATH"]))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    return workdir
