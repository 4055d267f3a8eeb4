"""Silence in the sound, where the mouth has to close whatever the network says. Ours."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.base.face.arrays import Floats
from stages.base.io.wav_files import AUDIO_RATE, read_wav

_BELOW = 35.0  # quiet is so far below the loud moments of the sound, dB
_SHORTEST = 0.25  # shorter pauses are the network's, s
_LOUD = 95.0  # percentile of the level that counts as loud
_HARDLY = -60.0  # below this level all is quiet, dB below full scale


def levels(path: Path, fps: float, first: int, end: int) -> Floats:
    """Measure the level of the sound under frames first to end (exclusive), (N,), dB full scale.

    The file is 16 kHz mono WAV, read a minute at a time; beyond its end is silence.
    """
    edges = np.round(np.arange(first, end + 1) * AUDIO_RATE / fps).astype(int)
    minute = round(60 * fps)
    parts = [np.zeros(0)]
    for at in range(0, end - first, minute):
        cuts = edges[at : at + minute + 1]
        samples, _ = read_wav(path, int(cuts[0]), int(cuts[-1]))
        squares = np.zeros(cuts[-1] - cuts[0])
        squares[: len(samples)] = samples.astype(float) ** 2
        sums = np.add.reduceat(squares, cuts[:-1] - cuts[0])
        parts.append(10 * np.log10(sums / np.diff(cuts) + 1e-12))
    return np.concatenate(parts)


def quiet_frames(level: Floats, fps: float) -> NDArray[np.bool_]:
    """Tell which frames, (N,), lie in a silence of a quarter of a second or more."""
    from scipy.ndimage import binary_opening

    if not len(level):
        return np.zeros(0, bool)
    loud = float(np.percentile(level, _LOUD))
    low = level < max(loud - _BELOW, _HARDLY)
    # An opening keeps runs at least as long as its structure; at the ends, silence goes on.
    length = max(1, round(_SHORTEST * fps))
    padded = np.pad(low, length, mode="edge")
    kept: NDArray[np.bool_] = binary_opening(padded, np.ones(length))[length:-length]
    return kept
