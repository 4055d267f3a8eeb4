"""Headline numbers: a dozen a subject, under the keys of scores.json and under short names."""

import json
from pathlib import Path
from typing import Any

import pytest
from dvc.cli import main

from stages.evaluation.headline import HEADLINES, value_at, write_scores

_NAN = float("nan")


def scores(psnr: float) -> dict[str, Any]:
    return {
        "frames": 12,
        "gain_psnr_face": 2.5,
        "reconstruction": {"generator": {"psnr_face": psnr, "ssim": 0.9}, "truth": {"ssim": 1.0}},
        "motion": {"generated": {"lmd": _NAN, "mouth_amplitude": 0.74}},
    }


@pytest.fixture
def written(workdir: Path) -> Path:
    judges = {"generator": "4146d2ce"}
    subjects = {"ann": scores(31.23456), "bob": scores(28.0)}
    write_scores({"split": "held-out", "judges": judges, "subjects": subjects})
    return workdir / "reports"


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_headline_number_has_the_key_that_it_has_among_all_scores(written: Path) -> None:
    everything = load(written / "evaluation/scores.json")["subjects"]["ann"]
    headline = load(written / "metrics.json")["subjects"]["ann"]
    assert headline == {
        "gain_psnr_face": 2.5,
        "reconstruction": {"generator": {"psnr_face": 31.23}},
        "motion": {"generated": {"mouth_amplitude": 0.74}},
    }
    short = load(written / "metrics/ann.json")
    assert short == {"psnr": 31.23, "gain": 2.5, "mouth_amp": 0.74}
    for name, value in short.items():
        assert value_at(everything, HEADLINES[name]) == pytest.approx(value, abs=5e-3)


def test_a_number_that_is_not_finite_is_null_among_all_scores(written: Path) -> None:
    text = (written / "evaluation/scores.json").read_text()
    assert "NaN" not in text
    assert load(written / "evaluation/scores.json")["subjects"]["ann"]["motion"]["generated"] == {
        "lmd": None,
        "mouth_amplitude": 0.74,
    }


def test_a_subject_that_is_gone_leaves_no_file(written: Path) -> None:
    write_scores({"subjects": {"bob": scores(28.0)}})
    assert [path.name for path in (written / "metrics").iterdir()] == ["bob.json"]


def test_dvc_shows_all_headline_numbers_of_all_subjects_in_160_columns(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full: dict[str, Any] = {}
    large = {"psnr": 38.12345, "gain": -10.12345, "net_gain": -10.12345}
    for name, key in HEADLINES.items():
        *parents, last = key.split(".")
        place = full
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = large.get(name, -0.12345)
    write_scores({"subjects": {"sample_lively": full, "sample_calm": full}})
    Path("dvc.yaml").write_text("metrics: [reports/metrics]\n")
    assert main(["init", "-q", "--no-scm"]) == 0
    capsys.readouterr()  # DVC greets at times
    assert main(["metrics", "show"]) == 0
    head, *rows = [
        line for line in capsys.readouterr().out.splitlines() if "/" in line or "Path" in line
    ]
    assert set(HEADLINES) <= set(head.split())
    assert [row.split()[0] for row in rows] == [
        "reports/metrics/sample_calm.json",
        "reports/metrics/sample_lively.json",
    ]
    assert max(len(line) for line in (head, *rows)) <= 160
