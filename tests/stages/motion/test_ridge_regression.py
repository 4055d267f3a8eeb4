"""The ridge regression: what it recovers, masks, and incremental prediction."""

import numpy as np
import pytest

from stages.motion.ridge_regression import RidgeStream, context_offsets, fit
from tests.stages.motion.people import WIDTH

OFFSETS = (-1, 0, 2)


def recording(seed: int, gain: float = 1.0, frames: int = 400):
    """Sound of a few latent variables; the mouth follows the first, two frames earlier."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(frames, 4))
    mix = np.random.default_rng(0).normal(size=(4, WIDTH)) / 2
    sound = (hidden @ mix).astype(np.float32)
    displacement = np.zeros((frames, 68, 3))
    displacement[:-2, 57, 1] = gain * hidden[2:, 0]
    return np.repeat(sound, 2, axis=0).reshape(frames, -1), displacement, np.ones(frames, bool)


def test_it_recovers_a_dependence_on_the_sound_two_frames_later():
    regression = fit([[recording(1)]], 0.01, OFFSETS)
    features, displacement, _ = recording(2)
    found = regression.predict(features, np.arange(400))
    assert np.corrcoef(found[:390, 57, 1], displacement[:390, 57, 1])[0, 1] > 0.98
    assert np.abs(found[:, 0]).max() < 1e-3
    assert found[:390, 57, 1].std() == pytest.approx(displacement[:390, 57, 1].std(), rel=0.1)


@pytest.mark.slow
def test_people_have_equal_weight_and_masked_frames_none():
    wrong = recording(3, gain=9.0)
    masked = (*wrong[:2], np.zeros(400, bool))
    known = fit([[recording(1), masked]], 0.01, OFFSETS)
    np.testing.assert_allclose(known.weights, fit([[recording(1)]], 0.01, OFFSETS).weights)
    often = fit([[recording(1)] * 5, [recording(2, gain=3.0)]], 0.01, OFFSETS)
    once = fit([[recording(1)], [recording(2, gain=3.0)]], 0.01, OFFSETS)
    np.testing.assert_allclose(often.weights, once.weights, atol=1e-4)


def test_a_ridge_of_zero_gives_zero_weights():
    assert not fit([[recording(1)]], 0.0, OFFSETS).weights.any()


@pytest.mark.parametrize("cuts", [[30], [1, 1, 28], [7, 0, 20, 3]])
def test_incremental_prediction_equals_the_whole_with_the_delay_of_the_network(cuts):
    regression = fit([[recording(1)]], 0.1, OFFSETS)
    features, ahead = recording(2)[0][:30], 8
    stream, at, rows = RidgeStream(regression, ahead), 0, []
    for cut in cuts:
        if cut:
            rows.append(stream.push(features[at : at + cut]))
        at += cut
    whole = regression.predict(features, np.arange(30))
    np.testing.assert_allclose(np.concatenate(rows)[ahead:], whole[: 30 - ahead], atol=1e-5)


@pytest.mark.parametrize(
    ("look_ahead", "fps", "expected"),
    [(0.3, 25.0, (-2, -1, 0, 1, 2)), (0.3, 60.0, (-4, -2, 0, 2, 4)), (0.04, 25.0, (-2, -1, 0, 1, 1))],
)  # fmt: skip
def test_no_context_frame_is_beyond_the_look_ahead(look_ahead, fps, expected):
    assert context_offsets(look_ahead, fps) == expected


@pytest.mark.slow
def test_results_are_bitwise_equal_for_any_number_of_threads():
    from threadpoolctl import threadpool_limits

    regression = fit([[recording(1)]], 0.1, OFFSETS)
    features = recording(2)[0]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(regression.predict(features, np.arange(400)))
            assert np.array_equal(fit([[recording(1)]], 0.1, OFFSETS).weights, regression.weights)
    assert np.array_equal(*found)


def test_amplifying_a_component_leaves_what_is_beside_it():
    regression = fit([[recording(1)]], 0.1, OFFSETS)
    features = recording(2)[0]
    basis = np.zeros((1, 204), np.float32)
    basis[0, 3 * 57 + 1] = 1.0
    before = regression.predict(features, np.arange(50))
    after = regression.amplified(basis, np.array([1.5], np.float32)).predict(
        features, np.arange(50)
    )
    before[:, 57, 1] *= 1.5
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_the_size_of_blocks_does_not_change_the_result(monkeypatch):
    whole = fit([[recording(1)]], 0.1, OFFSETS)
    monkeypatch.setattr("stages.motion.ridge_regression._BLOCK_FRAMES", 70)
    parts = fit([[recording(1)]], 0.1, OFFSETS)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-6)
    features = recording(2)[0]
    np.testing.assert_allclose(
        parts.predict(features, np.arange(400)), whole.predict(features, np.arange(400)), atol=1e-5
    )
