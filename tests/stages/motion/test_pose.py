"""Head pose as six numbers, and the shoulders that follow the head."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face.head_pose import rotation_from_vector
from stages.motion.pose import (
    DEFAULT_FACTOR,
    absolute_from_rest,
    fit_factor,
    head_shift,
    mean_rotation,
    place_shoulders,
    relative_to_rest,
    rotation_vector,
    velocities,
)

ANGLES = st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(turn=ANGLES, rest=ANGLES, t=ANGLES)
def test_a_pose_about_a_rest_converts_back(turn, rest, t):
    R, rest_R, rest_t = (
        rotation_from_vector([turn]),
        rotation_from_vector(rest),
        np.array([0.1, -0.3, 8.0]),
    )
    six = relative_to_rest(R, np.array([t]), rest_R, rest_t)
    back_R, back_t = absolute_from_rest(six, rest_R, rest_t)
    assert np.allclose(back_R, R, atol=1e-9)
    assert np.allclose(back_t, [t], atol=1e-9)


def test_rotation_vectors_are_angle_times_axis():
    R = np.array([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    assert np.allclose(rotation_vector(R), [[0, 0, np.pi / 2]])


def test_the_mean_of_rotations_to_both_sides_is_between_them():
    R = rotation_from_vector([[0.0, 0.2, 0.0], [0.0, -0.2, 0.0], [0.0, 0.0, 0.0]])
    mean = mean_rotation(R)
    assert np.allclose(mean, np.eye(3), atol=1e-12)


def test_velocities_next_to_a_lost_face_are_nan():
    pose = np.arange(24.0).reshape(4, 6)
    pose[1] = np.nan
    change = velocities(pose)
    assert np.isnan(change[:3]).all()
    assert np.allclose(change[3], 6.0)


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


def test_the_framing_of_each_clip_cancels():
    shift = np.random.default_rng(0).normal(0, 4, (100, 2))
    still = np.zeros((100, 18, 2))
    assert fit_factor([shift, shift + 500], [still, still + 300]) < 1e-9


def test_too_little_data_gives_the_default_factor():
    assert fit_factor([np.zeros((0, 2))], [np.zeros((0, 18, 2))]) == DEFAULT_FACTOR
    assert fit_factor([np.ones((90, 2))], [np.ones((90, 18, 2))]) == DEFAULT_FACTOR


def test_a_shift_of_the_head_is_focal_over_depth():
    shift = head_shift([[0.1, -0.2, 5.0]], [0.0, 0.0, 4.0], 400.0)
    assert np.allclose(shift, [[10.0, -20.0]])
