"""Streams behind `MotionStream`: each takes audio in pieces and gives rows when they are ready."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.face.arrays import Floats
from stages.motion.direct import DirectStream
from stages.motion.model import MotionModel
from stages.motion.networks import POSE, State
from stages.motion.params import frames_in
from stages.motion.person import LIDS

_CLOSE_S = 0.12  # the mouth closes and opens around a silence over about so long, s
_WIDER = 0.25  # sampled poses may leave the training range by this share of its width


class MouthStream:
    """Regression and mouth network; frame k is ready when the look-ahead is heard."""

    def __init__(self, model: MotionModel, style: str) -> None:
        self.model, self.style = model, model.style(style)[None]
        self.scale = model.person(style).mouth_scale
        self.ahead = frames_in(model.params.mouth.look_ahead_s, model.fps)
        self.drop = self.ahead
        self.direct = DirectStream(model.direct, self.ahead)
        self.state: State | None = None
        self.last: Tensor | None = None

    @torch.no_grad()
    def push(self, pairs: Tensor) -> Floats:
        """Take normalised pairs, (n, 1102); return displacements, (m, 68, 3), face heights."""
        out, self.state = self.model.mouth.step(pairs[None], self.style, self.state)
        self.last = pairs[-1:]
        early = min(self.drop, len(pairs))
        self.drop -= early
        whole = out[0].double().numpy() + self.direct.push(pairs.numpy())
        displacement: Floats = whole[early:] * self.scale
        displacement[:, list(LIDS)] = 0.0
        return displacement

    def finish(self) -> Floats:
        """Return the last rows: the last audio goes on."""
        if self.last is None:
            return np.zeros((0, 68, 3))
        return self.push(self.last.expand(self.ahead, -1))


class PoseStream:
    """The pose network, sampled frame by frame, then smoothed."""

    def __init__(self, model: MotionModel, style: str, rng: np.random.Generator) -> None:
        self.model, self.style, self.rng = model, model.style(style), rng
        self.params = model.params.pose
        self.ahead = frames_in(self.params.look_ahead_s, model.fps)
        self.drop = self.ahead
        person = model.person(style)
        self.scale, self.speed = person.pose_scale, person.velocity_scale
        low, high = person.pose_range
        margin = _WIDER * (high - low)
        self.low, self.high = low - margin, high + margin
        self.memory = model.pose.begin()
        self.row = np.zeros(2 * POSE)  # pose and velocity of the frame before, normalised
        self.last: Tensor | None = None
        self.smooth = Smoother(self.params.smooth_s * model.fps)

    @torch.no_grad()
    def push(self, pairs: Tensor) -> Floats:
        """Take normalised pairs, (n, 1102); return poses about the rest, (m, 6)."""
        early = min(self.drop, len(pairs))
        self.drop -= early
        self.last = pairs[-1:]
        out = np.zeros((len(pairs) - early, POSE))
        if not len(out):
            return out
        for index, heard in enumerate(self.model.pose.hear(pairs[early:], self.style)):
            history = torch.from_numpy(self.row).float()
            mean, log_sigma = self.model.pose.next(history, heard, self.memory)
            out[index] = self._next(mean.double().numpy(), log_sigma.double().exp().numpy())
            velocity = (out[index] - self.row[:POSE] * self.scale) / self.speed
            self.row = np.concatenate([out[index] / self.scale, velocity])
        return self.smooth.push(out)

    def _next(self, mean: Floats, sigma: Floats) -> Floats:
        """Draw a pose and keep it in range.

        The predicted velocity is left out, as in LSP: joined to the pose by their precisions it
        drifts (measured on a real clip: 1.5 times the true roll, at 1.8 times its speed).
        """
        spread = sigma[:POSE] * self.params.temperature
        drawn = (mean[:POSE] + spread * self.rng.standard_normal(POSE)) * self.scale
        kept: Floats = np.clip(drawn, self.low, self.high)
        return kept

    def finish(self) -> Floats:
        """Return the last rows: the last audio goes on."""
        if self.last is None:
            return np.zeros((0, POSE))
        rest = self.push(self.last.expand(self.ahead, -1))
        return np.concatenate([rest, self.smooth.finish()])


class SilenceStream:
    """How closed silence makes the mouth: 1 inside, with soft ends that begin within it."""

    def __init__(self, fps: float) -> None:
        self.smooth = Smoother(_CLOSE_S * fps / 2)

    def push(self, quiet: NDArray[np.bool_]) -> Floats:
        """Take silent frames, (n,); return shares, (m,)."""
        return self._share(self.smooth.push(quiet.astype(float)[:, None]))

    def finish(self) -> Floats:
        """Return the last rows."""
        return self._share(self.smooth.finish())

    def _share(self, smoothed: Floats) -> Floats:
        # Speech at full strength up to its very edge: only beyond half does silence count.
        share: Floats = np.clip(2 * smoothed[:, 0] - 1, 0.0, 1.0)
        return share


class Smoother:
    """A Gaussian along time, (N, D), in pieces; its ends see the first and last row go on."""

    def __init__(self, sigma: float) -> None:
        self.reach = round(3 * sigma)
        offsets = np.arange(-self.reach, self.reach + 1)
        kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
        self.kernel = kernel / kernel.sum()
        self.held: Floats | None = None

    def push(self, rows: Floats) -> Floats:
        """Take rows, return those whose surroundings are known."""
        if self.held is None:
            if not len(rows):
                return rows
            self.held = np.repeat(rows[:1], self.reach, axis=0)
        self.held = np.concatenate([self.held, rows])
        count = max(0, len(self.held) - 2 * self.reach)
        shifted = [self.held[i : i + count] * w for i, w in enumerate(self.kernel)]
        self.held = self.held[count:]
        smoothed: Floats = np.sum(shifted, axis=0)
        return smoothed

    def finish(self) -> Floats:
        """Return the last rows."""
        if self.held is None:
            return np.zeros((0, POSE))
        return self.push(np.repeat(self.held[-1:], self.reach, axis=0))
