"""The regression beside the mouth network: what it recovers, and that pieces change nothing."""

import numpy as np
import pytest

from stages.motion.direct import DirectStream, fit, offsets
from stages.motion.features import FEATURE

MOMENTS = (-1, 0, 2)


def recording(seed: int, gain: float = 1.0, frames: int = 400):
    """Sound of a few hidden numbers; the mouth follows the first, two frames earlier."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(frames, 4))
    mix = np.random.default_rng(0).normal(size=(4, FEATURE)) / 2
    sound = (hidden @ mix).astype(np.float32)
    displacement = np.zeros((frames, 68, 3))
    displacement[:-2, 57, 1] = gain * hidden[2:, 0]
    return np.repeat(sound, 2, axis=0).reshape(frames, -1), displacement, np.ones(frames, bool)


def test_it_finds_what_the_sound_two_frames_later_tells():
    direct = fit([[recording(1)]], 0.01, MOMENTS)
    pairs, displacement, _ = recording(2)
    found = direct.at(pairs, np.arange(400))
    assert np.corrcoef(found[:390, 57, 1], displacement[:390, 57, 1])[0, 1] > 0.98
    assert np.abs(found[:, 0]).max() < 1e-3
    assert found[:390, 57, 1].std() == pytest.approx(displacement[:390, 57, 1].std(), rel=0.1)


@pytest.mark.slow
def test_every_person_counts_the_same_and_masked_frames_for_nothing():
    wrong = recording(3, gain=9.0)
    masked = (*wrong[:2], np.zeros(400, bool))
    known = fit([[recording(1), masked]], 0.01, MOMENTS)
    np.testing.assert_allclose(known.weights, fit([[recording(1)]], 0.01, MOMENTS).weights)
    often = fit([[recording(1)] * 5, [recording(2, gain=3.0)]], 0.01, MOMENTS)
    once = fit([[recording(1)], [recording(2, gain=3.0)]], 0.01, MOMENTS)
    np.testing.assert_allclose(often.weights, once.weights, atol=1e-4)


def test_a_ridge_of_zero_turns_it_off():
    assert not fit([[recording(1)]], 0.0, MOMENTS).weights.any()


@pytest.mark.parametrize("cuts", [[30], [1, 1, 28], [7, 0, 20, 3]])
def test_in_pieces_it_says_what_it_says_of_the_whole_as_late_as_the_network(cuts):
    direct = fit([[recording(1)]], 0.1, MOMENTS)
    pairs, ahead = recording(2)[0][:30], 8
    stream, at, rows = DirectStream(direct, ahead), 0, []
    for cut in cuts:
        if cut:
            rows.append(stream.push(pairs[at : at + cut]))
        at += cut
    whole = direct.at(pairs, np.arange(30))
    np.testing.assert_allclose(np.concatenate(rows)[ahead:], whole[: 30 - ahead], atol=1e-5)


@pytest.mark.parametrize(
    ("look_ahead", "fps", "expected"),
    [(0.3, 25.0, (-2, -1, 0, 1, 2)), (0.3, 60.0, (-4, -2, 0, 2, 4)), (0.04, 25.0, (-2, -1, 0, 1, 1))],
)  # fmt: skip
def test_no_moment_lies_beyond_the_look_ahead(look_ahead, fps, expected):
    assert offsets(look_ahead, fps) == expected


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit():
    from threadpoolctl import threadpool_limits

    direct = fit([[recording(1)]], 0.1, MOMENTS)
    pairs = recording(2)[0]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(direct.at(pairs, np.arange(400)))
            assert np.array_equal(fit([[recording(1)]], 0.1, MOMENTS).weights, direct.weights)
    assert np.array_equal(*found)


def test_blocks_change_nothing(monkeypatch):
    whole = fit([[recording(1)]], 0.1, MOMENTS)
    monkeypatch.setattr("stages.motion.direct._ROWS", 70)
    parts = fit([[recording(1)]], 0.1, MOMENTS)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-6)
    pairs = recording(2)[0]
    np.testing.assert_allclose(
        parts.at(pairs, np.arange(400)), whole.at(pairs, np.arange(400)), atol=1e-5
    )
