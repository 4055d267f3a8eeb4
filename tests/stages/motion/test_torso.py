"""Shoulders: the factor of a person is found again, and moves what it should."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.motion.torso import USUAL_FACTOR, fit_factor, head_shift, place_shoulders


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0.05, 0.95), clips=st.integers(1, 3), seed=st.integers(0, 99))
def test_the_factor_of_synthetic_shoulders_is_recovered(factor, clips, seed):
    rng = np.random.default_rng(seed)
    shifts = [rng.normal(rng.normal(0, 50), 5, (200, 2)) for _ in range(clips)]
    shoulders = [
        place_shoulders(rng.uniform(0, 256, (18, 2)), shift, factor)
        + rng.normal(0, 0.5, (200, 18, 2))
        for shift in shifts
    ]
    assert abs(fit_factor(shifts, shoulders) - factor) < 0.02


def test_a_clips_own_framing_does_not_count():
    shift = np.random.default_rng(0).normal(0, 4, (100, 2))
    still = np.zeros((100, 18, 2))
    assert fit_factor([shift, shift + 500], [still, still + 300]) < 1e-9


def test_too_little_to_fit_gives_the_half_of_lsp():
    assert fit_factor([np.zeros((0, 2))], [np.zeros((0, 18, 2))]) == USUAL_FACTOR
    assert fit_factor([np.ones((90, 2))], [np.ones((90, 18, 2))]) == USUAL_FACTOR


def test_a_shift_of_the_head_is_focal_over_depth():
    shift = head_shift([[0.1, -0.2, 5.0]], [0.0, 0.0, 4.0], 400.0)
    assert np.allclose(shift, [[10.0, -20.0]])
