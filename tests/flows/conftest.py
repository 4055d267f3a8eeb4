"""A small project with rules of promotion, whose flows are really run."""

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPO
from tests.pipeline import promoted


@pytest.fixture
def project(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", promoted.python_first(os.environ["PATH"]))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    monkeypatch.setenv("PREFECT_HOME", str(workdir.parent / f"{workdir.name}_prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    promoted.new()
    yaml = YAML(typ="safe")
    preset = yaml.load((REPO / "presets/laptop.yaml").read_text())
    clips = yaml.load((REPO / "versions.yaml").read_text())["clips"]
    promoted.edit(clips=preset["clips"], sample={"subjects": {}})
    Path("versions.yaml").write_text(f"train: a1\nevaluate: b1\nclips: {clips}\n")
    promoted.git("commit", "-qam", "limits of clips")
    Path("in").mkdir()
    return workdir
