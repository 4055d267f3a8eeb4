"""The two networks of the motion model, both conditioned on a subject's style vector.

Source: Live Speech Portraits (mouth: LSTM; head pose: WaveNet with one Gaussian); the style vector
is ours.
"""

import math
from collections import deque
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.motion.features import FEATURE
from stages.motion.params import MouthParams, PoseParams

PAIR = 2 * FEATURE  # two audio features a video frame
POSE = 6  # rotation vector and translation, each about its mean
LANDMARKS = 68

State = tuple[Tensor, Tensor]
Memory = list[deque[Tensor]]


class MouthNet(nn.Module):
    """Pairs of features to displacements from the mean face, `look ahead` frames later."""

    def __init__(self, params: MouthParams, style: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Linear(PAIR, params.width),
            nn.LeakyReLU(0.2),
            nn.Dropout(params.dropout),
            nn.Linear(params.width, params.width),
        )
        self.lstm = nn.LSTM(
            params.width + style,
            params.hidden,
            params.layers,
            batch_first=True,
            dropout=params.dropout if params.layers > 1 else 0.0,
        )
        self.out = nn.Sequential(
            nn.Linear(params.hidden + style, params.width),
            nn.LeakyReLU(0.2),
            nn.Linear(params.width, params.width),
            nn.LeakyReLU(0.2),
            nn.Linear(params.width, LANDMARKS * 3),
        )

    def forward(self, pairs: Tensor, style: Tensor, state: State | None = None) -> Tensor:
        """Predict displacements, (B, T, 68, 3), in units of the person's `mouth_scale`.

        Args:
            pairs: normalised pairs of features, (B, T, 1102).
            style: style vectors, (B, S).
            state: the LSTM's, to go on from.
        """
        return self.step(pairs, style, state)[0]

    def step(self, pairs: Tensor, style: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Predict as `forward`, and return the LSTM's state after the last pair."""
        styles = style[:, None].expand(-1, pairs.shape[1], -1)
        hidden, after = self.lstm(torch.cat([self.down(pairs), styles], dim=2), state)
        flat = self.out(torch.cat([hidden, styles], dim=2))
        return flat.unflatten(2, (LANDMARKS, 3)), after

    @torch.no_grad()
    def weigh(self, factor: float) -> None:
        """Multiply all that the network says by a factor."""
        last = cast("nn.Linear", self.out[-1])
        last.weight.mul_(factor)
        last.bias.mul_(factor)


class GatedLayer(nn.Module):
    """One dilated layer of the WaveNet: gated by history and audio, residual and skip."""

    def __init__(self, dilation: int, params: PoseParams) -> None:
        super().__init__()
        width = params.channels
        self.dilation = dilation
        self.dilated = nn.Conv1d(width, 2 * width, 2, dilation=dilation)
        self.audio = nn.Conv1d(params.condition, 2 * width, 1)
        self.residual = nn.Conv1d(width, width, 1)
        self.skip = nn.Conv1d(width, params.skip, 1)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next layer's input and this one's part of the sum, of (B, C, T) each."""
        past = F.pad(x, (self.dilation, 0))
        value, gate = (self.dilated(past) + self.audio(condition)).chunk(2, dim=1)
        gated = torch.tanh(value) * torch.sigmoid(gate)
        return x + self.residual(gated), self.skip(gated)

    def next(self, x: Tensor, heard: Tensor, past: deque[Tensor]) -> tuple[Tensor, Tensor]:
        """Do the same for one frame, (C,) each; `past` holds the inputs still needed."""
        weight = self.dilated.weight
        before = past.popleft()
        past.append(x)
        mixed = F.linear(before, weight[:, :, 0], self.dilated.bias) + heard
        value, gate = (mixed + F.linear(x, weight[:, :, 1])).chunk(2)
        gated = torch.tanh(value) * torch.sigmoid(gate)
        return x + _pointwise(self.residual, gated), _pointwise(self.skip, gated)


class PoseNet(nn.Module):
    """WaveNet: the Gaussian of the next pose and velocity, from those before and the audio."""

    def __init__(self, params: PoseParams, style: int) -> None:
        super().__init__()
        self.floor = math.log(params.sigma)
        self.receptive = params.blocks * (2**params.layers - 1) + 1
        self.condition = nn.Linear(PAIR + style, params.condition)
        self.first = nn.Conv1d(2 * POSE, params.channels, 1)
        dilations = [2**i for _ in range(params.blocks) for i in range(params.layers)]
        self.layers = [GatedLayer(dilation, params) for dilation in dilations]
        self.stack = nn.ModuleList(self.layers)
        self.hidden = nn.Conv1d(params.skip, params.skip, 1)
        self.last = nn.Conv1d(params.skip, 4 * POSE, 1)

    def forward(self, history: Tensor, pairs: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Predict mean and log σ, (B, T, 12) each, of every frame.

        Args:
            history: pose and velocity of the frame before, (B, T, 12), normalised.
            pairs: the audio ahead of the frame, (B, T, 1102), normalised.
            style: style vectors, (B, S).

        Frame t depends on history t - receptive + 1 to t and, in the same way, on the audio.
        """
        condition = self._condition(pairs, style)
        x = self.first(history.transpose(1, 2))
        total = x.new_zeros(())
        for layer in self.layers:
            x, part = layer(x, condition)
            total = total + part
        out = self.last(self.hidden(total.relu()).relu())
        mean, log_sigma = out.transpose(1, 2).chunk(2, dim=2)
        return mean, log_sigma.clamp(min=self.floor)

    def _condition(self, pairs: Tensor, style: Tensor) -> Tensor:
        styles = style[:, None].expand(-1, pairs.shape[1], -1)
        condition: Tensor = self.condition(torch.cat([pairs, styles], dim=2)).transpose(1, 2)
        return condition

    def hear(self, pairs: Tensor, style: Tensor) -> Tensor:
        """Return what every layer makes of the audio, (T, layers, 2 · channels), for `next`.

        Args:
            pairs: (T, 1102), normalised.
            style: style vector, (S,).
        """
        condition = self._condition(pairs[None], style[None])
        return torch.stack([layer.audio(condition)[0].T for layer in self.layers], dim=1)

    def begin(self) -> Memory:
        """Return the memory of a network that has seen nothing."""
        zero = self.first.weight.new_zeros(self.first.out_channels)
        return [deque([zero] * layer.dilation) for layer in self.layers]

    def next(self, history: Tensor, heard: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Predict one frame as `forward` does, (12,) each, and keep what later ones need.

        Args:
            history: pose and velocity of the frame before, (12,), normalised.
            heard: the frame's row of `hear`, (layers, 2 · channels).
            memory: of `begin`, changed in place.
        """
        x = _pointwise(self.first, history)
        total = x.new_zeros(())
        for layer, audio, past in zip(self.layers, heard, memory, strict=True):
            x, part = layer.next(x, audio, past)
            total = total + part
        hidden = _pointwise(self.hidden, total.relu())
        mean, log_sigma = _pointwise(self.last, hidden.relu()).chunk(2)
        return mean, log_sigma.clamp(min=self.floor)


def _pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """Apply a convolution of one frame's width to one frame, (C,)."""
    return F.linear(x, layer.weight[:, :, 0], layer.bias)
