"""A small encoder of Whisper's form with random weights, and sounds for it."""

import numpy as np
import torch

from stages.speech.whisper import Encoder, SoundEncoder


def small_network(width: int = 64) -> Encoder:
    """Return an encoder of four blocks with random weights."""
    torch.manual_seed(0)
    network = Encoder(width, 4, 600)
    torch.nn.init.normal_(network.positions, std=0.5)
    return network.eval().requires_grad_(requires_grad=False)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Return noise whose loudness changes four times a second, (S,)."""
    count = round(16000 * seconds)
    loud = 0.1 + 0.1 * np.sin(2 * np.pi * 4 * np.arange(count) / 16000)
    return (loud * np.random.default_rng(seed).normal(size=count)).astype(np.float32)


def encoder_of(sound: np.ndarray, network: Encoder | None = None) -> SoundEncoder:
    """Return the encoder of a sound in memory."""

    def read(first: int, last: int) -> np.ndarray:
        return sound[first:last]

    return SoundEncoder(network or small_network(), read, len(sound))


class Counted:
    """Activations whose rows are their own numbers, in two columns."""

    rows = 100

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def read(self, first: int, end: int) -> np.ndarray:
        assert 0 <= first < end <= self.rows
        self.asked.append((first, end))
        return np.repeat(np.arange(first, end, dtype=np.float16)[:, None], 2, axis=1)
