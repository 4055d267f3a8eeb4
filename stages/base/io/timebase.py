"""Convert seconds, frames and samples into each other.

Frame i is shown from i / fps to (i + 1) / fps seconds; sample k belongs to k / rate seconds.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

AUDIO_RATE = 16000  # samples a second of all sound that is analysed


def to_frames(seconds: float, fps: float, least: int = 0) -> int:
    """Return how many frames last `seconds`, rounded, at least `least`."""
    return max(least, round(seconds * fps))


def frames_of_samples(samples: int, fps: float, rate: int = AUDIO_RATE) -> int:
    """Return how many frames it takes to cover the samples."""
    return ceil(samples * fps / rate - 1e-6)


def frame_starts(first: int, last: int, fps: float) -> NDArray[np.int64]:
    """Return the sample, of AUDIO_RATE, at which each of the frames [first, last) starts."""
    return np.round(np.arange(first, last) * AUDIO_RATE / fps).astype(np.int64)
