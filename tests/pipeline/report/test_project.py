"""The pandas view of a project."""

import io
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.report import Project
from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.io import tables
from stages.base.io.image_io import encode_jpeg
from stages.clips.artifacts import FRAMES
from stages.landmarks.artifacts import LANDMARKS
from tests.conftest import REPO
from tests.pipeline.promotion import promoted
from tests.pipeline.promotion.promoted import python_first, retrain, run

warnings = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own


@pytest.fixture
def trained(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with champion 1 and a worse workspace."""
    monkeypatch.setenv("PATH", python_first(os.environ["PATH"]))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    promoted.new()
    run("promote")
    retrain(quality=-2.0)
    return workdir


@pytest.fixture
def drawn(workdir: Path) -> Path:
    """A project with two frames of one clip and their landmarks."""
    shutil.copy(REPO / "params.yaml", "params.yaml")
    frame = np.full((8, 8, 3), 200, np.uint8)
    jpeg = encode_jpeg(frame)
    clip = workdir / "data/clips/seen/sample_calm/one-001/frames.parquet"
    tables.write(clip, FRAMES, {"frame": [0, 1], "time": [0.0, 0.04], "jpeg": [jpeg, jpeg]})
    rows = {c.name: np.zeros((2, *c.shape)) for c in LANDMARKS.columns}
    rows["frame"] = np.arange(2)
    rows["points"][1, 30] = (3.0, 4.0)
    rows["head"][1, 62, 2] = 0.5
    rows["rotation"][1, 0, 2] = 0.25
    tables.write(workdir / "data/landmarks/seen/sample_calm/one-001.parquet", LANDMARKS, rows)
    return workdir


def test_landmarks_have_a_column_for_each_coordinate(drawn: Path) -> None:
    found = Project(drawn).landmarks("sample_calm")
    assert list(found.index) == [("one-001", 0), ("one-001", 1)]
    assert found.loc[("one-001", 1), "points_30_x"] == 3.0
    assert found.loc[("one-001", 1), "points_30_y"] == 4.0
    assert found.loc[("one-001", 1), "head_62_z"] == 0.5
    assert found.loc[("one-001", 1), "rotation_0_2"] == 0.25
    assert found.loc[("one-001", 0), "points_30_x"] == 0.0
    widths = [math.prod(c.shape) for c in LANDMARKS.columns if c.name != "frame"]
    assert len(found.columns) == sum(widths)


def test_frames_and_images_of_a_clip(drawn: Path) -> None:
    view = Project(drawn)
    assert view.frames("sample_calm", "one-001")["time"].tolist() == [0.0, 0.04]
    image = view.image("sample_calm", "one-001", 1)
    assert image.shape == (8, 8, 3)
    assert abs(int(image.mean()) - 200) <= 1


def test_wrong_names_are_one_line(drawn: Path) -> None:
    view = Project(drawn)
    with pytest.raises(MissingInput, match=r"no params\.yaml in"):
        Project(drawn / "data")
    with pytest.raises(BadParams, match="no such subject; known: sample_calm, sample_lively"):
        view.landmarks("bob")
    with pytest.raises(BadParams, match="no such clip of sample_calm; known: one-001"):
        view.landmarks("sample_calm", "two")
    with pytest.raises(BadParams, match="no such frame of one-001; it has 2"):
        view.image("sample_calm", "one-001", 7)
    with pytest.raises(MissingInput, match="do not exist yet; run `idiolect repro`"):
        view.landmarks("sample_lively")
    with pytest.raises(MissingInput, match="no subject has clips yet"):
        view.ledger()


@pytest.mark.slow
@warnings
def test_metrics_of_all_runs_and_their_comparison(trained: Path) -> None:
    view = Project(trained)
    runs = view.runs()
    assert runs["run"].tolist() == ["workspace", "champion/1"]
    assert runs["kind"].tolist() == ["workspace", "champion"]
    assert runs["time"].isna().tolist() == [True, False]
    metrics = view.metrics()
    own = metrics[metrics["metric"] == "reconstruction.generator.psnr_face"]
    assert own[["run", "subject", "value", "unit", "better"]].to_numpy().tolist() == [
        ["workspace", "ann", 23.0, "dB", "more"],
        ["champion/1", "ann", 25.0, "dB", "more"],
    ]
    change = view.compare("champion", "workspace")
    psnr = change.loc[("ann", "reconstruction.generator.psnr_face")]
    assert (psnr["before"], psnr["after"], psnr["change"], psnr["gain"]) == (25, 23, -2, -2)
    l1 = change.loc[("ann", "reconstruction.generator.l1_mouth")]
    assert (l1["change"], l1["gain"], l1["unit"]) == (2, -2, "grey levels")
    assert Path.cwd() == trained


@pytest.mark.slow
@warnings
def test_the_command_prints_a_table_and_csv(trained: Path) -> None:
    table = run("metrics", "champion", "workspace")
    lines = [line.split() for line in table.splitlines()]
    assert lines[0][:3] == ["run", "who", "psnr"]
    assert [line[:3] for line in lines[2:]] == [
        ["champion/1", "ann", "25.000"],
        ["workspace", "ann", "23.000"],
    ]
    read = pd.read_csv(io.StringIO(run("metrics", "--csv")))
    assert read.equals(read.dropna(how="all"))
    assert set(read["run"]) == {"workspace", "champion/1"}
    assert len(read) == len(Project().metrics())
