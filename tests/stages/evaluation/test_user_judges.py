"""CSIM and FID: with the user's weights alone, and absent without them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from stages.base.training.arcface import IResNet
from stages.base.training.inception import Inception
from stages.evaluation.evaluate import ABSENT, absent_measures
from stages.evaluation.fid import frechet_distance, score_fid
from stages.evaluation.identity import Faces, describe, score_identity
from stages.evaluation.params import EvaluationParams
from tests.stages.base.training.user_weights import bring
from tests.stages.evaluation.faces import another, astronaut, blurred, drawn_as, landmarks, moved

pytestmark = pytest.mark.slow

PARAMS = EvaluationParams(frames=1, window_s=1.0, stride_s=1.0)


def test_a_measure_is_absent_until_its_weights_are_named() -> None:
    assert absent_measures(PARAMS) == ABSENT
    named = PARAMS.model_copy(update={"arcface": "a" * 64})
    assert set(ABSENT) - set(absent_measures(named)) == {"CSIM"}
    assert named.judges() == {"arcface": "a" * 64}
    both = named.model_copy(update={"inception": "b" * 64})
    assert set(ABSENT) - set(absent_measures(both)) == {"CSIM", "FID"}
    lips = PARAMS.model_copy(update={"syncnet": "c" * 64})
    assert set(ABSENT) - set(absent_measures(lips)) == {"LSE-C, LSE-D"}


def test_csim_has_rows_for_the_truth_and_for_another_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = bring(IResNet, (1, 1, 1, 1), cache=tmp_path)
    here, there = astronaut(), another()
    face = describe(moved(here, 1), landmarks(here)[None], own)
    other = describe(there[None], landmarks(there)[None], own)
    faces = {"ann": Faces(face[0], face), "bob": Faces(other[0], other)}
    drawn = drawn_as(here, {"generator": blurred(moved(here, 2), 0.8)}, 2)
    scores = score_identity(drawn, faces, "ann", own)
    assert list(scores) == ["generator", "truth", "bob"]
    assert scores["truth"] == pytest.approx(1.0)
    assert scores["bob"] < scores["generator"] < 1


def test_fid_is_zero_for_the_same_frames_and_grows_with_blur(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    frames = np.stack([astronaut(), another()])
    rows = {"same": frames, "blurred": blurred(frames, 2.0)}
    scores = score_fid(frames, rows, bring(Inception, cache=tmp_path))
    assert scores["same"] == pytest.approx(0, abs=1e-6)
    assert scores["blurred"] > 1e-3


@pytest.mark.parametrize("count", [5, 400])  # fewer and more than features
def test_the_frechet_distance_is_that_of_the_formula(count: int) -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=(count, 20)) @ rng.normal(size=(20, 20))
    second = rng.normal(size=(count + 3, 20)) + 0.5
    a, b = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(a @ b + 0j).real
    means = ((first.mean(0) - second.mean(0)) ** 2).sum()
    expected = means + np.trace(a + b - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-8)
