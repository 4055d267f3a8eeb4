"""How far a person's motion follows the loudness of the voice. Ours.

A head that talks nods more where the voice is loud, and eyes blink in pauses. The exponent of each
person is the lower bound of a regression on the training spans: 0 where they prove nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.base.arrays import Floats
from stages.motion.lower_bound import lower_gain, sum_pieces

SMOOTH_S = 0.2  # standard deviation of the filter of loudness and speed, s
NOD_S = 0.4  # of the filter that parts nods from slow motion, s
_PIECE_S = 2.0  # pieces of a span that are taken as independent
_STILL = 0.05  # of the median speed; slower is as slow


@dataclass(frozen=True)
class Emphasis:
    """A factor on motion: exp(exponent · (loudness - usual)).

    Attributes:
        exponent: for each 10 dB; negative where motion avoids the loud.
        usual: loudness at which the factor is 1, 10 dB.
    """

    exponent: float
    usual: float

    def factor(self, loudness: Floats) -> Floats:
        """Return the factors of a smoothed loudness, (N,), 10 dB."""
        return np.asarray(np.exp(self.exponent * (loudness - self.usual)))


NO_EMPHASIS = Emphasis(0.0, 0.0)


def measure_nods(loudness: Sequence[Floats], poses: Sequence[Floats], fps: float) -> Emphasis:
    """Measure how the speed of a head follows the loudness.

    Args:
        loudness: of each span, (N,), 10 dB.
        poses: rotation vectors, (N, 3); NaN without a face.
        fps: frames per second.

    Returns:
        The factor on nods, whose mean square over the spans is 1.
    """
    rows, heard = [], []
    for level, pose in zip(loudness, poses, strict=True):
        speed = _speed(pose, fps)
        known = np.isfinite(speed)
        if known.sum() < 2 * _PIECE_S * fps:
            continue
        usual = float(np.median(speed[known]))
        filled = np.where(known, speed, usual)
        moved = np.log(np.maximum(filled, _STILL * usual + 1e-9))
        x, y = (gaussian_filter1d(each, SMOOTH_S * fps) for each in (level, moved))
        x, y = x - x[known].mean(), y - y[known].mean()
        rows.append(np.stack([x * y, x * x], axis=1) * known[:, None])
        heard.append(gaussian_filter1d(level, SMOOTH_S * fps))
    if not rows:
        return NO_EMPHASIS
    exponent = lower_gain(sum_pieces(rows, fps, _PIECE_S))
    if not exponent:
        return NO_EMPHASIS
    power = float(np.exp(2 * exponent * np.concatenate(heard)).mean())
    return Emphasis(exponent, float(np.log(power) / (2 * exponent)))


def _speed(pose: Floats, fps: float) -> Floats:
    """Return the angular speed since the previous frame, (N,); NaN where a face is missing."""
    return np.asarray(np.linalg.norm(np.diff(pose, axis=0, prepend=np.nan), axis=1) * fps)
