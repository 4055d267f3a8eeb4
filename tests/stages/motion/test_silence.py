"""Silence in sound: levels by the frame, and which pauses are long enough."""

import numpy as np

from stages.base.io.wav_files import write_wav
from stages.motion.silence import levels, quiet_frames


def test_levels_are_those_of_the_frames_asked_for(tmp_path):
    sound = np.concatenate([np.full(8000, 0.5), np.full(8000, 0.05)])
    write_wav(tmp_path / "a.wav", sound)
    level = levels(tmp_path / "a.wav", 25.0, 0, 25)
    assert np.allclose(level[:12], 20 * np.log10(0.5), atol=0.01)
    assert np.allclose(level[13:], 20 * np.log10(0.05), atol=0.01)
    assert np.array_equal(levels(tmp_path / "a.wav", 25.0, 10, 20), level[10:20])


def test_beyond_the_end_of_a_sound_is_silence(tmp_path):
    write_wav(tmp_path / "a.wav", np.full(1600, 0.5))
    assert (levels(tmp_path / "a.wav", 25.0, 0, 5)[3:] < -100).all()


def test_only_long_and_deep_pauses_are_silence():
    level = np.full(100, -20.0)
    level[10:14] = -80.0  # 160 ms
    level[40:60] = -80.0
    level[70:90] = -45.0  # soft, not silent
    quiet = quiet_frames(level, 25.0)
    assert np.flatnonzero(quiet).tolist() == list(range(40, 60))


def test_a_silence_may_begin_before_and_end_after_the_sound():
    level = np.array([-90.0, *[-20.0] * 20, -90.0])
    assert np.flatnonzero(quiet_frames(level, 25.0)).tolist() == [0, 21]


def test_a_silent_sound_is_quiet_throughout():
    assert quiet_frames(np.full(30, -120.0), 25.0).all()
    assert not len(quiet_frames(np.zeros(0), 25.0))
