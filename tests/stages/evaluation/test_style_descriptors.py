"""Style descriptors of motions whose amplitude, speed and events are known."""

import numpy as np
import pytest

from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.style_descriptors import describe_style, mean_descriptors
from tests.stages.evaluation.tracks import LOWER_LIP, moving, opened, shifted

SECONDS, FPS = 8, 50.0
TIME = np.arange(int(SECONDS * FPS)) / FPS
STILL = shifted(np.zeros(len(TIME)))


def wave(amplitude, hertz=1.0):
    return amplitude * np.sin(2 * np.pi * hertz * TIME)


def described(moved, **track):
    return mean_descriptors(describe_style(moving(moved, FPS, **track), MEAN_FACE))


def test_a_span_is_divided_into_pieces_of_about_four_seconds():
    assert describe_style(moving(STILL, FPS), MEAN_FACE).shape == (2, 10)
    three = moving(STILL, FPS, spans=[150, 210, 40])  # 3 s, 4.2 s, 0.8 s
    assert len(describe_style(three, MEAN_FACE)) == 2
    assert len(describe_style(moving(STILL, FPS, invalid=range(151, 400)), MEAN_FACE)) == 1


def test_opening_is_the_standard_deviation_of_the_gap_between_the_lips():
    assert described(opened(0.05 + wave(0.04)))["opening"] == pytest.approx(4 / np.sqrt(2), 0.03)


def test_half_the_amplitude_halves_every_amplitude_and_speed_of_the_mouth():
    moved = opened(0.05 + wave(0.04))
    moved[:, [48, 60], 0] += wave(0.02, 2.0)[:, None]
    moved[:, 50:53, 1:] -= wave(0.01, 3.0)[:, None, None]
    whole, half = described(moved), described(moved / 2)
    for name in ("opening", "width", "press", "protrusion", "speed"):
        assert whole[name] > 0.1
        assert half[name] == pytest.approx(whole[name] / 2, rel=0.1), name


def test_closures_are_counted_once_for_every_time_that_parted_lips_close():
    jitter = 0.004 * (-1.0) ** np.arange(len(TIME))
    found = described(opened(np.maximum(0.04 + wave(0.05), 0) + 0.01 + jitter))
    assert found["closures"] == pytest.approx(1.0)
    assert described(opened(0.05 + wave(0.02)))["closures"] == 0


def test_the_head_turns_by_its_amplitude_and_at_its_speed():
    pose = np.zeros((len(TIME), 6))
    pose[:, 1], pose[:, 3] = 0.3 + np.radians(wave(5.0)), 9.0
    found = described(STILL, pose=pose)
    assert found["head"] == pytest.approx(5 / np.sqrt(2), 0.01)
    assert found["head_speed"] == pytest.approx(2 * np.pi * 5 / np.sqrt(2), 0.02)


def test_raised_brows_count_by_their_amplitude():
    moved = STILL.copy()
    moved[:, 17:27, 1] = wave(0.03)[:, None]
    assert described(moved)["brows"] == pytest.approx(3 / np.sqrt(2), 0.01)


def test_blinks_are_counted_and_long_closures_are_not():
    eyes = np.full(len(TIME), 0.3)
    for start in (40, 130, 220):
        eyes[start : start + 8] = 0.05
    eyes[300:340] = 0.05  # a glance down
    assert described(STILL, eyes=eyes)["blinks"] == pytest.approx(3 / SECONDS)


def test_the_shape_of_the_face_changes_no_descriptor():
    moved, other = opened(np.maximum(0.04 + wave(0.05), 0)), MEAN_FACE.copy()
    other[48:68] += [0.0, 0.03, -0.02]
    other[LOWER_LIP, 1] += 0.02
    found = mean_descriptors(describe_style(moving(moved, FPS, face=other), other))
    assert found == pytest.approx(described(moved), rel=0.02)


def test_speeds_do_not_cross_clips():
    jump = shifted(np.zeros(len(TIME)))
    jump[200:, LOWER_LIP, 1] = 0.2
    assert described(jump, spans=[200, 200])["speed"] == pytest.approx(0, abs=1e-9)
    assert described(jump)["speed"] > 1
