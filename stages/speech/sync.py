"""How late the audio is against the lips; measured and reported, not applied.

The mouth's opening is predicted from the sound around it by ridge regression, at every lag; the
lag that predicts best, on frames that the regression has not seen, is the offset. Ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONGEST_LAG = 0.24  # seconds, to either side
_CONTEXT = 0.06  # seconds of sound, to either side, that the regression sees
_STRIDE = 0.02  # seconds between what it sees of it
_FOLDS = 5
_RIDGE = 0.3  # share of the mean eigenvalue that is added to all
_SECONDS = 120.0  # of longer clips, a stretch in the middle is looked at
_FEWEST = 25  # frames without which nothing can be told


@dataclass(frozen=True)
class Sync:
    """How late the audio is, in seconds, and the correlation there; NaN where nothing is told."""

    offset: float
    correlation: float


NOTHING = Sync(float("nan"), float("nan"))


def measure(mel: NDArray[np.float32], opening: NDArray[np.floating], fps: float) -> Sync:
    """Measure by how much the sound lags behind the lips.

    Args:
        mel: log-mel at two frames a video frame, (2N, 80).
        opening: the mouth's opening, (N,); NaN where it is not known.
        fps: video frames a second.

    Returns:
        Offset in seconds (positive: audio late), found between whole steps of half a frame by a
        parabola, and the correlation of predicted with seen opening at the best step.
    """
    steps = round(LONGEST_LAG * 2 * fps)
    lags = np.arange(-steps, steps + 1)
    rows = _rows(opening, fps)
    if len(rows) < _FEWEST or np.std(np.asarray(opening, float)[rows]) < 1e-6:
        return NOTHING
    target = np.asarray(opening, float)[rows]
    sound = _bands(mel)
    found = np.array([_predicted(_context(sound, 2 * rows + lag, fps), target) for lag in lags])
    best = int(np.argmax(found))
    if found[best] <= 0:
        return NOTHING
    return Sync(float(lags[best] + _vertex(found, best)) / (2 * fps), float(found[best]))


def stretch(frames: int, fps: float) -> tuple[int, int]:
    """Return first and last (exclusive) of the frames that are looked at in a clip."""
    count = min(frames, round(_SECONDS * fps))
    first = (frames - count) // 2
    return first, first + count


def _rows(opening: NDArray[np.floating], fps: float) -> NDArray[np.int64]:
    """Return the frames that count: seen, and with sound at every lag."""
    margin = int(np.ceil((LONGEST_LAG + _CONTEXT) * fps)) + 1
    rows = np.arange(margin, max(margin, len(opening) - margin))
    seen: NDArray[np.int64] = rows[np.isfinite(np.asarray(opening, float)[rows])]
    return seen


def _bands(mel: NDArray[np.float32]) -> Floats:
    """Average four bands each: (2N, 20) tell the mouth's opening as well as 80."""
    bands: Floats = np.asarray(mel, float).reshape(len(mel), -1, 4).mean(-1)
    return bands


def _context(sound: Floats, at: NDArray[np.int64], fps: float) -> Floats:
    """Gather the sound around audio frames, (M, taps · bands)."""
    stride = max(1, round(_STRIDE * 2 * fps))
    reach = round(_CONTEXT * 2 * fps) // stride
    taps = np.arange(-reach, reach + 1) * stride
    around: Floats = sound[at[:, None] + taps].reshape(len(at), -1)
    return around


def _predicted(x: Floats, y: Floats) -> float:
    """Correlate y with its prediction from x, each fifth of the frames by the other four."""
    guess = np.zeros_like(y)
    fold = np.arange(len(y)) * _FOLDS // len(y)
    for k in range(_FOLDS):
        left, known = fold == k, fold != k
        mean, scale = x[known].mean(0), x[known].std(0) + 1e-6
        a, b = (x[known] - mean) / scale, y[known] - y[known].mean()
        gram = a.T @ a
        gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
        # Each fold's own mean is no knowledge of the sound, so it stays out of the guess.
        guess[left] = (x[left] - mean) / scale @ np.linalg.solve(gram, a.T @ b)
    return float(np.corrcoef(guess, y)[0, 1]) if guess.std() > 1e-12 else 0.0


def _vertex(values: Floats, best: int) -> float:
    """Return where the parabola through a maximum and its neighbours has its top, in steps."""
    if best in (0, len(values) - 1):
        return 0.0
    left, top, right = values[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-12 else 0.0
