"""Speech found as silero-vad's own code finds it."""

import numpy as np
import pytest
from scipy.io import wavfile

from stages.evaluation.voice_activity import find_speech, speaking_frames, speech_segments

WINDOW = 512


def probabilities(*runs):
    """Runs of (windows, probability)."""
    return np.repeat([p for _, p in runs], [n for n, _ in runs])


def test_speech_is_extended_by_30_ms_at_both_ends():
    found = speech_segments(probabilities((10, 0), (20, 0.9), (10, 0)), 40 * WINDOW)
    assert found == [(10 * WINDOW - 480, 30 * WINDOW + 480)]


def test_speech_goes_on_below_half_until_it_is_quiet():
    found = speech_segments(probabilities((5, 0.49), (10, 0.5), (20, 0.36), (9, 0.2)), 44 * WINDOW)
    assert found == [(5 * WINDOW - 480, 35 * WINDOW + 480)]


@pytest.mark.parametrize(("quiet", "segments"), [(3, 1), (4, 1), (5, 2)])
def test_a_pause_ends_speech_from_the_first_window_after_a_tenth_of_a_second(quiet, segments):
    # Windows start every 32 ms: the fifth starts 128 ms after the first.
    found = speech_segments(probabilities((20, 0.9), (quiet, 0), (20, 0.9)), 50 * WINDOW)
    assert len(found) == segments


def test_a_pause_between_thresholds_neither_ends_speech_nor_starts_the_pause_anew():
    mixed = probabilities((20, 0.9), (1, 0.3), (4, 0.4), (1, 0.3), (20, 0.9))
    assert speech_segments(mixed, 46 * WINDOW)[0][1] == 20 * WINDOW + 480
    loud = probabilities((20, 0.9), (1, 0.3), (1, 0.5), (3, 0.3), (20, 0.9))
    assert len(speech_segments(loud, 45 * WINDOW)) == 1


@pytest.mark.parametrize(("windows", "segments"), [(7, 0), (8, 1)])
def test_speech_of_a_quarter_of_a_second_or_less_does_not_count(windows, segments):
    runs = probabilities((10, 0), (windows, 0.9), (10, 0))
    assert len(speech_segments(runs, len(runs) * WINDOW)) == segments


def test_speech_reaches_no_further_than_the_sound_and_a_short_gap_is_shared():
    # Kept apart by 5 quiet windows of 32 ms: 2560 samples, longer than two margins.
    apart = speech_segments(probabilities((10, 0.9), (5, 0), (10, 0.9)), 25 * WINDOW - 100)
    assert apart == [(0, 10 * WINDOW + 480), (15 * WINDOW - 480, 25 * WINDOW - 100)]


def test_silence_and_no_sound_have_no_speech():
    assert find_speech(np.zeros(16000)) == []
    assert find_speech(np.zeros(0)) == []


def test_a_real_speaker_is_found_where_silero_vad_finds_him(shared_data):
    _, samples = wavfile.read(shared_data / "audio" / "speech.wav")
    # get_speech_timestamps(samples, load_silero_vad(), return_seconds=True), silero-vad 5.1.2.
    assert find_speech(samples) == [(0.0, 1.2), (1.4, 9.4), (9.6, 11.5)]
    speaking = speaking_frames(samples, 300, 25.0)
    # int(1.2 · 25) = 30 and int(1.4 · 25) = 35; the sound ends in frame int(11.5 · 25) = 287.
    assert np.flatnonzero(~speaking).tolist() == [
        *range(31, 35),
        *range(236, 240),
        *range(288, 300),
    ]
