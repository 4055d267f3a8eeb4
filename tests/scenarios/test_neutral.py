"""A user's own neutral image, set and removed in a finished project."""

import json
import re
from pathlib import Path

import pytest

from stages.base.io import tables
from stages.style_mapping.artifacts import ISP_SCORES
from tests.scenarios.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first one waits for all of it
ISPS = ("isp@sample_calm", "isp@sample_lively")
FOLLOWS = ["neutral", "neutral_landmarks", "train_style_mapping", *ISPS]
LATER = [
    "train_generator_base",
    "train_generator",
    "render@sample_calm",
    "render@sample_lively",
    "evaluate",
]


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """Write a picture of a head with room around it."""
    from skimage.data import astronaut

    from stages.base.io.image_io import encode_jpeg

    path = tmp_path / "my picture.jpg"
    path.write_bytes(encode_jpeg(astronaut()[:, ::-1]))
    return path


def test_setting_a_neutral_image_reruns_isps_and_downstream_stages_and_going_back_runs_no_stage(
    made: Project, portrait: Path
) -> None:
    outs, files = made.outs(), made.files("data/isp/*/*/*", "reports/isp/*", "models/*")
    before = portrait.read_bytes()
    output = made.run("idiolect", "neutral", str(portrait))
    assert "my picture.jpg" in output
    assert portrait.read_bytes() == before
    stale = re.findall(r"^(\S+): ", made.run("idiolect", "repro", "--dry"), re.MULTILINE)
    assert stale == [*FOLLOWS, *LATER]
    assert made.repro(*ISPS) == sorted(FOLLOWS)
    neutral = (made.root / "data/neutral.png").read_bytes()
    assert neutral == (made.root / "data/portrait/neutral.png").read_bytes()
    changed = {path for path, md5 in made.outs().items() if outs[path] != md5}
    assert {"data/neutral.parquet", "data/isp/seen/sample_calm"} <= changed
    assert "models/style_mapping.safetensors" in changed
    assert made.repro(*ISPS) == []

    made.run("idiolect", "neutral", "--sample")
    assert made.repro() == []
    assert made.outs() == outs
    assert made.files(*files) == files
    assert made.run("git", "status", "--short", "data") == ""


def test_an_earlier_portrait_is_restored_without_a_run(made: Project, portrait: Path) -> None:
    made.run("idiolect", "neutral", str(portrait))
    assert made.repro(*ISPS) == []
    made.run("idiolect", "neutral", "--sample")
    assert made.repro() == []


def test_a_picture_without_a_face_is_reported_in_one_line_and_makes_no_stage_stale(
    made: Project, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    output = made.run("idiolect", "neutral", str(tmp_path / "notes.txt"), code=1)
    assert output.startswith("error: ")
    assert output.count("\n") == 1
    assert made.repro() == []


def test_isps_are_measured_with_their_means(made: Project) -> None:
    for name in ("sample_calm", "sample_lively"):
        means = json.loads((made.root / f"reports/isp/{name}.json").read_text())
        assert means["all"]["isps"] > means["chosen"]["isps"] == 4
        assert 0 <= means["all"]["measured"] <= means["all"]["isps"]
        scores = tables.read(made.root / f"reports/isp_scores/{name}.parquet", ISP_SCORES)
        assert len(scores["chosen"]) == means["all"]["isps"]
