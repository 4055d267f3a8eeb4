"""Offset between a clip's sound and its lips, and whether the sound belongs to the lips. Ours.

Ridge regression predicts the mouth's opening from the sound around it, at every lag; the lag of the
best prediction on held-out frames is the offset. The running mean over a second is subtracted from
opening and sound: pauses are alike at many lags, and music swells.

Lips of people filmed in sync move about 50 ms before their sound (measured on the clips whose sync
is known). The offset is relative to this lead: an animated mouth without it is measured 50 ms
early.

A model that learns lips from sound needs one timing of all clips, and no sound of somebody else:
`assess_sync` decides both for all clips of a subject.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.speech.mel import WINDOW

LONGEST_LAG = 0.4  # seconds, to either side
LEAD = 0.05  # seconds by which lips precede their sound in a recording that is in sync
# Strength is correlation times the root of the seconds. Measured on pieces of clips of eight people
# (docs/accuracy.md): own sound of 10 s always reaches 0.98, others' rarely 1.3.
_RELIABLE = 1.3  # least strength of a reliable offset
_OWN = 0.9  # least strength of the lips' own sound,
_ENOUGH = 10.0  # if measured on at least this many seconds
_LEAST_CORRELATION = 0.2  # of the lips' own sound, however long it is
_SOME = 2.8  # seconds from which an unreliable offset is nearer to the truth than none
_MEAN = 1.0  # seconds of the running mean
_CONTEXT = 0.02  # seconds of sound, to either side, in the regression's input
_STRIDE = 0.02  # seconds between its samples
_FOLDS = 5
_RIDGE = 0.3  # share of the mean eigenvalue added to all
_LONGEST = 120.0  # seconds in the middle of a longer clip that are measured
_NEAR = 0.95  # share of the best correlation from which a lag counts for the offset
_CONSTANT = 1e-6  # standard deviation of log-mel that is rounding
_FEWEST = 25  # frames for a measurement


@dataclass(frozen=True)
class Sync:
    """A measured offset.

    Attributes:
        offset: seconds, positive where the audio is late; NaN where none was found.
        correlation: of predicted and actual opening at that offset; NaN without an offset.
        seconds: of lips and sound that were measured.
    """

    offset: float
    correlation: float
    seconds: float

    @property
    def strength(self) -> float:
        """Correlation times the root of the seconds: the distance from chance."""
        return float(self.correlation * self.seconds**0.5)

    @property
    def is_reliable(self) -> bool:
        """Whether the offset is right within about 40 ms."""
        return self._reaches(_RELIABLE)

    @property
    def is_foreign(self) -> bool:
        """Whether the sound does not belong to these lips, or is later than LONGEST_LAG."""
        return self.seconds >= _ENOUGH and not self._reaches(_OWN)

    def least_correlation(self, strength: float) -> float:
        """Return the correlation that corresponds to a strength for this duration."""
        return float(max(strength / max(self.seconds, 1e-9) ** 0.5, _LEAST_CORRELATION))

    def _reaches(self, strength: float) -> bool:
        return bool(
            np.isfinite(self.offset) and self.correlation >= self.least_correlation(strength)
        )


def measure_sync(mel: NDArray[np.float32], opening: NDArray[np.floating], fps: float) -> Sync:
    """Measure by how much the sound lags behind the lips.

    Args:
        mel: log-mel at two frames a video frame, (2N, 80).
        opening: the mouth's opening, (N,); NaN where unknown.
        fps: video frames per second.

    Returns:
        The offset is the centre of the lags that predict nearly as well as the best, the
        correlation that of the best. The offset is NaN where the best is the first or last lag.
    """
    late, found = correlation_by_lag(mel, opening, fps)
    seconds = float(len(_rows(_lips(opening, fps), fps)) / fps)
    if not len(found):
        return Sync(float("nan"), float("nan"), seconds)
    best = int(np.argmax(found))
    if found[best] <= 0 or best in (0, len(found) - 1):
        return Sync(float("nan"), float(found[best]), seconds)
    return Sync(_centre(found, late, best), float(found[best]), seconds)


def correlation_by_lag(
    mel: NDArray[np.float32], opening: NDArray[np.floating], fps: float
) -> tuple[Floats, Floats]:
    """Correlate the mouth's opening with its prediction from the sound, at each lag.

    Args:
        mel: log-mel at two frames a video frame, (2N, 80).
        opening: the mouth's opening, (N,); NaN where unknown.
        fps: video frames per second.

    Returns:
        Lateness of the sound at each lag, seconds, and the correlation, both (L,); empty where the
        lips move in too few frames.
    """
    steps = round((LONGEST_LAG + _CONTEXT) * 2 * fps)  # the context makes flat tops that wide
    lags = np.arange(-steps, steps + 1)
    lips = _lips(opening, fps)
    rows = _rows(lips, fps)
    if len(rows) < _FEWEST or np.std(lips[rows]) < 1e-6:
        return np.empty(0), np.empty(0)
    sound = _subtract_mean(_bands(mel), to_frames(_MEAN, 2 * fps))
    found = np.array([_predicted(_context(sound, 2 * rows + lag, fps), lips[rows]) for lag in lags])
    return lags / (2 * fps) + WINDOW / AUDIO_RATE / 2 - LEAD, found  # from the window's middle


def _lips(opening: NDArray[np.floating], fps: float) -> Floats:
    return _subtract_mean(np.asarray(opening, float), to_frames(_MEAN, fps))


def measured_span(first: int, end: int, fps: float) -> tuple[int, int]:
    """Return first and end (exclusive) of the frames of a span that are measured."""
    count = min(end - first, to_frames(_LONGEST, fps))
    first += (end - first - count) // 2
    return first, first + count


def _subtract_mean(values: Floats, width: int) -> Floats:
    """Subtract the running mean over `width` rows; rows of NaN do not count."""
    known = np.isfinite(values)
    total, count = (_running(a, width) for a in (np.where(known, values, 0.0), known))
    moved: Floats = values - total / np.maximum(count, 0.5)
    return moved


def _running(values: NDArray[Any], width: int) -> Floats:
    """Sum `width` rows around each; beyond the ends is 0."""
    sums = np.concatenate([np.zeros_like(values[:1], float), np.cumsum(values, 0, float)])
    first = np.arange(len(values)) - width // 2
    total: Floats = sums[np.clip(first + width, 0, len(values))] - sums[np.maximum(first, 0)]
    return total


def _rows(opening: Floats, fps: float) -> NDArray[np.int64]:
    """Return the frames that are measured: opening known, and sound at every lag."""
    margin = int(np.ceil((LONGEST_LAG + 2 * _CONTEXT) * fps)) + 1
    rows = np.arange(margin, max(margin, len(opening) - margin))
    seen: NDArray[np.int64] = rows[np.isfinite(opening[rows])]
    return seen


def _bands(mel: NDArray[np.float32]) -> Floats:
    """Average bands by four, (2N, 20): they predict the opening as well as all 80."""
    bands: Floats = np.asarray(mel, float).reshape(len(mel), -1, 4).mean(-1)
    return bands


def _context(sound: Floats, at: NDArray[np.int64], fps: float) -> Floats:
    """Return the sound around audio frames, (M, taps · bands)."""
    stride = to_frames(_STRIDE, 2 * fps, 1)
    reach = to_frames(_CONTEXT, 2 * fps) // stride
    taps = np.arange(-reach, reach + 1) * stride
    around: Floats = sound[at[:, None] + taps].reshape(len(at), -1)
    return around


def _predicted(x: Floats, y: Floats) -> float:
    """Correlate y with its cross-validated prediction from x: each fifth from the other four."""
    guess = np.zeros_like(y)
    fold = np.arange(len(y)) * _FOLDS // len(y)
    for k in range(_FOLDS):
        left, known = fold == k, fold != k
        if not (x[known].std(0) > _CONSTANT).any():
            continue  # sound that never changes predicts nothing
        mean, scale = x[known].mean(0), x[known].std(0) + 1e-6
        a, b = (x[known] - mean) / scale, y[known] - y[known].mean()
        gram = a.T @ a
        gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
        # The mean of y does not come from the sound: it stays out of the prediction.
        guess[left] = (x[left] - mean) / scale @ np.linalg.solve(gram, a.T @ b)
    return float(np.corrcoef(guess, y)[0, 1]) if guess.std() > 1e-12 else 0.0


def _centre(values: Floats, late: Floats, best: int) -> float:
    """Return the centre of mass of the peak around a maximum, in seconds."""
    above = np.maximum(values - _NEAR * values[best], 0.0)
    below = np.flatnonzero(above == 0)
    first = below[below < best].max(initial=-1) + 1
    last = below[below > best].min(initial=len(values))
    return float(np.average(late[first:last], weights=above[first:last]))


@dataclass(frozen=True)
class SyncStatus:
    """How a clip's sound is used.

    Attributes:
        status: `ok`: `late` was measured; `assumed`: it could not be measured reliably;
            `rejected`: the sound does not belong to the lips, and no model trains on it.
        late: seconds by which the sound is late; NaN where it is rejected.
        reason: why not ok, with expected and found values; empty for ok.
    """

    status: str
    late: float
    reason: str


def assess_sync(found: Mapping[str, Sync]) -> dict[str, SyncStatus]:
    """Decide the lateness of each of a subject's clips, by their ids.

    A clip without a reliable offset gets the median of the other clips of its video; without any,
    its own offset; 0 if that was measured on too little.
    """
    known: dict[str, list[float]] = {}
    for clip, sync in found.items():
        if sync.is_reliable:
            known.setdefault(_video(clip), []).append(sync.offset)
    return {clip: _status(sync, known.get(_video(clip), [])) for clip, sync in found.items()}


def _video(clip: str) -> str:
    """Return a clip's id without the number of its shot."""
    return clip.rpartition("-")[0]


def _status(sync: Sync, others: list[float]) -> SyncStatus:
    if sync.is_reliable:
        return SyncStatus("ok", sync.offset, "")
    if sync.is_foreign:
        reason = f"the sound does not belong to these lips, or is more than {LONGEST_LAG:g} s off"
        return SyncStatus("rejected", float("nan"), f"{reason}: {_evidence(sync, _OWN)}")
    reason = f"unreliable offset: {_evidence(sync, _RELIABLE)}"
    if others:
        late = float(np.median(others))
        return SyncStatus("assumed", late, f"{reason}; its video's other clips give {late:+.2f} s")
    if sync.seconds >= _SOME and np.isfinite(sync.offset):
        return SyncStatus("assumed", sync.offset, f"{reason}; that gives {sync.offset:+.2f} s")
    return SyncStatus("assumed", 0.0, f"{reason}; assumed to be in sync")


def _evidence(sync: Sync, strength: float) -> str:
    """Describe found and expected correlation."""
    if np.isnan(sync.correlation):
        return f"{sync.seconds:.1f} s of moving lips to measure on"
    least = min(sync.least_correlation(strength), 1.0)
    return f"r {sync.correlation:.2f} in {sync.seconds:.1f} s (at least {least:.2f})"
