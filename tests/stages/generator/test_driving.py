"""Neutralised driving: a person's amplitude pulled to the population's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import head_pose, mean_face, projection
from stages.generator.driving import (
    Amplitudes,
    ClipMotion,
    Driving,
    mean_amplitudes,
    mean_head,
    measure_amplitudes,
    neutralise,
)

SIZE, FOCAL = 256, 600.0


def clip(gain=1.0, frames=40, seed=0):
    """A head whose mouth, lids and pose move `gain` times as much as usual."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(frames) / 3)[:, None, None] * gain
    head = np.repeat(mean_face.MEAN_FACE[None], frames, axis=0)
    head[:, 60:68] += wave * np.array([0, 0.05, 0])
    head[:, 36:48] += wave * np.array([0, 0.02, 0])
    angles = gain * 0.1 * rng.standard_normal((frames, 3))
    t = np.array([0.1, 0, 6.0]) + gain * 0.1 * rng.standard_normal((frames, 3))
    R = head_pose.rotation_from_angles(angles)
    points = projection.project(head, R, t, FOCAL, SIZE)
    irises = np.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1)], axis=1)
    shoulders = np.full((frames, 18, 2), 200.0) + 10 * t[:, None, :2]
    driving = Driving(*(a.astype(np.float32) for a in (points, irises, shoulders)))
    parts = (a.astype(np.float32) for a in (head, R, t))
    return ClipMotion(*parts, FOCAL, SIZE, driving)


def test_amplitudes_grow_with_the_motion():
    calm, lively = measure_amplitudes([clip(1)]), measure_amplitudes([clip(2)])
    assert lively.mouth == pytest.approx(2 * calm.mouth, rel=1e-3)
    assert lively.eyes == pytest.approx(2 * calm.eyes, rel=1e-3)
    assert lively.rotation == pytest.approx(2 * calm.rotation, rel=1e-2)
    assert lively.translation == pytest.approx(2 * calm.translation, rel=1e-3)


def test_the_population_counts_each_person_once():
    people = [Amplitudes(1, 2, 3, 4), Amplitudes(3, 2, 1, 0)]
    assert mean_amplitudes(people) == Amplitudes(2, 2, 2, 2)


def test_gains_of_one_leave_the_landmarks_as_detected():
    one = clip()
    same = neutralise(one, mean_head([one]), Amplitudes(1, 1, 1, 1))
    np.testing.assert_allclose(same.points, one.driving.points, atol=0.02)
    np.testing.assert_allclose(same.irises, one.driving.irises, atol=0.02)
    np.testing.assert_allclose(same.shoulders, one.driving.shoulders, atol=1e-3)


def test_gains_of_zero_hold_the_person_still():
    one = clip()
    still = neutralise(one, mean_head([one]), Amplitudes(0, 0, 0, 0))
    assert np.ptp(still.points, axis=0).max() < 0.01
    assert np.ptp(still.shoulders, axis=0).max() < 0.01


@settings(max_examples=10, deadline=None)
@given(st.floats(0.4, 2.5), st.integers(0, 100))
def test_a_lively_and_a_calm_person_get_the_same_mouth_amplitude(gain, seed):
    people = [[clip(1.0, seed=seed)], [clip(gain, seed=seed + 1)]]
    amplitudes = [measure_amplitudes(person) for person in people]
    average = mean_amplitudes(amplitudes)
    heights = []
    for person, own in zip(people, amplitudes, strict=True):
        moved = neutralise(person[0], mean_head(person), own.gains(average))
        gap = np.linalg.norm(moved.points[:, 62] - moved.points[:, 66], axis=-1)
        heights.append(own.mouth * own.gains(average).mouth)
        assert np.isfinite(gap).all()
    assert heights[0] == pytest.approx(heights[1], rel=1e-4)


def test_gains_stay_bounded_where_a_person_hardly_moves():
    gains = Amplitudes(0, 1, 1, 1).gains(Amplitudes(1, 100, 1, 0.001))
    assert (gains.mouth, gains.eyes, gains.rotation, gains.translation) == (4, 4, 1, 0.25)
