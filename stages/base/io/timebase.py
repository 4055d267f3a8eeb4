"""Convert seconds, frames and samples into each other.

Frame i is shown from i / fps to (i + 1) / fps seconds; sample k is at k / rate seconds.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

AUDIO_RATE = 16000  # samples per second of all sound that is analysed


def to_frames(seconds: float, fps: float, least: int = 0) -> int:
    """Return the number of frames in `seconds`, rounded, at least `least`."""
    return max(least, round(seconds * fps))


def frames_of_samples(samples: int, fps: float) -> int:
    """Return the number of frames that cover the samples."""
    return ceil(samples * fps / AUDIO_RATE - 1e-6)


def frame_starts(first: int, last: int, fps: float) -> NDArray[np.int64]:
    """Return the first sample, at AUDIO_RATE, of each frame in [first, last), (last - first,)."""
    return np.round(np.arange(first, last) * AUDIO_RATE / fps).astype(np.int64)
