"""A project without results, and a real clip."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPO


@pytest.fixture
def empty(workdir: Path) -> Path:
    """Give a project without results: params, presets and a DVC repository."""
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", ".gitignore", ".dvc/config"):
        (workdir / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / name, workdir / name)
    subprocess.run(["git", "init", "-q"], check=True)
    return workdir


@pytest.fixture
def clip(shared_data: Path) -> Path:
    return shared_data / "grid" / "bbaf2n.mpg"
