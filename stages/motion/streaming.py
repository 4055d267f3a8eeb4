"""Incremental inference of mouth and head pose, and smoothing along time.

Each stream takes rows of frames with `push` and returns the rows that are ready; `finish` returns
the rest. The sizes of the pieces do not change the result.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats
from stages.motion.emphasis import NOD_S, SMOOTH_S
from stages.motion.model import MotionModel
from stages.motion.mouth import State
from stages.motion.networks import POSE
from stages.motion.params import frames_in
from stages.motion.person import LIDS
from stages.motion.ridge_regression import RidgeStream

_CLOSING_S = 0.12  # transition between speech and a closed mouth, s
_RANGE_MARGIN = 0.25  # of the training range's width, which sampled poses may exceed it by


class _LookAhead:
    """The delay of a network: output row i belongs to frame i − ahead."""

    def __init__(self, ahead: int) -> None:
        self.ahead = self.missing = ahead
        self.last = torch.zeros(1, 0)

    def skip(self, features: Tensor) -> int:
        """Return how many of the next output rows are before the first frame."""
        early = min(self.missing, len(features))
        self.missing -= early
        self.last = features[-1:]
        return early

    def padding(self) -> Tensor:
        """Return the last features, repeated for the frames still to come."""
        return self.last.expand(self.ahead, -1)


class MouthStream:
    """Mouth network and regressions: of all people, and of the style's own."""

    def __init__(self, model: MotionModel, style: str) -> None:
        self.network, self.style = model.mouth, model.style(style)[None]
        self.scale = model.person(style).predicted_scale
        self.look_ahead = _LookAhead(frames_in(model.params.mouth.look_ahead_s, model.fps))
        self.regression = RidgeStream(model.regression_of(style), self.look_ahead.ahead)
        self.state: State | None = None

    @torch.no_grad()
    def push(self, features: Tensor) -> Floats:
        """Append normalised features, (n, 2D); return displacements, (m, 68, 3), face heights."""
        residual, self.state = self.network.step(features[None], self.style, self.state)
        whole = residual[0].double().numpy() + self.regression.push(features.numpy())
        displacement: Floats = whole[self.look_ahead.skip(features) :] * self.scale
        displacement[:, list(LIDS)] = 0.0
        return displacement

    def finish(self) -> Floats:
        """Return the last rows."""
        return self.push(self.look_ahead.padding())


class PoseStream:
    """The pose network, sampled frame by frame, then smoothed."""

    def __init__(self, model: MotionModel, style: str, rng: np.random.Generator) -> None:
        self.network, self.style, self.rng = model.pose, model.style(style), rng
        params, person = model.params.pose, model.person(style)
        self.temperature = params.temperature
        self.look_ahead = _LookAhead(frames_in(params.look_ahead_s, model.fps))
        self.pose_scale, self.velocity_scale = person.pose_scale, person.velocity_scale
        self.gain = person.head_gain
        low, high = person.pose_range
        margin = _RANGE_MARGIN * (high - low)
        self.low, self.high = low - margin, high + margin
        self.memory = self.network.initial_memory()
        self.previous = np.zeros(2 * POSE)  # pose and velocity of the last frame, normalised
        self.smoother = Smoother(params.smooth_s * model.fps)

    @torch.no_grad()
    def push(self, features: Tensor) -> Floats:
        """Append normalised features, (n, 2D); return poses about the rest, (m, 6)."""
        features = features[self.look_ahead.skip(features) :]
        poses = np.zeros((len(features), POSE))
        if not len(poses):
            return poses
        conditions = self.network.layer_conditions(features, self.style)
        for index, condition in enumerate(conditions):
            history = torch.from_numpy(self.previous).float()
            mean, log_sigma = self.network.step(history, condition, self.memory)
            pose = self._sample(mean.double().numpy(), log_sigma.double().exp().numpy())
            velocity = (pose - self.previous[:POSE] * self.pose_scale) / self.velocity_scale
            self.previous = np.concatenate([pose / self.pose_scale, velocity])
            poses[index] = pose
        return self.smoother.push(np.clip(self.gain * poses, self.low, self.high))

    def _sample(self, mean: Floats, sigma: Floats) -> Floats:
        """Sample a pose and clip it to the range.

        The predicted velocity is unused, as in LSP: fused with the pose by precision, it drifts
        (on a real clip 1.5 times the true roll, at 1.8 times its speed).
        """
        spread = sigma[:POSE] * self.temperature
        pose = (mean[:POSE] + spread * self.rng.standard_normal(POSE)) * self.pose_scale
        return np.asarray(np.clip(pose, self.low, self.high))

    def finish(self) -> Floats:
        """Return the last rows."""
        rest = self.push(self.look_ahead.padding())
        return np.concatenate([rest, self.smoother.finish()])


