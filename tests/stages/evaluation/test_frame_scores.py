"""Scores of drawn frames: perfect for the truth, and worse for a damaged copy where they must be."""

import numpy as np
import pytest

from stages.evaluation import frame_scores
from stages.evaluation.frame_scores import VGG_METHODS, FrameScores, score_frames
from tests.stages.evaluation.faces import another, astronaut, blurred, drawn_as, moved

pytestmark = pytest.mark.slow
FRAMES = 3
Scores = dict[str, list[FrameScores]]


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Score copies of a photograph; two frames of three are scored by the slow measures."""
    truth = moved(astronaut(), FRAMES)
    methods = {
        "generator": truth,
        "source_warped": blurred(truth, 1.5),
        "nearest_frame": moved(another(), FRAMES),
        "nearest_frame_aligned": truth,
        "mean_frame": truth,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_scores, "SAMPLED", 2)
        return score_frames(drawn_as(astronaut(), methods, FRAMES))


def test_the_truth_has_each_measures_perfect_value(scores: Scores) -> None:
    for score, true in zip(scores["generator"], scores["truth"], strict=True):
        assert score.psnr == score.psnr_face == float("inf")
        assert score.ssim == score.ssim_face == pytest.approx(1.0)
        assert score.lpips_face == score.l1_mouth == score.l1_other == 0.0
        assert score.sharpness_face == true.sharpness_face == 1.0
        np.testing.assert_equal(score.cpbd, true.cpbd)
    assert [score.lpips_vgg_face for score in scores["generator"]] == pytest.approx(
        [0.0, np.nan, 0.0], nan_ok=True
    )


def test_a_blurred_copy_is_worse_by_every_measure_of_a_picture(scores: Scores) -> None:
    for score, true in zip(scores["source_warped"][::2], scores["truth"][::2], strict=True):
        assert score.psnr_face < 35
        assert score.ssim_face < 0.97
        assert score.lpips_face > 0.05
        assert score.lpips_vgg_face > 0.05
        assert score.sharpness_face < 0.3
        assert score.cpbd < true.cpbd - 0.2
        assert score.l1_skin > 1


def test_another_person_is_worse_but_no_less_sharp(scores: Scores) -> None:
    for score, true in zip(scores["nearest_frame"][::2], scores["truth"][::2], strict=True):
        assert score.psnr_face < 25
        assert score.ssim_face < 0.9
        assert score.lpips_face > 0.1
        assert score.lpips_vgg_face > 0.1
        assert score.sharpness_face > 0.4
        assert score.cpbd > true.cpbd - 0.2


def test_slow_measures_are_taken_of_some_frames_and_vgg_of_some_methods(scores: Scores) -> None:
    for name, of_frames in scores.items():
        assert [np.isfinite(score.cpbd) for score in of_frames] == [True, False, True]
        vgg = [bool(np.isfinite(score.lpips_vgg_face)) for score in of_frames]
        assert vgg == ([True, False, True] if name in VGG_METHODS else [False] * 3), name
    means = frame_scores.mean_scores(scores)
    sampled = [scores["source_warped"][i].cpbd for i in (0, 2)]
    assert means["source_warped"]["cpbd"] == pytest.approx(np.mean(sampled), abs=1e-4)
    assert "lpips_vgg_face" not in means["mean_frame"]
