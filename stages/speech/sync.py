"""How late the audio is against the lips; and whether these are its lips at all.

The mouth's opening is predicted from the sound around it by ridge regression, at every lag; the
lag that predicts best, on frames that the regression has not seen, tells the offset. Opening and
sound count from their running mean over a second: pauses look alike at many lags, and music swells.
Ours.

The lips of people who are filmed in sync move before their sound, by about 50 ms (measured on the
clips whose sync is known). That much is no offset and is taken off; an animated mouth that does not
lead is found that much early.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.speech.mel import RATE, WINDOW

Floats = NDArray[np.float64]

LONGEST_LAG = 0.4  # seconds, to either side
LEAD = 0.05  # seconds by which lips precede their sound where nothing is late
# Measured on pieces of clips of eight people, with their own and others' sound (docs/accuracy.md).
# Strength is correlation times the root of the seconds: own sound of 10 s always reached 0.98,
# others' hardly ever 1.3.
SURE = 1.3  # strength from which the offset is to be trusted
NONE = 0.9  # strength below which it is not these lips' sound,
ENOUGH = 10.0  # where so many seconds could have told
LEAST = 0.2  # correlation that the sound of lips has, however long it is
_SLOW = 1.0  # seconds of the running mean
_CONTEXT = 0.02  # seconds of sound, to either side, that the regression sees
_STRIDE = 0.02  # seconds between what it sees of it
_FOLDS = 5
_RIDGE = 0.3  # share of the mean eigenvalue that is added to all
_SECONDS = 120.0  # of longer clips, a stretch in the middle is looked at
_NEAR = 0.95  # lags that predict nearly as well as the best share in the offset
_FEWEST = 25  # frames without which nothing can be told


@dataclass(frozen=True)
class Sync:
    """How late the audio is.

    Attributes:
        offset: seconds, positive where the audio is late; NaN where nothing is told.
        correlation: of predicted with seen opening at that offset; NaN where nothing is told.
        seconds: of lips and sound that the correlation rests on.
    """

    offset: float
    correlation: float
    seconds: float

    @property
    def strength(self) -> float:
        """Tell how far the correlation is from chance."""
        return float(self.correlation * self.seconds**0.5)

    @property
    def sure(self) -> bool:
        """Tell whether the offset can be trusted to some 40 ms."""
        return self._told(SURE)

    @property
    def foreign(self) -> bool:
        """Tell whether the sound is not of these lips, or further off than was looked for."""
        return self.seconds >= ENOUGH and not self._told(NONE)

    def least(self, strength: float) -> float:
        """Return the correlation that has a strength here."""
        return float(max(strength / max(self.seconds, 1e-9) ** 0.5, LEAST))

    def _told(self, strength: float) -> bool:
        return bool(np.isfinite(self.offset) and self.correlation >= self.least(strength))


def measure(mel: NDArray[np.float32], opening: NDArray[np.floating], fps: float) -> Sync:
    """Measure by how much the sound lags behind the lips.

    Args:
        mel: log-mel at two frames a video frame, (2N, 80).
        opening: the mouth's opening, (N,); NaN where it is not known.
        fps: video frames a second.

    Returns:
        Offset in seconds (positive: audio late), the centre of the lags that predict nearly as well
        as the best, and the correlation of predicted with seen opening at the best. The offset is
        NaN where the best lies at the end of what was looked at.
    """
    late, found = curve(mel, opening, fps)
    seconds = float(len(_rows(_lips(opening, fps), fps)) / fps)
    if not len(found):
        return Sync(float("nan"), float("nan"), seconds)
    best = int(np.argmax(found))
    if found[best] <= 0 or best in (0, len(found) - 1):
        return Sync(float("nan"), float(found[best]), seconds)
    return Sync(_centre(found, late, best), float(found[best]), seconds)


def curve(
    mel: NDArray[np.float32], opening: NDArray[np.floating], fps: float
) -> tuple[Floats, Floats]:
    """Correlate the mouth's opening with its prediction from the sound, at every lag.

    Args:
        mel: log-mel at two frames a video frame, (2N, 80).
        opening: the mouth's opening, (N,); NaN where it is not known.
        fps: video frames a second.

    Returns:
        How late the sound is if that lag is its own, seconds, and the correlation, both (L,);
        empty where there are too few moving lips.
    """
    steps = round((LONGEST_LAG + _CONTEXT) * 2 * fps)  # the context makes flat tops that wide
    lags = np.arange(-steps, steps + 1)
    lips = _lips(opening, fps)
    rows = _rows(lips, fps)
    if len(rows) < _FEWEST or np.std(lips[rows]) < 1e-6:
        return np.empty(0), np.empty(0)
    sound = _quick(_bands(mel), round(_SLOW * 2 * fps))
    found = np.array([_predicted(_context(sound, 2 * rows + lag, fps), lips[rows]) for lag in lags])
    return lags / (2 * fps) + WINDOW / RATE / 2 - LEAD, found  # from the window's middle


def _lips(opening: NDArray[np.floating], fps: float) -> Floats:
    return _quick(np.asarray(opening, float), round(_SLOW * fps))


def stretch(first: int, end: int, fps: float) -> tuple[int, int]:
    """Return first and last (exclusive) of the frames that are looked at in a span."""
    count = min(end - first, round(_SECONDS * fps))
    first += (end - first - count) // 2
    return first, first + count


def _quick(values: Floats, width: int) -> Floats:
    """Take the running mean over so many rows off; rows of NaN do not count."""
    known = np.isfinite(values)
    total, count = (_running(a, width) for a in (np.where(known, values, 0.0), known))
    moved: Floats = values - total / np.maximum(count, 0.5)
    return moved


def _running(values: NDArray[Any], width: int) -> Floats:
    """Sum so many rows around each, nothing beyond the ends."""
    sums = np.concatenate([np.zeros_like(values[:1], float), np.cumsum(values, 0, float)])
    first = np.arange(len(values)) - width // 2
    total: Floats = sums[np.clip(first + width, 0, len(values))] - sums[np.maximum(first, 0)]
    return total


def _rows(opening: Floats, fps: float) -> NDArray[np.int64]:
    """Return the frames that count: seen, and with sound at every lag."""
    margin = int(np.ceil((LONGEST_LAG + 2 * _CONTEXT) * fps)) + 1
    rows = np.arange(margin, max(margin, len(opening) - margin))
    seen: NDArray[np.int64] = rows[np.isfinite(opening[rows])]
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


def _centre(values: Floats, late: Floats, best: int) -> float:
    """Return the centre of mass of what stands out around a maximum, in seconds."""
    above = np.maximum(values - _NEAR * values[best], 0.0)
    below = np.flatnonzero(above == 0)
    first = below[below < best].max(initial=-1) + 1
    last = below[below > best].min(initial=len(values))
    return float(np.average(late[first:last], weights=above[first:last]))
