"""Log-mel spectrogram at two frames a video frame (section "Data" of docs/method.md).

Frame i starts at sample round(i · 16000 / (2 · fps)), a fractional hop that no library offers;
at a whole hop the result is librosa's (`stft(center=False)`, `filters.mel`), see the tests.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stages.base.io.timebase import AUDIO_RATE

Floats = NDArray[np.float32]
Read = Callable[[int, int], Floats]  # samples from, to (exclusive)

BANDS, LOWEST, HIGHEST = 80, 90.0, 7600.0  # bands, Hz, Hz (L)
WINDOW = round(AUDIO_RATE * max(1 / 60, 0.025))  # samples: no sound is skipped at 25 fps (D)
FFT = 512
FLOOR, TOP = 1e-5, 10.0  # mel magnitudes that become 0 and 1; a full-scale sine stays below TOP
SILENCE_DB = -100.0
DECIBELS = 20 * float(np.log10(TOP / FLOOR))  # what the range 0 to 1 of a mel spans: 120 dB
_BLOCK = 2048  # frames computed at once


def starts(first: int, last: int, fps: float) -> NDArray[np.int64]:
    """Return the first sample of the audio frames `first` to `last` (exclusive)."""
    return np.asarray(np.rint(np.arange(first, last) * (AUDIO_RATE / (2 * fps))), np.int64)


def log_mel(samples: NDArray[np.float32], fps: float, frames: int) -> tuple[Floats, Floats]:
    """Compute mel and energy of a sound.

    Args:
        samples: mono, 16 kHz, (S,) within -1 to 1; what it lacks at the end is silence.
        fps: video frames a second.
        frames: video frames N.

    Returns:
        Mel (2N, 80), 0 to 1, and energy (2N,), the RMS of the window in dB of full scale.

    The mel is (ln max(x, 1e-5) - ln 1e-5) / (ln 10 - ln 1e-5), clipped to 1, where x is the
    magnitude of the Hann-windowed STFT through Slaney's mel filters: 120 dB make the range,
    1/6 is a factor of ten, and a gain of g dB adds g / 120.
    """

    def read(first: int, last: int) -> Floats:
        return np.asarray(samples[first:last], np.float32)

    blocks = list(in_blocks(read, fps, frames))
    return np.concatenate([m for m, _ in blocks]), np.concatenate([e for _, e in blocks])


def in_blocks(read: Read, fps: float, frames: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield what `log_mel` returns in pieces, so that memory does not grow with the sound.

    Args:
        read: gives the samples `first` to `last` (exclusive), fewer at the end of the sound.
        fps: video frames a second.
        frames: video frames.
    """
    total = 2 * frames
    for first in range(0, max(total, 1), _BLOCK):
        begin = starts(first, min(first + _BLOCK, total), fps)
        yield _frames_of(read, begin) if len(begin) else _nothing()


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros((0, BANDS), np.float32), np.zeros(0, np.float32)


def _frames_of(read: Read, begin: NDArray[np.int64]) -> tuple[Floats, Floats]:
    first, last = int(begin[0]), int(begin[-1]) + WINDOW
    sound = np.zeros(last - first, np.float64)
    found = read(first, last)
    sound[: len(found)] = found
    windows = sound[(begin - first)[:, None] + np.arange(WINDOW)]  # (frames, WINDOW)
    magnitude = np.abs(np.fft.rfft(windows * _hann(), FFT))
    mel = magnitude @ _filters().T
    scaled = np.log(np.maximum(mel, FLOOR) / FLOOR) / np.log(TOP / FLOOR)
    rms = np.sqrt(np.mean(windows**2, axis=1))
    energy = 20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DB / 20)))
    return np.minimum(scaled, 1.0).astype(np.float32), energy.astype(np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


@cache
def _filters() -> NDArray[np.float64]:
    """Build Slaney's triangles, (80, 257), of unit area over frequency.

    They are librosa.filters.mel's (see the tests), whose import takes seconds in every worker.
    """
    edges = _hertz(np.linspace(_slaney(LOWEST), _slaney(HIGHEST), BANDS + 2))
    bins = np.fft.rfftfreq(FFT, 1 / AUDIO_RATE)
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(up, down))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


_LINEAR, _LOG_FROM = 200.0 / 3, 1000.0  # Hz a mel below, Hz from which the scale is logarithmic
_LOG_STEP = float(np.log(6.4)) / 27.0


def _slaney(hertz: float) -> float:
    """Return the mel of a frequency on Slaney's scale."""
    if hertz < _LOG_FROM:
        return hertz / _LINEAR
    return _LOG_FROM / _LINEAR + float(np.log(hertz / _LOG_FROM)) / _LOG_STEP


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _LOG_FROM * np.exp(_LOG_STEP * (mel - _LOG_FROM / _LINEAR))
    return np.where(mel < _LOG_FROM / _LINEAR, mel * _LINEAR, above)
