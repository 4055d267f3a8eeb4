"""Shares of mouth network and regressions, by hand, on frames that neither has learnt from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.motion.lower_bound import lower_gain
from stages.motion.person import MOUTH
from stages.motion.weighing import (
    ValidationRecording,
    amplitude_gains,
    blend,
    fit_personal,
    output_gain,
    population_factors,
    population_share,
)
from tests.stages.motion.people import WIDTH

FRAMES, LEARNT = 200, 150
LIP, BROW = 62, 20


def recorded(
    subject: int = 0, network: float = 0.0, regression: float = 0.0
) -> ValidationRecording:
    """A recording whose lip follows the sound; network and regression predict shares of it."""
    rng = np.random.default_rng(subject)
    sound = np.zeros((FRAMES, 2, WIDTH), np.float32)
    sound[:, :, 0] = rng.normal(size=(FRAMES, 1))
    true = np.zeros((FRAMES, 68, 3))
    true[:, LIP, 1] = sound[:, 0, 0]
    learnt = np.arange(FRAMES) < LEARNT
    features = sound.reshape(FRAMES, -1)
    return ValidationRecording(
        subject, features, true, network * true, regression * true, learnt, ~learnt
    )


def test_population_and_network_are_mixed_by_least_squares():
    # 0.4 of the truth by the network, 2.4 by the regression: 1 = 0.4 + 0.3 · (2.4 − 0.4).
    assert population_share([recorded(network=0.4, regression=2.4)], 1) == pytest.approx(0.3)


def test_the_network_keeps_at_least_half():
    assert population_share([recorded(network=0.0, regression=1.0)], 1) == 0.5
    assert population_share([recorded(network=1.0, regression=0.0)], 1) == 0.0


def test_without_judged_frames_network_and_population_are_averaged():
    recording = replace(recorded(network=1.0), validation=np.zeros(FRAMES, bool))
    assert population_share([recording], 1) == 0.5


def test_each_person_has_equal_weight_in_the_share():
    right, wrong = (
        recorded(0, network=1.0, regression=0.0),
        recorded(1, network=0.0, regression=1.0),
    )
    wrong = replace(wrong, true=wrong.true, subject=1)
    own = np.square(right.true[LEARNT:]).mean()
    other = np.square(wrong.true[LEARNT:]).mean()
    once = population_share([right, wrong], 2)
    assert once == pytest.approx(min(other / (own + other), 0.5))
    assert population_share([right, right, wrong], 2) == pytest.approx(once)


def test_beyond_lips_and_jaw_the_regression_has_all():
    network, regression = np.ones((1, 68, 3)), np.full((1, 68, 3), 3.0)
    mixed = blend(network, regression, 0.25)
    assert np.allclose(mixed[:, MOUTH], 1.5)
    assert np.allclose(mixed[:, BROW], 3.0)
    assert population_factors(0.25)[[LIP, BROW]].tolist() == [0.25, 1.0]


def test_a_persons_regression_predicts_what_is_left():
    recording = recorded(network=0.5, regression=0.5)
    found = fit_personal([recording], 0.5, 1e-4, (0,), 25.0)
    assert found.gain > 0.95
    left = found.whole.predict(recording.features, np.arange(FRAMES))
    assert np.allclose(left, 0.5 * recording.true, atol=0.02)


def test_a_persons_regression_is_judged_without_the_frames_it_was_fitted_to():
    recording = recorded(network=0.5, regression=0.5)
    other = recording.true.copy()
    other[LEARNT:] = 0.0  # judged speech has nothing of what was learnt
    found = fit_personal([replace(recording, true=other)], 0.5, 1e-4, (0,), 25.0)
    assert found.gain == 0.0


def test_components_that_move_too_little_are_raised_at_most_twofold():
    basis = np.zeros((3, 204), np.float32)
    for row, point in enumerate((LIP, 63, 64)):
        basis[row, 3 * point + 1] = 1.0
    recording = recorded()
    moving = np.repeat(recording.true[:, LIP : LIP + 1], 3, axis=1)
    true, found = recording.true.copy(), recording.true.copy()
    true[:, LIP : LIP + 3] = moving
    found[:, LIP : LIP + 3] = moving * np.array([0.6, 0.1, 1.2])[:, None]
    found[:LEARNT] *= 9.0  # learnt frames must not count
    recording = replace(recording, true=true)
    assert np.allclose(amplitude_gains([recording], [found], basis, 0.9), [1.5, 2.0, 1.0])
    assert np.allclose(amplitude_gains([recording], [found], basis, 0.0), 1.0)


def test_what_is_not_known_is_not_raised():
    basis = np.zeros((2, 204), np.float32)
    basis[0, 3 * LIP + 1] = basis[1, 3 * 63 + 1] = 1.0
    recording = recorded()
    other = np.random.default_rng(9).normal(size=(2, FRAMES))
    true, found = recording.true.copy(), recording.true.copy()
    true[:, 63, 1], found[:, 63, 1] = other[0], 0.3 * (other[1] - other[0])
    found[:, LIP] *= 0.6
    raised, noise = amplitude_gains([replace(recording, true=true)], [found], basis, 0.9)
    assert raised == pytest.approx(1.5)
    assert noise == 1.0  # it moves against the truth


def test_the_lower_gain_is_the_hand_computed_value():
    pieces = np.array([[2.0, 2.0], [1.0, 2.0]])
    # 3/4 less 2 · √(((2 − 1.5)² + (1 − 1.5)²) · 2) / 4
    assert lower_gain(pieces) == pytest.approx(0.75 - 0.5)
    assert lower_gain(np.array([[4.0, 2.0]])) == 1.0
    assert lower_gain(np.zeros((2, 2))) == 0.0


@pytest.mark.parametrize(("output", "factor"), [(2.0, 0.5), (0.5, 1.0), (-1.0, 0.0), (1.0, 1.0)])
def test_the_output_gain_is_estimated_on_judged_frames(output, factor):
    recording = recorded(regression=0.2)
    network = output * (recording.true - recording.regression)
    network[:LEARNT] = 9.0  # learnt frames must not count
    recording = replace(recording, network=network)
    found = output_gain([recording], torch.ones(68), 1, 25.0)
    assert found == pytest.approx(factor, abs=1e-6)