class NodStream:
    """Finds the nods in poses, what is left of slow motion; returns poses and nods, (n, 12)."""

    def __init__(self, fps: float) -> None:
        self.slow = Smoother(NOD_S * fps)
        self.whole = np.zeros((0, POSE))

    def push(self, poses: Floats) -> Floats:
        """Append poses, (n, 6)."""
        self.whole = np.concatenate([self.whole, poses])
        return self._parted(self.slow.push(poses))

    def finish(self, poses: Floats) -> Floats:
        """Append the last poses and return all that is left."""
        parted = self.push(poses)
        return np.concatenate([parted, self._parted(self.slow.finish())])

    def _parted(self, slow: Floats) -> Floats:
        ready, self.whole = self.whole[: len(slow)], self.whole[len(slow) :]
        return np.concatenate([ready, ready - slow.reshape(-1, POSE)], axis=1)


class LoudnessStream:
    """The loudness of a voice, smoothed as `Emphasis` wants it."""

    def __init__(self, fps: float) -> None:
        self.smoother = Smoother(SMOOTH_S * fps)

    def push(self, loudness: Floats) -> Floats:
        """Append the loudness of frames, (n,), 10 dB; return as many as are ready."""
        return self.smoother.push(loudness[:, None]).reshape(-1)

    def finish(self) -> Floats:
        """Return the last rows."""
        return self.smoother.finish().reshape(-1)


class SilenceStream:
    """How far silence closes the mouth: 0 in speech to 1, with soft edges inside the silence."""

    def __init__(self, fps: float) -> None:
        self.smoother = Smoother(_CLOSING_S * fps / 2)

    def push(self, silent: NDArray[np.bool_]) -> Floats:
        """Append a mask of silent frames, (n,); return shares, (m,)."""
        return self._share(self.smoother.push(silent.astype(float)[:, None]))

    def finish(self) -> Floats:
        """Return the last rows."""
        return self._share(self.smoother.finish())

    def _share(self, smoothed: Floats) -> Floats:
        # A smoothed mask is 0.5 at the edge of speech, which must keep its full amplitude.
        return np.asarray(np.clip(2 * smoothed[:, 0] - 1, 0.0, 1.0))


class Smoother:
    """A Gaussian filter along time, (N, D); the first and last row repeat beyond the ends."""

    def __init__(self, sigma: float) -> None:
        self.reach = round(3 * sigma)
        offsets = np.arange(-self.reach, self.reach + 1)
        kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
        self.kernel = kernel / kernel.sum()
        self.pending = np.zeros((0, 0))

    def push(self, rows: Floats) -> Floats:
        """Append rows; return those whose neighbourhood is complete."""
        if not len(rows):
            return rows
        if not len(self.pending):
            self.pending = np.repeat(rows[:1], self.reach, axis=0)
        self.pending = np.concatenate([self.pending, rows])
        count = max(0, len(self.pending) + 1 - len(self.kernel))
        shifted = [self.pending[i : i + count] * w for i, w in enumerate(self.kernel)]
        self.pending = self.pending[count:]
        return np.asarray(np.sum(shifted, axis=0))

    def finish(self) -> Floats:
        """Return the last rows."""
        return self.push(np.repeat(self.pending[-1:], self.reach, axis=0))
