"""docs/reference/metrics.md explains every score."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from pipeline.experiments import measures
from pipeline.report import metrics_page
from stages.evaluation.artifacts import BASELINES, SCORES
from stages.evaluation.frame_scores import FrameScores
from stages.evaluation.headline import HEADLINES
from stages.evaluation.motion_rows import MEASURES
from stages.evaluation.opening_scores import OpeningScores
from stages.evaluation.theval import THEval
from tests.conftest import REPO
from tests.stages.evaluation.talkers import CALM, COMPARED, LIVELY


def test_the_page_is_up_to_date() -> None:
    assert (REPO / "docs/reference/metrics.md").read_text() == f"{metrics_page.page()}\n"


def test_every_headline_metric_is_explained() -> None:
    assert [key for key in HEADLINES.values() if measures.find(f"subjects.S.{key}") is None] == []


@pytest.mark.parametrize("name", MEASURES)
def test_every_score_of_motion_is_explained(name: str) -> None:
    returned: Any = get_type_hints(MEASURES[name])["return"]
    keys = [f"subjects.ann.{name}.generated.{field.name}" for field in fields(returned)]
    assert [key for key in keys if measures.find(key) is None] == [], "add to measures.yaml"


def test_every_score_of_style_is_explained() -> None:
    style = COMPARED.score_own_style("calm", CALM.truth, {"lively": LIVELY.truth})
    keys = list(leaves({"style": style}, "subjects.ann"))
    keys += leaves(
        {"style": COMPARED.score_lent_styles("calm", {"lively": CALM.truth})}, "unseen.b"
    )
    assert len(keys) > 100
    assert [key for key in keys if measures.find(key) is None] == [], "add to measures.yaml"


def leaves(scores: dict[str, Any], place: str) -> Iterator[str]:
    for name, value in scores.items():
        key = f"{place}.{name}"
        yield from leaves(value, key) if isinstance(value, dict) else [key]


@pytest.mark.parametrize("place", ["theval.redetected", "theval_score.truth"])
def test_every_measure_of_theval_is_explained(place: str) -> None:
    keys = [f"subjects.ann.{place}.{field.name}" for field in fields(THEval)]
    assert [key for key in keys if measures.find(key) is None] == [], "add to measures.yaml"


@pytest.mark.parametrize("row", ["generator", "source_warped", *BASELINES])
def test_every_score_of_pictures_is_explained(row: str) -> None:
    names = [field.name for field in fields(FrameScores)]
    keys = [f"subjects.ann.reconstruction.{row}.{name}" for name in names]
    keys += [f"subjects.ann.drawn_again.{row}.{field.name}" for field in fields(OpeningScores)]
    assert [key for key in keys if measures.find(key) is None] == [], "add to measures.yaml"


def test_a_key_is_of_one_measure_and_directions_have_a_perfect_value() -> None:
    for measure in measures.measures():
        assert [m for m in measures.measures() if m.matches(measure.key)] == [measure]
        assert measure.better == "none" or measure.best, measure.key
        assert measure.better != "near" or measure.perfect is not None, measure.key
    assert measures.find("subjects.ann.reconstruction.generator.sharpness") is None
    assert measures.find("subjects.ann.reconstruction.generator.psnr.face") is None


def test_a_score_of_single_frames_is_a_column_of_its_table() -> None:
    for name in measures.framewise_names():
        measure = measures.framewise(name)
        assert measure is not None
        better = measures.find_score(name).better
        assert measure.sign == {"more": 1, "less": -1}[better], name
        if measure.table == "frames":
            assert measure.columns[0] in SCORES.names
    assert measures.framewise("reconstruction.generator.l1_match_mouth") is None
    assert measures.framewise("motion.generated.d_l") is None
