"""Log-mel spectrogram at two frames a video frame (section "Data" of docs/method.md).

Frame i starts at sample round(i · 16000 / (2 · fps)). No library's STFT has a fractional hop:
frames are cut here, with scipy's window and librosa's filter bank. At a whole hop the result is
that of `librosa.stft(center=False)`, see the tests.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats32
from stages.base.io.timebase import AUDIO_RATE

Read = Callable[[int, int], Floats32]  # samples from, to (exclusive)

BANDS, LOWEST, HIGHEST = 80, 90.0, 7600.0  # bands, Hz, Hz (L)
WINDOW = round(AUDIO_RATE * max(1 / 60, 0.025))  # samples: no sound is skipped at 25 fps (D)
FFT = 512
FLOOR, TOP = 1e-5, 10.0  # mel magnitudes that map to 0 and 1; a full-scale sine is below TOP
SILENCE_DB = -100.0
DECIBELS = 20 * float(np.log10(TOP / FLOOR))  # range of a mel's values 0 to 1: 120 dB
_BLOCK = 2048  # frames computed together


def starts(first: int, last: int, fps: float) -> NDArray[np.int64]:
    """Return the first sample of the audio frames `first` to `last` (exclusive)."""
    return np.asarray(np.rint(np.arange(first, last) * (AUDIO_RATE / (2 * fps))), np.int64)


def log_mel(samples: NDArray[np.float32], fps: float, frames: int) -> tuple[Floats32, Floats32]:
    """Compute mel and energy of a sound.

    Args:
        samples: mono, 16 kHz, (S,) within -1 to 1; padded with silence at the end.
        fps: video frames per second.
        frames: video frames N.

    Returns:
        Mel (2N, 80), 0 to 1, and energy (2N,), the RMS of the window in dB of full scale.

    The mel is (ln max(x, 1e-5) - ln 1e-5) / (ln 10 - ln 1e-5), clipped to 1, where x is the
    magnitude of the Hann-windowed STFT through Slaney's mel filters: 120 dB make the range,
    1/6 is a factor of ten, and a gain of g dB adds g / 120.
    """

    def read(first: int, last: int) -> Floats32:
        return np.asarray(samples[first:last], np.float32)

    blocks = list(in_blocks(read, fps, frames))
    return np.concatenate([m for m, _ in blocks]), np.concatenate([e for _, e in blocks])


def in_blocks(read: Read, fps: float, frames: int) -> Iterator[tuple[Floats32, Floats32]]:
    """Yield the mel and energy of `log_mel` in blocks: memory does not grow with the sound.

    Args:
        read: returns the samples `first` to `last` (exclusive), fewer at the end of the sound.
        fps: video frames per second.
        frames: video frames.
    """
    total = 2 * frames
    for first in range(0, total, _BLOCK):
        yield _frames_of(read, starts(first, min(first + _BLOCK, total), fps))


def _frames_of(read: Read, begin: NDArray[np.int64]) -> tuple[Floats32, Floats32]:
    first, last = int(begin[0]), int(begin[-1]) + WINDOW
    sound = np.zeros(last - first, np.float64)
    samples = read(first, last)
    sound[: len(samples)] = samples
    windows = sound[(begin - first)[:, None] + np.arange(WINDOW)]  # (frames, WINDOW)
    magnitude = np.abs(np.fft.rfft(windows * _hann(), FFT))
    mel = magnitude @ _filters().T
    scaled = np.log(np.maximum(mel, FLOOR) / FLOOR) / np.log(TOP / FLOOR)
    rms = np.sqrt(np.mean(windows**2, axis=1))
    energy = 20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DB / 20)))
    return np.minimum(scaled, 1.0).astype(np.float32), energy.astype(np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    from scipy.signal import get_window

    return np.asarray(get_window("hann", WINDOW), np.float64)


@cache
def _filters() -> NDArray[np.float64]:
    """Return Slaney's mel filter bank, (80, 257)."""
    from librosa.filters import mel  # imports numba: seconds, which other users of RATE save

    bank = mel(sr=AUDIO_RATE, n_fft=FFT, n_mels=BANDS, fmin=LOWEST, fmax=HIGHEST, dtype=np.float64)
    return np.asarray(bank)
