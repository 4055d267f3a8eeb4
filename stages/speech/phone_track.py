"""Phones as a function of time: the share of each phone in an audio frame. Ours.

The APC network is trained on the user's videos, often a few minutes; the phone recogniser on many
hours of many people. `bench/mouth_from_voice.py` measures the gain.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from stages.base.io.timebase import AUDIO_RATE
from stages.speech.mel import WINDOW

PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH",
    "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
_INDEX = {name: i for i, name in enumerate(PHONES)}
_SPREAD_S = 0.03  # standard deviation of the Gaussian that blurs the edges of phones


class PhoneTrack:
    """The phones of one sound, to be sampled at audio frames.

    Args:
        names: ARPAbet names in order of time; other names, such as silence, are ignored.
        starts: of each, s.
        ends: of each, s.
    """

    def __init__(
        self, names: Sequence[str], starts: Sequence[float], ends: Sequence[float]
    ) -> None:
        kept = [i for i, name in enumerate(names) if name in _INDEX]
        self.index = np.array([_INDEX[names[i]] for i in kept], np.int64)
        self.starts = np.array([starts[i] for i in kept], np.float64)
        self.ends = np.array([ends[i] for i in kept], np.float64)

    def at(self, first: int, end: int, fps: float) -> NDArray[np.float32]:
        """Return the share of each phone in audio frames, (end − first, 39), 0 to 1.

        Args:
            first: first audio frame, two per video frame.
            end: end (exclusive).
            fps: video frames per second.
        """
        times = np.arange(first, end) / (2 * fps) + WINDOW / AUDIO_RATE / 2
        out = np.zeros((end - first, len(PHONES)))
        if not len(times):
            return out.astype(np.float32)
        reach = 5 * _SPREAD_S
        near = (self.ends > times[0] - reach) & (self.starts < times[-1] + reach)
        for i in np.flatnonzero(near):
            after = ndtr((times - self.starts[i]) / _SPREAD_S)
            out[:, self.index[i]] += after - ndtr((times - self.ends[i]) / _SPREAD_S)
        return out.astype(np.float32)
