"""A mouth against its truth and its sound; lips that close for bilabials."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base.face.face_measures import mouth_opening
from stages.evaluation.speech_scores import (
    ClosureScores,
    closed_below,
    score_closures,
    score_sync,
)
from tests.stages.evaluation.known_curves import FPS, speech, track

WAVE = 0.05 + 0.04 * np.sin(np.arange(200) ** 1.3 / 9)
# Open by 0.1 but closed, at 0, in frames 20-22, 50-52 and 80-82: from 0.8 s, 2.0 s and 3.2 s.
BEATS = np.full(100, 0.1)
for _first in (20, 50, 80):
    BEATS[_first : _first + 3] = 0.0
PHONES = (("B", 0.8, 0.92), ("AA", 1.0, 1.2), ("M", 2.0, 2.12), ("P", 3.2, 3.32))


def test_the_test_faces_open_as_far_as_they_are_told():
    np.testing.assert_allclose(mouth_opening(track(WAVE).head), WAVE)


def test_the_truth_follows_itself_without_lag():
    scores = score_sync(track(WAVE), speech(200), track(WAVE))
    assert scores.correlation == pytest.approx(1)
    assert scores.lag == 0
    assert scores.lag_correlation == pytest.approx(1)


@given(st.integers(-5, 5))
def test_the_lag_of_a_late_mouth_is_found_in_seconds(late):
    scores = score_sync(track(WAVE[20:180]), speech(160), track(WAVE[20 - late : 180 - late]))
    assert scores.lag == pytest.approx(late / FPS)
    assert scores.lag_correlation == pytest.approx(1)
    assert late == 0 or scores.correlation < 0.999


def test_lags_do_not_cross_spans():
    span = np.repeat([0, 1], 100)
    late = np.concatenate([np.roll(WAVE[:100], 3), np.roll(WAVE[100:], 3)])
    scores = score_sync(track(WAVE, span=span), speech(200), track(late, span=span))
    assert scores.lag == pytest.approx(0.12)
    # The three frames that np.roll brings to the start of each span are behind the lag's reach.
    assert scores.lag_correlation == pytest.approx(1)


def test_a_mouth_that_follows_the_level_three_frames_late_correlates_with_it_at_that_lag():
    level = -40 + 400 * WAVE
    scores = score_sync(track(WAVE), speech(200, level), track(np.roll(WAVE, 3)))
    assert scores.level_lag == pytest.approx(0.12)
    assert scores.level_lag_correlation > 0.99
    assert scores.level_correlation < scores.level_lag_correlation


def test_how_quiet_a_silence_is_has_no_effect():
    level = np.where(np.arange(200) % 40 < 20, -25.0 + np.arange(200) % 20 / 2, -70.0)
    quieter = np.where(level < -50, -120.0, level)
    both = [score_sync(track(WAVE), speech(200, each), track(WAVE)) for each in (level, quieter)]
    assert both[0] == both[1]


def test_a_frozen_mouth_follows_nothing():
    scores = score_sync(track(WAVE), speech(200, -40 + 400 * WAVE), track(np.full(200, 0.05)))
    assert astuple(scores) == (0, 0, 0, 0, 0, 0)


def test_frames_without_a_face_do_not_count():
    hidden = WAVE.copy()
    hidden[50:90] = np.nan
    assert score_sync(track(WAVE), speech(200), track(hidden)).lag_correlation == pytest.approx(1)
    few = np.where(np.arange(200) < 9, WAVE, np.nan)
    assert np.isnan(astuple(score_sync(track(WAVE), speech(200), track(few)))).all()


def test_lips_are_closed_below_a_tenth_of_the_persons_own_range():
    opening = np.linspace(0.02, 0.12, 101)  # percentiles 5 and 95: 0.025 and 0.115
    assert closed_below(opening) == pytest.approx(0.025 + 0.1 * 0.09)
    assert closed_below(np.append(opening, np.nan)) == pytest.approx(closed_below(opening))


def test_the_truth_keeps_all_its_closures_and_adds_none():
    scores = score_closures(track(BEATS), speech(100, phones=PHONES), track(BEATS))
    # Windows hold the frames with middles within 40 ms of a phone of 3 frames: 5 frames. Of the 96
    # places of 5 frames, 3 · 7 hold a closed frame.
    assert scores == ClosureScores(1.0, 1.0, pytest.approx(21 / 96), 0.0, 3)


def test_lips_that_stay_open_at_one_of_three_bilabials_lose_a_third_of_the_recall():
    half = BEATS.copy()
    half[50:53] = 0.06
    scores = score_closures(track(BEATS), speech(100, phones=PHONES), track(half))
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.kept == pytest.approx(2 / 3)
    assert scores.false == 0


@pytest.mark.parametrize(("late", "recall"), [(-4, 0), (-3, 1), (0, 1), (3, 1), (4, 0)])
def test_lips_may_close_one_frame_before_or_after_a_bilabial_and_not_two(late, recall):
    # The last closed frame of a closure that is 3 frames early is the one before the phone.
    scores = score_closures(track(BEATS), speech(100, phones=PHONES), track(np.roll(BEATS, late)))
    assert scores.recall == recall
    assert scores.false == pytest.approx(min(abs(late), 3) * 3 / 91)


def test_a_mouth_that_never_opens_has_full_recall_by_chance_and_is_closed_falsely():
    shut = track(np.zeros(100))
    scores = score_closures(track(BEATS), speech(100, phones=PHONES), shut)
    assert scores == ClosureScores(1.0, 1.0, 1.0, 1.0, 3)


def test_a_phone_that_the_truth_does_not_close_for_counts_in_recall_and_not_among_the_kept():
    phones = (*PHONES, ("M", 1.4, 1.52))
    scores = score_closures(track(BEATS), speech(100, phones=phones), track(BEATS))
    assert scores.recall == pytest.approx(3 / 4)
    assert scores.kept == 1
    closing = BEATS.copy()
    closing[35:38] = 0.0
    assert score_closures(track(BEATS), speech(100, phones=phones), track(closing)).recall == 1


def test_a_bilabial_without_a_face_on_either_side_does_not_count():
    hidden = BEATS.copy()
    hidden[20] = np.nan
    for pair in ((hidden, BEATS), (BEATS, hidden)):
        scores = score_closures(track(pair[0]), speech(100, phones=PHONES), track(pair[1]))
        assert (scores.count, scores.recall) == (2, 1)


def test_a_closure_in_the_next_span_does_not_count():
    opening = np.where(np.arange(100) == 50, 0.0, 0.1)
    opening[[5, 6, 7, 8, 9, 10]] = 0.0
    phones = (("M", 1.9, 1.99),)
    one, two = np.zeros(100), np.repeat([0, 1], 50)
    recalls = [
        score_closures(track(opening, span=s), speech(100, phones=phones), track(opening)).recall
        for s in (one, two)
    ]
    assert recalls == [1, 0]


def test_phones_beyond_the_track_and_tracks_without_phones_score_nothing():
    late = replace(speech(100), phones=speech(1, phones=[("B", 4.0, 4.1)]).phones)
    for said in (late, speech(100)):
        scores = score_closures(track(BEATS), said, track(BEATS))
        assert scores.count == 0
        assert np.isnan([scores.recall, scores.kept, scores.chance]).all()


@pytest.mark.filterwarnings("error")
def test_a_mouth_that_is_never_known_has_no_closures():
    unknown = track(np.full(100, np.nan))
    assert score_closures(unknown, speech(100, phones=PHONES), unknown).count == 0
