"""Blinks and gaze: statistics of sampled blinks, lids and irises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face.face_measures import eye_opening
from stages.base.face.mean_face import MEAN_FACE
from stages.motion.eyes import (
    DEFAULT_BLINKS,
    Blinks,
    BlinkSampler,
    GazeSampler,
    blink_shape,
    close_lids,
    gaze_from_irises,
    irises_from_gaze,
    measure_blinks,
)


def drawn_opening(blinks: Blinks, fps: float, seconds: float, seed: int) -> np.ndarray:
    closed = BlinkSampler(blinks, fps, np.random.default_rng(seed)).sample(round(seconds * fps))
    noise = np.random.default_rng(seed + 1).normal(0, 0.01, len(closed))
    return 0.3 * (1 - closed) * (1 + noise)


@settings(max_examples=10, deadline=None)
@given(
    rate=st.floats(0.1, 0.7),
    duration=st.floats(0.2, 0.4),
    depth=st.floats(0.5, 0.95),
    fps=st.sampled_from([25.0, 30.0, 60.0]),
    seed=st.integers(0, 1000),
)
def test_blink_statistics_are_recovered_from_sampled_blinks(rate, duration, depth, fps, seed):
    true = Blinks(rate, (duration, 0.02), (depth, 0.03), 0.4, 9)
    found = measure_blinks([drawn_opening(true, fps, 200, seed)], fps)
    # Drawn in 200 s, blinks themselves scatter by about a fifth at the lowest rate.
    assert abs(found.rate - rate) < 0.2 * rate + 0.06
    assert abs(found.duration[0] - duration) < 0.08
    assert abs(found.depth[0] - depth) < 0.1


def test_time_without_a_face_does_not_count():
    opening = drawn_opening(Blinks(0.5, (0.3, 0.02), (0.8, 0.02), 0.4, 9), 25.0, 120, 3)
    holed = np.concatenate([opening, np.full(3000, np.nan)])
    whole, with_hole = measure_blinks([opening], 25.0), measure_blinks([holed], 25.0)
    assert with_hole.rate == whole.rate
    assert with_hole.count == whole.count


def test_a_long_look_down_is_no_blink():
    opening = np.full(500, 0.3)
    opening[100:160] = 0.1
    assert measure_blinks([opening], 25.0) == DEFAULT_BLINKS


def test_too_few_blinks_give_the_defaults():
    assert measure_blinks([np.full(100, 0.3)], 25.0) == DEFAULT_BLINKS
    assert measure_blinks([np.full(100, np.nan)], 25.0) == DEFAULT_BLINKS


@pytest.mark.parametrize("share", [0.25, 0.4, 0.6])
def test_a_blink_is_half_closed_for_half_of_its_time(share):
    phase = np.linspace(0, 1, 10001)
    assert np.isclose((blink_shape(phase, share) >= 0.5).mean(), 0.5, atol=1e-3)
    assert blink_shape(np.array([0.0, share, 1.0]), share).tolist() == [0.0, 1.0, 0.0]


# A blink has nine frames at 25 fps: the deepest moment is known to about one of them.
@pytest.mark.parametrize(("fps", "error"), [(25.0, 0.11), (60.0, 0.05)])
def test_lids_that_close_fast_and_open_slowly_are_told_from_others(fps, error):
    found = []
    for share in (0.25, 0.4, 0.6):
        true = Blinks(0.5, (0.35, 0.02), (0.8, 0.02), share, 9)
        found.append(measure_blinks([drawn_opening(true, fps, 200, 5)], fps).closing)
    assert np.allclose(found, [0.25, 0.4, 0.6], atol=error)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_piece_sizes_do_not_change_blinks_and_gaze(cuts, seed):
    def blinks() -> BlinkSampler:
        return BlinkSampler(DEFAULT_BLINKS, 25.0, np.random.default_rng(seed))

    def gaze() -> GazeSampler:
        return GazeSampler(np.array([0.1, 0.05]), 25.0, np.random.default_rng(seed))

    one, other = blinks(), gaze()
    pieces = np.concatenate([one.sample(cut) for cut in cuts])
    looks = np.concatenate([other.sample(cut) for cut in cuts])
    assert np.array_equal(pieces, blinks().sample(sum(cuts)))
    assert np.array_equal(looks, gaze().sample(sum(cuts)))


@settings(max_examples=20, deadline=None)
@given(closed=st.floats(0, 1))
def test_lids_close_by_the_given_share(closed):
    head = MEAN_FACE[None]
    shut = close_lids(head, np.array([closed]))
    assert np.allclose(eye_opening(shut), (1 - closed) * eye_opening(head), atol=1e-9)
    others = [i for i in range(68) if i not in range(36, 48)]
    assert np.array_equal(shut[:, others], head[:, others])


@settings(max_examples=20, deadline=None)
@given(
    gaze=st.lists(st.floats(-0.5, 0.5), min_size=4, max_size=4),
    turn=st.floats(-1, 1),
    scale=st.floats(10, 300),
)
def test_gaze_goes_to_irises_and_back(gaze, turn, scale):
    points = scale * MEAN_FACE[None, :, :2]
    turned = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    look = np.array(gaze).reshape(1, 2, 2)
    assert np.allclose(gaze_from_irises(turned, irises_from_gaze(turned, look)), look, atol=1e-9)


def test_a_gaze_of_half_a_width_is_the_eyes_corner():
    points = 100 * MEAN_FACE[None, :, :2]
    look = np.array([[[-0.5, 0.0], [0.5, 0.0]]])
    assert np.allclose(irises_from_gaze(points, look), points[:, [36, 45]])
