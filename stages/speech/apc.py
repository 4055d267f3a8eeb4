"""Autoregressive predictive coding: a network that predicts the mel frame `ahead` steps on.

Its last recurrent layer is the speech representation (Chung et al. 2019; section "Audio" of
docs/method.md).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.base.training.model_files import load_weights
from stages.speech.artifacts import AUDIO_MODEL
from stages.speech.mel import BANDS, DECIBELS

States = list[Tensor]
_MEAN, _SPREAD = 0.35, 0.15  # measured on levelled speech; few steps suffice from there
_KNEE = 0.1  # of the mel's range above silence: 12 dB


class APC(nn.Module):
    """Recurrent layers, residual from the second on, and a linear prediction of mel frames.

    Args:
        hidden: size of a layer, and of the representation.
        layers: how many.
        residual: add a layer's input to its output, as Chung et al. do.
    """

    def __init__(self, hidden: int = 512, layers: int = 3, *, residual: bool = True) -> None:
        super().__init__()
        sizes = [BANDS, *[hidden] * (layers - 1)]
        self.layers = nn.ModuleList(nn.GRU(size, hidden, batch_first=True) for size in sizes)
        self.predict = nn.Linear(hidden, BANDS)
        self.residual = residual

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return prediction (B, T, 80) and representation (B, T, hidden) of mel (B, T, 80)."""
        x, _ = self.represent(mel)
        return _MEAN + _SPREAD * self.predict(x), x

    def represent(self, mel: Tensor, states: Sequence[Tensor] = ()) -> tuple[Tensor, States]:
        """Return the representation and the layers' final states, for the next block."""
        x, after = (mel - _MEAN) / _SPREAD, []
        for index, layer in enumerate(self.layers):
            y, state = layer(x, states[index] if states else None)
            x = x + y if self.residual and index else y
            after.append(state)
        return x, after


def apc_loss(predicted: Tensor, mel: Tensor, valid: Tensor, ahead: int) -> Tensor:
    """Return the mean L1 of predictions to the frames `ahead` steps on.

    Args:
        predicted: (B, T, 80).
        mel: (B, T, 80).
        valid: frames that are sound and not padding, (B, T).
        ahead: steps n; the last n predictions have no target.
    """
    error = (predicted[:, :-ahead] - mel[:, ahead:]).abs().mean(-1)
    counts = valid[:, ahead:].to(error.dtype)
    return (error * counts).sum() / counts.sum().clamp(min=1)


def loudness_gain_db(energy: NDArray[np.floating], level: float) -> float:
    """Return the gain in dB that brings a sound's loud passages (95th percentile) to a level.

    With it, a quiet recording has the features of a loud one. The gain of silence is 0. Ours.
    """
    loud = float(np.percentile(energy, 95)) if len(energy) else level
    return float(np.clip(level - loud, -40.0, 40.0)) if loud > -80 else 0.0


def levelled(mel: NDArray[np.float32], gain_db: float) -> NDArray[np.float32]:
    """Apply a gain to mel frames (…, 80): g dB add g / 120, but digital silence stays silence."""
    moved = mel + gain_db / DECIBELS * np.minimum(1.0, mel / _KNEE)
    return np.asarray(np.clip(moved, 0.0, 1.0), np.float32)


def build(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], path: Path = AUDIO_MODEL
) -> APC:
    """Rebuild a trained network from the tensors and configuration of a file, in eval mode.

    Raises:
        BadFormat: the tensors are not those of the configuration.
        ValueError: they are not of so many layers; building these could take all memory.
    """
    hidden, layers, residual = config["hidden"], config["layers"], config["residual"]
    if 4 * layers + 2 != len(tensors):  # four of each layer, two of the prediction
        raise ValueError(f"expected the tensors of {layers} layers, found {len(tensors)} tensors")
    network = load_weights(path, lambda: APC(hidden, layers, residual=residual), tensors)
    return network.eval().requires_grad_(requires_grad=False)
