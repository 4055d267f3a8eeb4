"""Ridge regression from the sound around a frame to mouth displacements, in closed form.

Ours: one for the population beside the mouth network, one for each person of what both leave. One
minute of speech is little data for a network alone; a regression with one hyperparameter overfits
less and transfers better to another voice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from stages.base.arrays import Floats
from stages.motion.features import PHONE, Features
from stages.motion.params import frames_in

_CONTEXT = (-2, -1, 0, 1, 2)
_CONTEXT_STEP_S = 0.04
_PHONE_WEIGHT = 10.0  # unweighted, hundreds of other numbers outweigh 39 phone posteriors
_LANDMARKS = 68
_BLOCK_FRAMES = 2000

# Features (M, 2D), displacements (N, 68, 3) and the mask of frames to fit, (N,).
Sample = tuple[Features, Floats, NDArray[np.bool_]]


@dataclass(frozen=True)
class RidgeRegression:
    """A linear map from the sound around a frame to displacements.

    Attributes:
        weights: (5 · D, 204), to displacements in units of the person's `mouth_scale`.
        offsets: context frames, none beyond the look-ahead.
    """

    weights: Features
    offsets: tuple[int, ...]

    def predict(self, features: Features, frames: NDArray[np.int64]) -> Floats:
        """Predict displacements, (N, 68, 3), of frames (N,) from normalised features (M, 2D)."""
        sound, out = _frame_sound(features), np.zeros((len(frames), _LANDMARKS, 3))
        with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
            for block in _blocks(len(frames)):
                flat = _with_context(sound, frames[block], self.offsets) @ self.weights
                out[block] = flat.reshape(-1, _LANDMARKS, 3)
        return out

    def scaled(self, factors: ArrayLike) -> "RidgeRegression":
        """Multiply the displacements by factors: one, or one for each landmark, (68,)."""
        columns = np.repeat(np.broadcast_to(np.asarray(factors, np.float32), _LANDMARKS), 3)
        return RidgeRegression(self.weights * columns, self.offsets)

    def amplified(self, basis: Features, gains: Features) -> "RidgeRegression":
        """Multiply the part in orthonormal components, (C, 204), by gains, (C,)."""
        inside = self.weights @ basis.T
        weights = self.weights + (inside * (gains - 1)) @ basis
        return RidgeRegression(np.asarray(weights, np.float32), self.offsets)

    def plus(self, other: "RidgeRegression") -> "RidgeRegression":
        """Return the regression that predicts the sum of both, which have the same context."""
        return RidgeRegression(self.weights + other.weights, self.offsets)


class RidgeStream:
    """Predict incrementally with the mouth network's delay: row i belongs to frame i − ahead."""

    def __init__(self, regression: RidgeRegression, ahead: int) -> None:
        self.regression, self.ahead = regression, ahead
        self.reach = ahead + max(abs(offset) for offset in regression.offsets)
        self.past: Features | None = None

    def push(self, features: Features) -> Floats:
        """Append normalised features, (n, 2D); return the next n rows, (n, 68, 3)."""
        past = np.repeat(features[:1], self.reach, axis=0) if self.past is None else self.past
        joined = np.concatenate([past, features])
        frames = np.arange(len(features)) + len(past) - self.ahead
        self.past = joined[-self.reach :]
        return self.regression.predict(joined, frames)


def context_offsets(look_ahead_s: float, fps: float) -> tuple[int, ...]:
    """Return the five context offsets in frames, clipped to the look-ahead."""
    step, ahead = frames_in(_CONTEXT_STEP_S, fps), frames_in(look_ahead_s, fps)
    return tuple(min(index * step, ahead) for index in _CONTEXT)


def fit(
    people: Sequence[Sequence[Sample]], ridge: float, offsets: tuple[int, ...]
) -> RidgeRegression:
    """Fit the regression with equal weight for every person.

    Args:
        people: the samples of each person, at least one, in the networks' units.
        ridge: added to the normal equations, in mean eigenvalues; 0 gives zero weights.
        offsets: see `context_offsets`.
    """
    width = len(offsets) * (people[0][0][0].shape[1] // 2)
    gram, right = np.zeros((width, width)), np.zeros((width, 3 * _LANDMARKS))
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        for samples in people:
            own, own_right, count = np.zeros_like(gram), np.zeros_like(right), 0
            for features, displacement, mask in samples:
                rows, sound = np.flatnonzero(mask), _frame_sound(features)
                for block in _blocks(len(rows)):
                    x = _with_context(sound, rows[block], offsets).astype(np.float64)
                    y = displacement[rows[block]]
                    own += x.T @ x
                    own_right += x.T @ y.reshape(len(y), 3 * _LANDMARKS)
                count += len(rows)
            gram += own / max(count, 1)
            right += own_right / max(count, 1)
        weights: NDArray[np.floating] = np.zeros_like(right)
        if ridge > 0:
            gram[np.diag_indices(width)] += ridge * np.trace(gram) / width
            weights = np.linalg.solve(gram, right)
    return RidgeRegression(np.asarray(weights, np.float32), offsets)


def _blocks(rows: int) -> Iterator[slice]:
    """Split rows into blocks, which bounds the memory of long clips."""
    yield from (slice(i, min(i + _BLOCK_FRAMES, rows)) for i in range(0, rows, _BLOCK_FRAMES))


def _frame_sound(features: Features) -> Features:
    """Average the two features of each video frame and weight the phones, (M, D)."""
    mean: Features = np.asarray(features, np.float32).reshape(len(features), 2, -1).mean(1)
    mean[:, -PHONE:] *= _PHONE_WEIGHT
    return mean


def _with_context(sound: Features, frames: NDArray[np.int64], offsets: tuple[int, ...]) -> Features:
    """Gather the sound around frames, (N, 5 · D), repeating the first and last row."""
    rows = np.clip(frames[:, None] + np.array(offsets), 0, len(sound) - 1)
    context: Features = sound[rows].reshape(len(frames), -1)
    return context
