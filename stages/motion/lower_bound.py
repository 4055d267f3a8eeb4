"""A factor as large as a few seconds prove: the estimate less two standard errors. Ours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.base.io.timebase import to_frames


def lower_gain(pieces: NDArray[np.float64]) -> float:
    """Return the lower bound of a least-squares gain, 0 to 1, from independent pieces.

    Args:
        pieces: of each piece, the sums of truth · prediction and of prediction², (N, 2).

    The bound is the estimate minus two standard errors of a ratio of sums; a few seconds estimate
    a gain badly.
    """
    cross, power = pieces.T
    if not power.sum() > 0:
        return 0.0
    gain = cross.sum() / power.sum()
    variance = np.square(cross - gain * power).sum() * len(power) / max(len(power) - 1, 1)
    return float(np.clip(gain - 2 * np.sqrt(variance) / power.sum(), 0.0, 1.0))


def sum_pieces(
    rows: Sequence[NDArray[np.float64]], fps: float, seconds: float = 1.0
) -> NDArray[np.float64]:
    """Sum the rows of consecutive frames, (N, D), over pieces of some seconds."""
    length = to_frames(seconds, fps, 1)
    sums = [np.add.reduceat(own, np.arange(0, len(own), length)) for own in rows if len(own)]
    return np.concatenate(sums)
