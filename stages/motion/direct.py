"""What the sound around a frame tells of the mouth at once: a ridge regression in closed form.

Ours: the LSTM learns what this leaves. A minute of speech is little for an LSTM alone, and a voice
in another room is new to it; a regression with one number to choose is hard to mislead.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.base.face.arrays import Floats
from stages.motion.features import APC, FEATURE
from stages.motion.params import frames_in

_TAP_S = 0.04  # seconds between the five moments of sound that are looked at
_PHONES = 10.0  # 39 numbers beside 512 would hardly be heard
_TAPS = (-2, -1, 0, 1, 2)
_LANDMARKS = 68
_ROWS = 2000  # frames looked at together

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Direct:
    """A linear map from the sound around a frame to displacements.

    Attributes:
        weights: (5 · 551, 204), to displacements in units of the person's `mouth_scale`.
        offsets: the five moments, frames, none later than the look-ahead.
    """

    weights: Sound
    offsets: tuple[int, ...]

    def at(self, pairs: Sound, frames: NDArray[np.int64]) -> Floats:
        """Predict displacements, (N, 68, 3), of frames (N,) from normalised pairs (M, 1102)."""
        sound, out = _moments(pairs), np.zeros((len(frames), _LANDMARKS, 3))
        with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
            for block in _blocks(len(frames)):
                found = _around(sound, frames[block], self.offsets) @ self.weights
                out[block] = found.reshape(-1, _LANDMARKS, 3)
        return out


class DirectStream:
    """The same in pieces, as late as the mouth network: row i is of frame i − ahead."""

    def __init__(self, direct: Direct, ahead: int) -> None:
        self.direct, self.ahead = direct, ahead
        self.kept = ahead + max(abs(offset) for offset in direct.offsets)
        self.past: Sound | None = None

    def push(self, pairs: Sound) -> Floats:
        """Take normalised pairs, (n, 1102); return as many rows, (n, 68, 3)."""
        if self.past is None:
            self.past = np.repeat(pairs[:1], self.kept, axis=0)
        joined = np.concatenate([self.past, pairs])
        frames = np.arange(len(pairs)) + len(self.past) - self.ahead
        self.past = joined[-self.kept :]
        return self.direct.at(joined, frames)


def offsets(look_ahead_s: float, fps: float) -> tuple[int, ...]:
    """Return the five moments in frames; those beyond the look-ahead fall onto its end."""
    step, ahead = frames_in(_TAP_S, fps), frames_in(look_ahead_s, fps)
    return tuple(min(tap * step, ahead) for tap in _TAPS)


def fit(
    people: Sequence[Iterable[tuple[Sound, Floats, NDArray[np.bool_]]]],
    ridge: float,
    moments: tuple[int, ...],
) -> Direct:
    """Fit the map; every person counts the same.

    Args:
        people: of each, recordings: normalised pairs (M, 1102), displacements (N, 68, 3) in the
            person's `mouth_scale`, and which frames count, (N,).
        ridge: added to the normal equations, in mean eigenvalues; 0 gives a map to zero.
        moments: see `offsets`.
    """
    width = len(moments) * FEATURE
    gram, right = np.zeros((width, width)), np.zeros((width, 3 * _LANDMARKS))
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        for recordings in people:
            own, own_right, count = np.zeros_like(gram), np.zeros_like(right), 0
            for pairs, displacement, counts in recordings:
                rows, sound = np.flatnonzero(counts), _moments(pairs)
                for block in _blocks(len(rows)):
                    seen = _around(sound, rows[block], moments).astype(np.float64)
                    moved = displacement[rows[block]]
                    own += seen.T @ seen
                    own_right += seen.T @ moved.reshape(len(moved), 3 * _LANDMARKS)
                count += len(rows)
            gram += own / max(count, 1)
            right += own_right / max(count, 1)
        weights: NDArray[np.floating] = np.zeros_like(right)
        if ridge > 0:
            gram[np.diag_indices(width)] += ridge * np.trace(gram) / width
            weights = np.linalg.solve(gram, right)
    return Direct(np.asarray(weights, np.float32), moments)


def _blocks(rows: int) -> Iterator[slice]:
    """Cut rows into blocks, so that memory does not grow with the length of a clip."""
    yield from (slice(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS))


def _moments(pairs: Sound) -> Sound:
    """Average the two features of each video frame and weigh the phones, (M, 551)."""
    mean: Sound = np.asarray(pairs, np.float32).reshape(len(pairs), 2, FEATURE).mean(1)
    mean[:, APC:] *= _PHONES
    return mean


def _around(sound: Sound, frames: NDArray[np.int64], moments: tuple[int, ...]) -> Sound:
    """Gather what is heard around frames, (N, 5 · 551); the ends go on."""
    at = np.clip(frames[:, None] + np.array(moments), 0, len(sound) - 1)
    around: Sound = sound[at].reshape(len(frames), len(moments) * FEATURE)
    return around
