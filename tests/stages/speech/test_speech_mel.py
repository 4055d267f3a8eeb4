"""The mel spectrogram against hand-computed sounds and against librosa."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.io.timebase import AUDIO_RATE
from stages.speech import mel


def tone(hertz: float, seconds: float, amplitude: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * AUDIO_RATE)) / AUDIO_RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_at_60_fps_frames_start_at_rounded_multiples_of_133_and_a_third_samples():
    assert mel.starts(0, 7, 60.0).tolist() == [0, 133, 267, 400, 533, 667, 800]


def test_at_25_fps_frames_start_every_320_samples():
    assert mel.starts(3, 6, 25.0).tolist() == [960, 1280, 1600]


def test_the_window_is_25_ms():
    assert mel.WINDOW == 400


@settings(max_examples=20, deadline=None)
@given(
    frames=st.integers(1, 60),
    fps=st.sampled_from([12.5, 23.976, 25.0, 29.97, 30.0, 50.0, 60.0]),
    samples=st.integers(0, 40000),
)
def test_every_clip_has_exactly_two_rows_a_video_frame(frames, fps, samples):
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    found, energy = mel.log_mel(sound, fps, frames)
    assert found.shape == (2 * frames, 80)
    assert energy.shape == (2 * frames,)
    assert found.min() >= 0
    assert found.max() <= 1


def test_silence_is_zero_in_every_band_and_100_db_down():
    found, energy = mel.log_mel(np.zeros(16000, np.float32), 25.0, 25)
    assert not found.any()
    assert (energy == mel.SILENCE_DB).all()


def test_a_full_scale_sine_has_an_energy_of_minus_3_db():
    _, energy = mel.log_mel(tone(1000, 1.0), 25.0, 25)
    assert energy[10] == pytest.approx(20 * np.log10(np.sqrt(0.5)), abs=0.02)


def test_a_sine_peaks_in_the_band_whose_filter_holds_it():
    from librosa import mel_frequencies

    centres = mel_frequencies(n_mels=82, fmin=90, fmax=7600)[1:-1]
    for hertz in (300.0, 1000.0, 4000.0):
        found, _ = mel.log_mel(tone(hertz, 1.0), 25.0, 25)
        assert abs(centres[found[10].argmax()] - hertz) < 0.06 * hertz


def test_a_sine_on_a_bin_has_the_magnitude_computed_by_hand():
    # 1000 Hz is bin 32. Half the Hann window's sum, 100, is the peak; its two neighbours, 31.25 Hz
    # away, hold |sum w exp(2 pi i n / 512)| / 2 each, and so on through the filters.
    found, _ = mel.log_mel(tone(1000, 1.0), 25.0, 25)
    n = np.arange(400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    sound = np.sin(2 * np.pi * 1000 * (n + 3200) / 16000)
    magnitude = np.array(
        [abs((hann * sound * np.exp(-2j * np.pi * k * n / 512)).sum()) for k in range(257)]
    )
    assert magnitude[32] == pytest.approx(100, rel=1e-3)
    x = (mel._filters() @ magnitude).clip(1e-5)
    by_hand = (np.log(x) - np.log(1e-5)) / (np.log(10) - np.log(1e-5))
    assert found[10] == pytest.approx(by_hand, abs=1e-4)
    assert by_hand.max() < 1


def test_at_a_whole_hop_the_result_is_librosas():
    import librosa

    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    found, _ = mel.log_mel(sound, 25.0, 20)
    # librosa centres a 400-sample window in 512: 56 samples in front put the frames where ours are
    spectrum = librosa.stft(
        np.pad(sound.astype(np.float64), (56, 0)),
        n_fft=512, hop_length=320, win_length=400, window="hann", center=False,
    )  # fmt: skip
    basis = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, fmin=90, fmax=7600)
    theirs = (np.log((basis @ np.abs(spectrum)).clip(1e-5)) - np.log(1e-5)) / np.log(1e6)
    assert found[:40] == pytest.approx(theirs.T[:40], abs=2e-5)


def test_twenty_decibels_are_a_sixth_of_the_range():
    loud, _ = mel.log_mel(tone(1000, 0.4, 0.5), 25.0, 10)
    quiet, _ = mel.log_mel(tone(1000, 0.4, 0.05), 25.0, 10)
    assert (loud - quiet)[5].max() == pytest.approx(20 / mel.DECIBELS, abs=1e-3)
    assert pytest.approx(120) == mel.DECIBELS


def test_blocks_give_the_same_as_the_whole(monkeypatch):
    sound = np.random.default_rng(1).normal(0, 0.1, 50000).astype(np.float32)
    whole = mel.log_mel(sound, 29.97, 90)
    monkeypatch.setattr(mel, "_BLOCK", 37)
    pieces = mel.log_mel(sound, 29.97, 90)
    assert (whole[0] == pieces[0]).all()
    assert (whole[1] == pieces[1]).all()
