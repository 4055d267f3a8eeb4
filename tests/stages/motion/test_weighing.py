"""Shares of mouth network and regressions, by hand, on frames that neither has learnt from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.base.face.face_measures import mouth_opening
from stages.motion.lower_bound import lower_gain
from stages.motion.person import MOUTH
from stages.motion.weighing import (
    ValidationRecording,
    amplified,
    amplitude_gains,
    blend,
    fit_personal,
    mouth_gain,
    output_gain,
    population_factors,
    population_share,
)
from tests.stages.motion.people import LOWER, WIDTH, person

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


def opened(scale: float, noise: float = 0.0) -> tuple[ValidationRecording, np.ndarray]:
    """A mouth that opens by the sound, as a lower lip of the person sees it, and a prediction."""
    recording, moved = recorded(), np.zeros((FRAMES, 68, 3))
    rng = np.random.default_rng(5)
    opening = np.abs(recording.features[:, 0])
    true = moved.copy()
    true[:, list(LOWER), 1] = opening[:, None]
    moved[:, list(LOWER), 1] = scale * (opening + noise * rng.normal(size=FRAMES))[:, None]
    moved[:LEARNT] *= 9.0  # learnt frames must not count
    return replace(recording, true=true), moved


@pytest.mark.parametrize(("scale", "gain"), [(0.8, 1.25), (1.25, 0.8), (0.3, 1.5), (3.0, 0.7)])
def test_a_person_gets_the_gain_by_which_the_mouth_opens_as_far_as_the_true_one(scale, gain):
    recording, moved = opened(scale)
    assert mouth_gain([recording], [moved], person("ann", 0.1)) == pytest.approx(gain, rel=1e-3)


def test_a_mouth_is_raised_only_as_far_as_it_is_known_and_lowered_in_full():
    for scale in (0.5, 2.0):
        recording, moved = opened(scale, noise=0.5)
        face, rows = person("ann", 0.3), recording.validation
        true, found = (
            mouth_opening(face.mean_face + face.mouth_scale * track[rows])
            for track in (recording.true, moved)
        )
        ratio, known = true.std() / found.std(), np.corrcoef(true, found)[0, 1]
        assert 0.5 < known < 0.95
        expected = np.clip(1 + known * (ratio - 1) if ratio > 1 else ratio, 0.7, 1.5)
        assert mouth_gain([recording], [moved], face) == pytest.approx(expected)


def test_a_person_without_enough_judged_frames_gets_no_gain():
    recording, moved = opened(0.8)
    few = replace(recording, validation=np.arange(FRAMES) < 49)
    assert mouth_gain([few], [moved], person("ann", 0.1)) == 1.0


def test_the_gain_scales_lips_and_jaw_alone():
    ann = replace(person("ann"), mouth_gain=1.3)
    scale = ann.predicted_scale[:, 0]
    assert np.allclose(scale[[LIP, BROW]], [1.3 * ann.mouth_scale, ann.mouth_scale])


def test_amplified_displacements_are_those_of_an_amplified_basis():
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(204, 3)))[0].T.astype(np.float32)
    gains = np.array([1.0, 1.5, 2.0], np.float32)
    components = np.random.default_rng(2).normal(size=(4, 3))
    moved = (components @ basis).reshape(4, 68, 3)
    expected = ((components * gains) @ basis).reshape(4, 68, 3)
    assert np.allclose(amplified(moved, basis, gains), expected, atol=1e-6)
