"""Redetected openings of mouth and eyes, against known ones."""

import numpy as np
import pytest

from stages.base.face import mean_face
from stages.evaluation.opening_scores import score_openings


def opening(gaps, lids):
    """The mean face in px, its inner lips and its lids moved apart by shares of a face height."""
    points = np.repeat(mean_face.MEAN_FACE[None, :, :2] * 100 + 128, len(gaps), axis=0)
    points[:, 65:68, 1] += 100 * np.asarray(gaps)[:, None]
    points[:, [40, 41, 46, 47], 1] += 100 * np.asarray(lids)[:, None]
    return points


def test_a_mouth_drawn_half_as_open_follows_with_half_the_amplitude():
    gaps, lids = np.array([0.0, 0.1, 0.2, 0.05]), np.array([0.0, 0.02, 0.0, 0.04])
    scores = score_openings(opening(gaps, lids), opening(gaps / 2, -lids))
    assert scores.mouth_correlation == pytest.approx(1, abs=0.01)
    assert scores.mouth_amplitude == pytest.approx(0.5, abs=0.05)
    assert scores.eyes_correlation == pytest.approx(-1, abs=0.01)
    assert scores.eyes_amplitude == pytest.approx(1, abs=0.05)
    assert scores.frames == 4


def test_without_frames_every_score_is_nan_and_the_count_is_zero():
    none = np.zeros((0, 68, 2))
    scores = score_openings(none, none)
    assert scores.frames == 0
    assert np.isnan(scores.mouth_correlation)
    assert np.isnan(scores.eyes_amplitude)
