"""Head pose as six numbers, there and back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face.head_pose import rotation_from_vector
from stages.motion.pose import about_rest, from_rest, mean_rotation, rotation_vector, velocities

ANGLES = st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(turn=ANGLES, rest=ANGLES, t=ANGLES)
def test_a_pose_about_a_rest_comes_back(turn, rest, t):
    R, rest_R, rest_t = (
        rotation_from_vector([turn]),
        rotation_from_vector(rest),
        np.array([0.1, -0.3, 8.0]),
    )
    six = about_rest(R, np.array([t]), rest_R, rest_t)
    back_R, back_t = from_rest(six, rest_R, rest_t)
    assert np.allclose(back_R, R, atol=1e-9)
    assert np.allclose(back_t, [t], atol=1e-9)


def test_rotation_vectors_are_angle_times_axis():
    R = np.array([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    assert np.allclose(rotation_vector(R), [[0, 0, np.pi / 2]])


def test_the_mean_of_rotations_to_both_sides_is_between_them():
    R = rotation_from_vector([[0.0, 0.2, 0.0], [0.0, -0.2, 0.0], [0.0, 0.0, 0.0]])
    mean = mean_rotation(R)
    assert np.allclose(mean, np.eye(3), atol=1e-12)


def test_a_velocity_beside_a_lost_face_is_unknown():
    pose = np.arange(24.0).reshape(4, 6)
    pose[1] = np.nan
    change = velocities(pose)
    assert np.isnan(change[:3]).all()
    assert np.allclose(change[3], 6.0)
