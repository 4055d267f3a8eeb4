"""The encoder of Whisper: a frozen network that has heard many voices.

Its middle layers tell the sounds of speech apart across voices and rooms (Radford et al. 2022;
section "Audio" of docs/method.md). A sound is encoded in windows of ten seconds on a fixed grid,
of which the nine in the middle are kept: memory stays flat, and the activations depend neither on
where a sound is cut into pieces nor on who encodes it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from stages.base.arrays import Floats32
from stages.base.io.timebase import AUDIO_RATE
from stages.base.training import pretrained
from stages.speech.activations import KEPT, STEP, Halves
from stages.speech.mel import Read

LAYERS = (2, 3, 4)  # whose outputs are the activations, counted from 1
MARGIN = 25  # rows of a window before and after those that are kept
FFT, HOP, BANDS = 400, 160, 80  # of Whisper's log-mel
_FLOOR, _RANGE = 1e-10, 8.0  # of the power; decades below a window's maximum
_NAMES = (
    ("encoder/position_encodings/encodings", "positions"),
    ("encoder/layer_norm", "norm"),
    ("encoder/layer_", "blocks."),
    ("encoder/", ""),
    ("self_attention/layer_norm", "attention_norm"),
    ("self_attention/linear_0", "attention"),
    ("self_attention/linear_1", "attended"),
    ("ffn/layer_norm", "norm"),
    ("ffn/linear_0", "wide"),
    ("ffn/linear_1", "narrow"),
    ("gamma", "weight"),
    ("beta", "bias"),
)
_HEAD = 64  # width of an attention head


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each after its normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.attended = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, width) to the same shape."""
        heads = self.attention(self.attention_norm(x)).unflatten(2, (3, -1, _HEAD))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        x = x + self.attended(mixed.transpose(1, 2).flatten(2))
        return cast("Tensor", x + self.narrow(F.gelu(self.wide(self.norm(x)))))


class Encoder(nn.Module):
    """Whisper's encoder: two convolutions, positions, pre-norm blocks.

    Args:
        width: of a row: 384 (tiny) or 512 (base).
        blocks: 4 or 6.
        positions: longest input, rows.
    """

    def __init__(self, width: int, blocks: int, positions: int = 1500) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(positions, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor) -> Tensor:
        """Map log-mel, (B, 80, 2T), to what Whisper's decoder reads, (B, T, width)."""
        return cast("Tensor", self.norm(self.layers(mel, len(self.blocks))[-1]))

    def layers(self, mel: Tensor, count: int) -> list[Tensor]:
        """Map log-mel, (B, 80, 2T), to the output of each of the first blocks, (B, T, width)."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x, outputs = x + self.positions[: x.shape[1]], []
        for block in self.blocks[:count]:
            x = block(x)
            outputs.append(x)
        return outputs


class SoundEncoder:
    """Encodes one sound, window by window.

    Args:
        network: of `load`.
        read: returns the samples `first` to `last` (exclusive), fewer at the end of the sound.
        samples: length of the sound, 16 kHz.

    Attributes:
        rows: of the sound, at least 1; row i is about the moment i · 20 ms.
        width: of a row.
        windows: number of windows; window i keeps the rows from i · KEPT on.
    """

    def __init__(self, network: Encoder, read: Read, samples: int) -> None:
        self.network, self.read = network, read
        self.rows = max(1, ceil(samples / STEP))
        self.windows = ceil(self.rows / KEPT)
        self.width = len(LAYERS) * network.positions.shape[1]

    def nothing(self) -> Halves:
        """Return no rows."""
        return np.zeros((0, self.width), np.float16)

    def window(self, index: int) -> Halves:
        """Return the activations that a window keeps, (KEPT or fewer, width)."""
        row = index * KEPT
        mel = log_mel(self._samples((row - MARGIN) * STEP - FFT // 2))
        with torch.inference_mode(), _one_thread():
            found = self.network.layers(torch.from_numpy(mel)[None], max(LAYERS))
        kept = torch.cat([found[layer - 1] for layer in LAYERS], dim=2)[0, MARGIN : MARGIN + KEPT]
        return np.asarray(kept[: self.rows - row].numpy(), np.float16)

    def _samples(self, first: int) -> Floats32:
        """Read the samples of a window; beyond the sound there is silence."""
        sound = np.zeros(2 * (KEPT + 2 * MARGIN) * HOP + FFT - HOP, np.float32)
        found = self.read(max(first, 0), first + len(sound))
        begin = max(-first, 0)
        sound[begin : begin + len(found)] = found
        return sound


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: other numbers may give other bytes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load(name: str) -> Encoder:
    """Load an encoder by its name in the table of weights; raise BadWeights if it cannot."""
    return build(pretrained.load(name))


def build(tensors: Mapping[str, Tensor]) -> Encoder:
    """Build the encoder from the variables of a CTranslate2 file, in eval mode and float32."""
    blocks = sum(name.endswith("ffn/linear_0/weight") for name in tensors)
    positions, width = tensors["encoder/position_encodings/encodings"].shape
    network = Encoder(width, blocks, positions)
    network.load_state_dict({_own_name(name): value.float() for name, value in tensors.items()})
    return network.eval().requires_grad_(requires_grad=False)


def _own_name(name: str) -> str:
    """Translate the name of a variable to that of a parameter of `Encoder`."""
    for theirs, ours in _NAMES:
        name = name.replace(theirs, ours)
    return name.replace("/", ".")


def log_mel(samples: Floats32) -> Floats32:
    """Compute Whisper's log-mel, (80, N), of 160 · N + 240 samples; frame i begins at 160 · i.

    Hann window of 400 samples, Slaney's filters, log10 of the power within 80 dB of the loudest,
    (x + 4) / 4.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), FFT)[::HOP]
    power = np.abs(np.fft.rfft(windows * _hann())) ** 2
    levels = np.log10(np.maximum(power @ _filters().T, _FLOOR)).T
    levels = np.maximum(levels, levels.max() - _RANGE)
    return np.asarray((levels + 4) / 4, np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    from scipy.signal import get_window

    return np.asarray(get_window("hann", FFT), np.float64)


@cache
def _filters() -> NDArray[np.float64]:
    """Return Slaney's mel filter bank, (80, 201)."""
    from librosa.filters import mel

    return np.asarray(mel(sr=AUDIO_RATE, n_fft=FFT, n_mels=BANDS, dtype=np.float64))
