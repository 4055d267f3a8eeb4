"""Rows of the motion tables: each measure is perfect for the truth and worse for what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from stages.base.face import mean_face
from stages.evaluation import motion_rows
from stages.evaluation.motion_scores import score_motion
from tests.stages.evaluation.tracks import babble, silence, talking

TRUTH = talking(babble(8.0))
QUIET = silence(len(TRUTH))


def test_the_truth_against_itself_has_every_best_value():
    scores = score_motion(TRUTH, QUIET, TRUTH)
    assert (scores.d_l, scores.lmd, scores.d_v, scores.d_a) == (0, 0, 0, 0)
    assert scores.mouth_correlation == pytest.approx(1)
    assert scores.mouth_amplitude == pytest.approx(1)
    assert scores.best_lag_s == 0


def test_half_the_amplitude_is_measured_as_half():
    scores = score_motion(TRUTH, QUIET, talking(babble(8.0) / 2))
    assert scores.mouth_amplitude == pytest.approx(0.5, abs=0.02)
    assert scores.mouth_correlation == pytest.approx(1, abs=0.01)
    assert scores.lmd > 0


def test_frames_in_which_a_face_is_lost_do_not_count():
    valid = np.ones(len(TRUTH), bool)
    valid[40:60] = False
    lost = replace(TRUTH, valid=valid, head=np.where(valid[:, None, None], TRUTH.head, np.nan))
    scores = score_motion(TRUTH, QUIET, lost)
    assert scores.d_l == 0
    assert scores.mouth_correlation == pytest.approx(1)
    assert scores.best_lag_correlation == pytest.approx(1)
    none = replace(lost, valid=np.zeros(len(TRUTH), bool))
    assert np.isnan(score_motion(TRUTH, QUIET, none).lmd)


def test_a_row_of_several_tracks_has_the_mean_of_their_scores():
    shifted = list(motion_rows.other_audio(TRUTH))
    assert len(shifted) == 3  # by 2, 4 and 6 s of 8
    rows = {"truth": [TRUTH], "other_audio": shifted, "none": []}
    scores = motion_rows.score_rows(TRUTH, QUIET, rows)["motion"]
    assert list(scores) == ["truth", "other_audio"]
    each = [score_motion(TRUTH, QUIET, track).lmd for track in shifted]
    assert scores["other_audio"]["lmd"] == pytest.approx(np.mean(each))
    assert scores["other_audio"]["lmd"] > scores["truth"]["lmd"] == 0


def test_a_track_too_short_to_shift_has_no_row_of_another_voice():
    assert list(motion_rows.other_audio(TRUTH.first(3))) == []


def test_a_still_face_never_opens_its_mouth():
    still = motion_rows.still_face(TRUTH, mean_face.MEAN_FACE)
    scores = score_motion(TRUTH, QUIET, still)
    assert scores.mouth_amplitude == pytest.approx(0)
    assert scores.mouth_correlation == 0
