"""How late the audio is: found where it is known."""

import numpy as np
import pytest

from stages.speech import sync


def talk(late: float, seconds: float = 20.0, fps: float = 25.0, noise: float = 0.3):
    """Make a mel whose level follows a random mouth, `late` after a natural lead."""
    rng = np.random.default_rng(3)
    fine = np.convolve(rng.normal(size=round(seconds * 1000) + 2000), np.hanning(160), "same")
    fine /= fine.std()
    mouth = fine[1000 + np.round(np.arange(round(seconds * fps)) * 1000 / fps).astype(int)]
    at = np.arange(2 * len(mouth)) * 500 / fps - 1000 * (late + sync.LEAD) + 12.5
    level = fine[1000 + np.round(at).astype(int)]
    mel = 0.4 + 0.05 * level[:, None] + 0.05 * noise * rng.normal(size=(len(level), 80))
    return mel.astype(np.float32), 0.05 + 0.01 * mouth


@pytest.mark.parametrize("late", [-0.2, -0.1, -0.03, 0.0, 0.05, 0.18])
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_a_known_offset_is_found(late, fps):
    found = sync.measure(*talk(late, fps=fps), fps)
    assert found.offset == pytest.approx(late, abs=0.012)
    assert found.correlation > 0.9


def test_frames_without_a_face_do_not_count():
    mel, opening = talk(0.1)
    opening[50:200] = np.nan
    assert sync.measure(mel, opening, 25.0).offset == pytest.approx(0.1, abs=0.012)


def test_sound_that_is_not_the_faces_is_told_by_its_correlation():
    mel, _ = talk(0.0)
    other = np.random.default_rng(9).normal(size=len(mel) // 2)
    assert not sync.measure(mel, other, 25.0).correlation > 0.2


@pytest.mark.parametrize("frames", [0, 5, 30])
def test_too_few_frames_tell_nothing(frames):
    found = sync.measure(np.zeros((2 * frames, 80), np.float32), np.zeros(frames), 25.0)
    assert np.isnan(found.offset)


def test_a_mouth_that_never_moves_tells_nothing():
    mel, opening = talk(0.0)
    assert np.isnan(sync.measure(mel, np.zeros_like(opening), 25.0).offset)


def test_of_a_long_clip_two_minutes_in_its_middle_are_looked_at():
    assert sync.stretch(10000, 25.0) == (3500, 6500)
    assert sync.stretch(500, 25.0) == (0, 500)
