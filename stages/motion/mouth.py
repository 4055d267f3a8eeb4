"""The mouth networks: audio features and a style vector to displacements from the mean face.

Sources: the LSTM is that of Live Speech Portraits (LSP). The TCN is ours: one small convolutional
network for all people, with feature-wise linear modulation (FiLM, Perez et al. 2018) by the style
at every block. Both delay their output by the look-ahead, and both continue from a state.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.motion.networks import LANDMARKS
from stages.motion.params import LstmParams, TcnParams

State = tuple[Tensor, ...]
_KERNEL = 3


class MouthNetwork(nn.Module):
    """What both mouth networks share."""

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Predict displacements, (B, T, 68, 3), in units of the person's `mouth_scale`.

        Args:
            features: normalised audio features of frames, (B, T, 2D).
            style: style vectors, (B, S).

        Row i belongs to frame i − look-ahead.
        """
        return self.step(features, style, None)[0]

    def step(self, features: Tensor, style: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Predict as `forward`, continuing from a state, and return the final state."""
        raise NotImplementedError

    def scale_output(self, factor: float) -> None:
        """Multiply the network's output by a factor."""
        raise NotImplementedError


class StyledBlock(nn.Module):
    """A causal dilated convolution, FiLM by the style, an activation and a shortcut.

    Args:
        width: channels.
        dilation: frames between the three taps.
        shift: frames by which the shortcut is delayed: the dilation gives the middle tap.
        style: size of the style vector.
    """

    def __init__(self, width: int, dilation: int, shift: int, style: int) -> None:
        super().__init__()
        self.past, self.shift = (_KERNEL - 1) * dilation, shift
        self.convolution = nn.Conv1d(width, width, _KERNEL, dilation=dilation)
        self.film = nn.Linear(style, 2 * width)

    def forward(self, x: Tensor, style: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, T) with its earlier rows, (B, C, past); return both for the next call."""
        rows = torch.cat([past, x], dim=2)
        scale, move = self.film(style)[..., None].chunk(2, dim=1)
        styled = F.leaky_relu((1 + scale) * self.convolution(rows) + move, 0.2)
        first = self.past - self.shift
        return rows[:, :, first : first + x.shape[2]] + styled, rows[:, :, x.shape[2] :]


class MouthTcn(MouthNetwork):
    """Predicts the principal components of lips and jaw.

    Args:
        params: width, dilations and number of components.
        style: size of the style vector.
        features: size of a frame's audio features.
        ahead: the look-ahead, frames; shortcuts are centred as far as it allows.
    """

    basis: Tensor

    def __init__(self, params: TcnParams, style: int, features: int, ahead: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(features, params.width, 1)
        self.blocks = nn.ModuleList()
        for dilation in params.dilations:
            shift = min(dilation, ahead)
            ahead -= shift
            self.blocks.append(StyledBlock(params.width, dilation, shift, style))
        self.last = nn.Conv1d(params.width, params.components, 1)
        self.register_buffer("basis", torch.zeros(params.components, LANDMARKS * 3))

    def step(self, features: Tensor, style: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Predict as `forward`, continuing from a state, and return the final state."""
        x = F.leaky_relu(self.first(features.transpose(1, 2)), 0.2)
        after: list[Tensor] = []
        for index, module in enumerate(self.blocks):
            block = cast("StyledBlock", module)
            # Before the first frame there is nothing: zeros.
            past = x.new_zeros(*x.shape[:2], block.past) if state is None else state[index]
            x, rows = block(x, style, past)
            after.append(rows)
        components = self.last(x).transpose(1, 2)
        return (components @ self.basis).unflatten(2, (LANDMARKS, 3)), tuple(after)

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the network's output by a factor."""
        self.basis.mul_(factor)

    @torch.no_grad()
    def amplify(self, gains: Tensor) -> None:
        """Multiply each component's motion by a gain, (C,)."""
        self.basis.mul_(gains[:, None])


class MouthLstm(MouthNetwork):
    """LSP's network; it learns what the population's regression leaves."""

    def __init__(self, params: LstmParams, style: int, features: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Linear(features, params.width),
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

    def step(self, features: Tensor, style: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Predict as `forward`, continuing from a state, and return the final state."""
        styles = style[:, None].expand(-1, features.shape[1], -1)
        hidden, final = self.lstm(torch.cat([self.down(features), styles], dim=2), state)
        flat = self.out(torch.cat([hidden, styles], dim=2))
        return flat.unflatten(2, (LANDMARKS, 3)), final

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the network's output by a factor."""
        last = cast("nn.Linear", self.out[-1])
        last.weight.mul_(factor)
        last.bias.mul_(factor)
