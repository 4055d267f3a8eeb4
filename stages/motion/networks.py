"""The head pose network, conditioned on a style vector, and the losses of the motion model.

Source: Live Speech Portraits, LSP (WaveNet with one Gaussian); the style vector is ours. Losses are
means over the frames of a mask.
"""

import math
from collections import deque

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.motion.params import PoseParams

POSE = 6  # rotation vector and translation about the rest
LANDMARKS = 68

Memory = list[deque[Tensor]]


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
        """Return the next layer's input and the skip connection of (B, C, T) and its condition."""
        past = F.pad(x, (self.dilation, 0))
        value, gate = (self.dilated(past) + self.audio(condition)).chunk(2, dim=1)
        gated = torch.tanh(value) * torch.sigmoid(gate)
        return x + self.residual(gated), self.skip(gated)

    def step(self, x: Tensor, audio: Tensor, past: deque[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute `forward` for one frame, (C,) each; `past` holds earlier inputs."""
        weight = self.dilated.weight
        previous = past.popleft()
        past.append(x)
        mixed = F.linear(previous, weight[:, :, 0], self.dilated.bias) + audio
        value, gate = (mixed + F.linear(x, weight[:, :, 1])).chunk(2)
        gated = torch.tanh(value) * torch.sigmoid(gate)
        return x + _pointwise(self.residual, gated), _pointwise(self.skip, gated)


class PoseNet(nn.Module):
    """WaveNet: the Gaussian of the next pose and velocity, given previous ones and the audio."""

    def __init__(self, params: PoseParams, style: int, features: int) -> None:
        super().__init__()
        self.floor = math.log(params.sigma)
        self.receptive = params.blocks * (2**params.layers - 1) + 1
        self.condition = nn.Linear(features + style, params.condition)
        self.first = nn.Conv1d(2 * POSE, params.channels, 1)
        dilations = [2**i for _ in range(params.blocks) for i in range(params.layers)]
        self.layers = [GatedLayer(dilation, params) for dilation in dilations]
        self.stack = nn.ModuleList(self.layers)
        self.hidden = nn.Conv1d(params.skip, params.skip, 1)
        self.last = nn.Conv1d(params.skip, 4 * POSE, 1)

    def forward(self, history: Tensor, features: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Predict mean and log σ, (B, T, 12) each, of every frame.

        Args:
            history: pose and velocity of the previous frame, (B, T, 12), normalised.
            features: audio features, moved by the look-ahead, (B, T, 2D), normalised.
            style: style vectors, (B, S).

        Frame t depends on rows t - receptive + 1 to t of history and features.
        """
        condition = self._condition(features, style)
        x = self.first(history.transpose(1, 2))
        total = x.new_zeros(())
        for layer in self.layers:
            x, part = layer(x, condition)
            total = total + part
        out = self.last(self.hidden(total.relu()).relu())
        mean, log_sigma = out.transpose(1, 2).chunk(2, dim=2)
        return mean, log_sigma.clamp(min=self.floor)

    def _condition(self, features: Tensor, style: Tensor) -> Tensor:
        styles = style[:, None].expand(-1, features.shape[1], -1)
        condition: Tensor = self.condition(torch.cat([features, styles], dim=2)).transpose(1, 2)
        return condition

    def layer_conditions(self, features: Tensor, style: Tensor) -> Tensor:
        """Compute every layer's audio condition, (T, layers, 2 · channels), for `step`.

        Args:
            features: (T, 2D), normalised.
            style: style vector, (S,).
        """
        condition = self._condition(features[None], style[None])
        return torch.stack([layer.audio(condition)[0].T for layer in self.layers], dim=1)

    def initial_memory(self) -> Memory:
        """Return each layer's earlier inputs before the first frame: zeros."""
        zero = self.first.weight.new_zeros(self.first.out_channels)
        return [deque([zero] * layer.dilation) for layer in self.layers]

    def step(self, history: Tensor, conditions: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Predict one frame as `forward` does, (12,) each, and update the memory.

        Args:
            history: pose and velocity of the previous frame, (12,), normalised.
            conditions: the frame's row of `layer_conditions`, (layers, 2 · channels).
            memory: of `initial_memory`, changed in place.
        """
        x = _pointwise(self.first, history)
        total = x.new_zeros(())
        for layer, audio, past in zip(self.layers, conditions, memory, strict=True):
            x, part = layer.step(x, audio, past)
            total = total + part
        hidden = _pointwise(self.hidden, total.relu())
        mean, log_sigma = _pointwise(self.last, hidden.relu()).chunk(2)
        return mean, log_sigma.clamp(min=self.floor)


def _pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """Apply a convolution of kernel size 1 to one frame, (C,)."""
    return F.linear(x, layer.weight[:, :, 0], layer.bias)


def gaussian_nll(target: Tensor, mean: Tensor, log_sigma: Tensor, mask: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of targets under Gaussians, nats a number.

    Args:
        target: (B, T, D).
        mean: (B, T, D).
        log_sigma: logarithms of the standard deviations, (B, T, D).
        mask: 1 where a frame counts, (B, T).

    Source: LSP's head pose loss, ½ ((y - μ) / σ)² + log σ + ½ log 2π.
    """
    error = (target - mean) * (-log_sigma).exp()
    nll = 0.5 * error.square() + log_sigma + 0.5 * math.log(2 * math.pi)
    return _masked_mean(nll.mean(2), mask)


def displacement_loss(
    predicted: Tensor, true: Tensor, weights: Tensor, mask: Tensor, velocity: float
) -> Tensor:
    """Return the weighted squared error of displacements and of their change.

    Args:
        predicted: (B, T, 68, 3).
        true: (B, T, 68, 3).
        weights: of the landmarks, (68,); normalised to mean 1.
        mask: 1 where a frame counts, (B, T).
        velocity: weight of the error of the change from frame to frame.

    Source: LSP's MSE; the weights of the landmarks and the velocity are ours.
    """
    scale = weights[:, None] / weights.mean()
    loss = _masked_mean(((predicted - true).square() * scale).mean((2, 3)), mask)
    if velocity:
        change = (predicted[:, 1:] - predicted[:, :-1]) - (true[:, 1:] - true[:, :-1])
        both = mask[:, 1:] * mask[:, :-1]
        loss = loss + velocity * _masked_mean((change.square() * scale).mean((2, 3)), both)
    return loss


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
