"""SLD, SLV and SMD of motions whose distances are computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base.face.face_measures import mouth_opening
from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.style_scores import StyleWindowing, neutral_face, style_distances
from tests.stages.evaluation.tracks import moving, opened, shifted

PAIRS = StyleWindowing(frames=2, stride=2)


def distances(real, generated, windows=PAIRS, most=None):
    return style_distances(real, MEAN_FACE, generated, MEAN_FACE, windows, most)


def test_sld_is_the_mean_over_real_windows_of_the_nearest_generated_one():
    real = moving(shifted([0, 0, 0.015, 0.015]))
    generated = moving(shifted([0, 0, 0, 0.01, 0.01, 0.01]))
    assert distances(real, generated).sld == pytest.approx(100 * (0 + 0.005) / 2)


def test_slv_of_a_drift_against_a_still_face_is_its_speed():
    drift, still = moving(shifted(0.01 * np.arange(6))), moving(shifted(np.zeros(6)))
    assert distances(drift, still, StyleWindowing(4, 1)).slv == pytest.approx(0.01 * 25 * 100)


def test_smd_compares_areas_beyond_those_of_the_neutral_faces():
    def square(side):
        face = MEAN_FACE.copy()
        x = np.array([0, 0.5, 1, 1, 1, 0.5, 0, 0]) * side
        y = np.array([0, 0, 0, 0.5, 1, 1, 1, 0.5]) * side
        face[60:68, :2] = np.stack([x, y], axis=1)
        return face

    real = moving(np.repeat((square(0.3) - MEAN_FACE)[None], 4, axis=0))
    generated = moving(np.repeat((square(0.2) - MEAN_FACE)[None], 4, axis=0))
    found = style_distances(real, square(0.1), generated, square(0.15), PAIRS)
    assert found.smd == pytest.approx(100 * ((0.09 - 0.01) - (0.04 - 0.0225)))


@given(seed=st.integers(0, 1000), size=st.floats(0, 0.2))
def test_the_shape_of_a_face_has_no_effect(seed, size):
    rng = np.random.default_rng(seed)
    moved, other = rng.normal(0, 0.02, (8, 68, 3)), MEAN_FACE + rng.normal(0, size, (68, 3))
    real, copied = moving(moved), moving(moved, face=other)
    found = style_distances(real, MEAN_FACE, copied, other, StyleWindowing(3, 1))
    assert found.sld == pytest.approx(0, abs=1e-6)
    assert found.slv == pytest.approx(0, abs=1e-6)


def test_real_motion_against_itself_has_no_distance():
    motion = moving(np.random.default_rng(0).normal(0, 0.02, (30, 68, 3)), invalid=[4])
    found = distances(motion, motion, StyleWindowing(5, 2))
    assert (found.sld, found.slv, found.smd) == (0, 0, 0)


def test_windows_cross_neither_clips_nor_frames_without_a_face():
    track = moving(shifted(np.zeros(12)), spans=[5, 7], invalid=[8])
    np.testing.assert_array_equal(StyleWindowing(3, 1).starts(track), [0, 1, 2, 5, 9])
    np.testing.assert_array_equal(StyleWindowing(3, 2).starts(track), [0, 2, 5, 9])
    np.testing.assert_array_equal(StyleWindowing(3, 1).starts(track, most=3), [0, 2, 9])


def test_fewer_generated_windows_come_less_near():
    real = moving(shifted([0, 0]))
    generated = moving(shifted([0.03, 0.03, 0, 0, 0.02, 0.02]))
    assert distances(real, generated).sld == 0
    assert distances(real, generated, most=2).sld == pytest.approx(2)


def test_a_motion_shorter_than_a_window_has_no_distance():
    one, many = moving(shifted([0])), moving(shifted(np.zeros(9)))
    assert np.isnan(distances(one, many).sld)
    assert np.isnan(distances(many, one).smd)


def test_a_neutral_face_is_the_mean_with_the_mouth_of_the_most_closed_frames():
    gaps = np.array([0.0, *np.full(19, 0.1)])
    found = neutral_face(moving(opened(gaps) + shifted(np.tile([-0.02, 0.02], 10))))
    closed = mouth_opening(MEAN_FACE)
    assert mouth_opening(found) == pytest.approx(closed)
    np.testing.assert_allclose(found[:4], MEAN_FACE[:4], atol=1e-12)
