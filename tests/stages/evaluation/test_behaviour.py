"""Blinks, head pose and gaze of tracks with known curves."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stages.evaluation.behaviour import angular_speed, measure_behaviour, score_behaviour
from stages.motion.eyes import blink_shape
from tests.stages.evaluation.known_curves import FPS, speech, track

COUNT = 1500  # one minute
TIME = np.arange(COUNT) / FPS


def blinking(depth, starts=range(100, 1500, 100), duration=0.4):
    closed = np.zeros(COUNT)
    for start in starts:
        phase = (TIME - start / FPS) / duration
        closed += depth * blink_shape(phase, 0.4)
    return 0.3 * (1 - closed)


def nodding(amplitude, hertz=0.5, axis=0):
    pose = np.zeros((COUNT, 3))
    pose[:, axis] = np.radians(amplitude) * np.sin(2 * np.pi * hertz * TIME)
    return pose


def test_fourteen_blinks_in_a_minute_are_counted_with_their_depth_and_duration():
    measured = measure_behaviour(track(eyes=blinking(0.8)), speech(COUNT))
    assert measured.blink_rate == pytest.approx(14)
    assert measured.blink_depth == pytest.approx(0.8, abs=0.02)
    assert measured.blink_duration == pytest.approx(0.4, abs=0.04)


def test_half_closed_blinks_are_half_as_deep_as_the_truths():
    true, half = track(eyes=blinking(1.0)), track(eyes=blinking(0.5))
    scores = score_behaviour(true, speech(COUNT), half)
    assert scores.blink_depth == pytest.approx(0.5, abs=0.02)
    assert scores.blink_rate == pytest.approx(1)


def test_eyes_that_never_blink_have_a_rate_of_zero_and_no_depth():
    scores = score_behaviour(track(eyes=blinking(0.9)), speech(COUNT), track(count=COUNT))
    assert scores.blink_rate == 0
    assert np.isnan(scores.blink_depth)


@pytest.mark.parametrize(("axis", "name"), [(0, "pitch"), (1, "yaw"), (2, "roll")])
def test_a_sine_of_six_degrees_has_the_amplitude_and_speed_of_that_axis(axis, name):
    measured = measure_behaviour(track(pose=nodding(6.0, axis=axis)), speech(COUNT))
    for each in ("pitch", "yaw", "roll"):
        expected = 6 / np.sqrt(2) if each == name else 0
        assert getattr(measured, f"{each}_std") == pytest.approx(expected, abs=0.01)
    # Mean of |cos|: 2 / π; times the peak speed.
    assert measured.head_speed == pytest.approx(6 * 2 * np.pi * 0.5 * 2 / np.pi, rel=0.01)


def test_amplitudes_are_about_each_spans_own_mean_and_no_speed_crosses_spans():
    span = np.repeat([0, 1], COUNT // 2)
    jump = np.where(span[:, None] == 1, np.radians([20.0, 0, 0]), 0.0)
    measured = measure_behaviour(track(pose=jump, gaze=jump[:, :2], span=span), speech(COUNT))
    assert (measured.pitch_std, measured.head_speed) == pytest.approx((0, 0))
    assert (measured.gaze_std, measured.gaze_speed) == pytest.approx((0, 0))


def test_the_angular_speed_is_that_of_the_rotation_and_not_of_its_vector():
    turn, tilt = Rotation.from_rotvec([0, 1.0, 0]), Rotation.from_rotvec([0.2, 0, 0])
    pose = np.array([turn.as_rotvec(), (tilt * turn).as_rotvec()])
    speed = angular_speed(track(pose=pose))
    assert np.isnan(speed[0])
    assert speed[1] == pytest.approx(np.degrees(0.2) * FPS)


def test_there_is_no_angular_speed_after_a_frame_without_a_face():
    speed = angular_speed(track([0.02, 0.02, np.nan, 0.02, 0.02], pose=nodding(6.0)[:5]))
    np.testing.assert_array_equal(np.isnan(speed), [True, False, True, True, False])


def test_gaze_that_jumps_every_second_moves_one_jump_a_second_despite_single_frame_jitter():
    gaze = np.zeros((COUNT, 2))
    gaze[:, 0] = np.where((TIME % 2) < 1, 0.1, -0.1)
    gaze[12::25, 1] += 0.05  # one frame a second
    measured = measure_behaviour(track(gaze=gaze), speech(COUNT))
    assert measured.gaze_std == pytest.approx(0.1, abs=0.001)
    assert measured.gaze_speed == pytest.approx(0.2, rel=0.02)


def test_a_head_that_moves_as_fast_as_the_voice_is_loud_follows_it_and_one_that_does_not_does_not():
    level = -30 + 8 * np.sin(TIME)
    loud, quiet = np.zeros((COUNT, 3)), np.zeros((COUNT, 3))
    loud[:, 1] = np.cumsum(np.radians(np.sin(TIME) + 1.2) / FPS)
    quiet[:, 1] = np.cumsum(np.radians(1.2 - np.sin(TIME)) / FPS)
    said = speech(COUNT, level)
    assert measure_behaviour(track(pose=loud), said).head_follows_voice > 0.99
    assert measure_behaviour(track(pose=quiet), said).head_follows_voice == 0
    shuffled = np.random.default_rng(0).permutation(loud[1:, 1] - loud[:-1, 1]).cumsum()
    noise = np.zeros((COUNT, 3))
    noise[1:, 1] = shuffled
    assert measure_behaviour(track(pose=noise), said).head_follows_voice < 0.1


def test_half_the_motion_is_half_the_truths_and_the_truth_against_itself_is_one():
    rng = np.random.default_rng(0)
    pose, gaze = rng.normal(0, 0.05, (2, COUNT, 3)).cumsum(axis=1) / 10
    true = track(eyes=blinking(0.8), pose=pose, gaze=gaze[:, :2])
    half = track(eyes=blinking(0.8), pose=pose / 2, gaze=gaze[:, :2] / 2)
    said = speech(COUNT, -30 + np.nan_to_num(angular_speed(true)))
    assert astuple(score_behaviour(true, said, true)) == pytest.approx((1,) * 9)
    scores = score_behaviour(true, said, half)
    assert (scores.pitch_std, scores.roll_std) == pytest.approx((0.5, 0.5))
    assert scores.head_speed == pytest.approx(0.5, rel=0.01)
    assert (scores.gaze_std, scores.gaze_speed) == pytest.approx((0.5, 0.5))


def test_frames_without_a_face_count_in_no_measure():
    opening = np.full(COUNT, 0.02)
    opening[400:700] = np.nan
    hidden = track(opening, eyes=blinking(0.8), pose=nodding(6.0, hertz=25 / 60))
    measured = measure_behaviour(hidden, speech(COUNT))
    # Three of the fourteen blinks, at frames 400, 500 and 600, are in the 12 s without a face.
    assert measured.blink_rate == pytest.approx(60 / 48 * 11)
    assert measured.pitch_std == pytest.approx(6 / np.sqrt(2), abs=0.05)
    never = track(np.full(COUNT, np.nan))
    assert np.isnan(astuple(measure_behaviour(never, speech(COUNT)))).all()


def test_a_track_without_frames_has_no_behaviour():
    assert np.isnan(astuple(measure_behaviour(track(count=0), speech(0)))).all()
