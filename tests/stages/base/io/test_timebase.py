"""Seconds, frames and samples."""

import pytest

from stages.base.io.timebase import AUDIO_RATE, frame_starts, frames_of_samples, to_frames


def test_seconds_are_rounded_to_frames_with_a_minimum() -> None:
    assert to_frames(1.0, 29.97) == 30
    assert to_frames(0.01, 25) == 0
    assert to_frames(0.01, 25, least=1) == 1


@pytest.mark.parametrize("fps", [25, 29.97, 30])
def test_the_frames_of_samples_cover_them(fps: float) -> None:
    for frames in (1, 7, 100):
        start = int(frame_starts(frames, frames + 1, fps)[0])
        assert frames_of_samples(start - 1, fps) == frames
        assert frames_of_samples(start + 2, fps) == frames + 1


def test_a_second_of_frames_starts_at_a_second_of_samples() -> None:
    assert frame_starts(0, 26, 25)[[0, 1, 25]].tolist() == [0, 640, AUDIO_RATE]
