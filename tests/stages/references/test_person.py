"""Descriptors of facial motion, raw and relative to the person's range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import face_measures, head_pose, mean_face
from stages.references.person import (
    NAMES,
    column_weights,
    describe,
    quantile_normalise,
    running_mean,
)


def test_a_still_mean_face_has_no_motion_and_its_own_mouth() -> None:
    head = np.tile(mean_face.MEAN_FACE, (5, 1, 1))
    rows = describe(head, np.tile(np.eye(3), (5, 1, 1)), np.tile([0.1, 0.2, 4.0], (5, 1)), 3)
    assert rows.shape == (5, len(NAMES))
    np.testing.assert_allclose(rows[:, 6:], 0, atol=1e-12)
    np.testing.assert_allclose(rows[:, 0], face_measures.mouth_opening(mean_face.MEAN_FACE))


def test_a_turned_head_shows_as_yaw_about_its_running_mean() -> None:
    yaw = np.array([0.0, 0.0, 0.3, 0.0, 0.0])
    R = head_pose.rotation_from_angles(np.stack([yaw, 0 * yaw, 0 * yaw], axis=1))
    head = np.tile(mean_face.MEAN_FACE, (5, 1, 1))
    rows = describe(head, R, np.tile([0.0, 0.0, 4.0], (5, 1)), 3)
    # By hand: the window of three around the turn has the mean 0.1.
    np.testing.assert_allclose(rows[:, NAMES.index("yaw")], [0, -0.1, 0.2, -0.1, 0], atol=1e-12)
    np.testing.assert_allclose(rows[:, NAMES.index("roll")], 0, atol=1e-12)


def test_the_running_mean_ignores_lost_frames_and_rows_beyond_the_ends() -> None:
    values = np.array([[1.0], [np.nan], [3.0], [5.0]])
    np.testing.assert_allclose(running_mean(values, 3)[:, 0], [1, 2, 4, 4])
    assert np.isnan(running_mean(np.full((3, 1), np.nan), 3)).all()


def test_own_range_is_the_mean_rank_by_hand() -> None:
    values = np.zeros((5, 12))
    values[:, 0] = [10.0, 30.0, 20.0, 20.0, np.nan]
    np.testing.assert_allclose(quantile_normalise(values)[:4, 0], [0.125, 0.875, 0.5, 0.5])
    assert np.isnan(quantile_normalise(values)[4]).all()


@settings(max_examples=30, deadline=None)
@given(
    scale=st.lists(st.floats(0.05, 20), min_size=12, max_size=12),
    shift=st.lists(st.floats(-3, 3), min_size=12, max_size=12),
    seed=st.integers(0, 99),
)
def test_own_range_is_invariant_to_scale_and_shift(
    scale: list[float], shift: list[float], seed: int
) -> None:
    # Steps of 1/64 stay apart under scaling and shifting in floating point.
    values = np.random.default_rng(seed).integers(-640, 640, (60, 12)) / 64
    np.testing.assert_array_equal(
        quantile_normalise(values), quantile_normalise(values * scale + shift)
    )


def test_a_group_of_many_columns_weighs_no_more_than_its_weight() -> None:
    weights = column_weights(mouth=1.0, eyes=0.5, head=0.3)
    assert weights[:4].sum() == pytest.approx(1.0)
    assert weights[4:6].sum() == pytest.approx(0.5)
    assert weights[6:].sum() == pytest.approx(0.3)
