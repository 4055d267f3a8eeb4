"""Activations of Whisper's layers for one sound, as rows of 20 ms: stored, or encoded when read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE
from stages.speech.artifacts import ACTIVATIONS, ACTIVATIONS_FOLDER
from stages.speech.mel import WINDOW

if TYPE_CHECKING:
    from stages.speech.whisper import SoundEncoder

Halves = NDArray[np.float16]  # any shape

STEP = 320  # samples from one row to the next: 20 ms
KEPT = 450  # rows that a window of the encoder yields
_GROUP = 450  # rows of the table in a row group


class Activations(Protocol):
    """The activations of one sound."""

    @property
    def rows(self) -> int:
        """Number of rows; row i is about the moment i · 20 ms."""

    def read(self, first: int, end: int) -> Halves:
        """Return the rows first to end (exclusive), (end - first, width)."""


class StoredActivations:
    """Activations in the table that `speech` wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, tables.count(path, ACTIVATIONS)
        self.width = tables.width(path, ACTIVATIONS, "layers")

    def read(self, first: int, end: int) -> Halves:
        """Read rows of the table."""
        found: Halves = tables.read(self.path, ACTIVATIONS, ["layers"], first, end)["layers"]
        return found


class EncodedActivations:
    """Activations that are encoded when they are first read; read them in order of time."""

    def __init__(self, encoder: "SoundEncoder") -> None:
        self.encoder, self.rows = encoder, encoder.rows
        self._window, self._found = -1, encoder.nothing()

    def read(self, first: int, end: int) -> Halves:
        """Encode the windows that hold the rows; the last one is kept for the next call."""
        parts = [self.encoder.nothing()]
        for index in range(first // KEPT, -(-end // KEPT)):
            if index != self._window:
                self._window, self._found = index, self.encoder.window(index)
            begin = index * KEPT
            parts.append(self._found[max(first - begin, 0) : end - begin])
        return np.concatenate(parts)


def activations_of(mel: Path) -> Path:
    """Return the path of the activations of the clip of a mel table."""
    return mel.parent / ACTIVATIONS_FOLDER / mel.name


def write_windows(encoder: "SoundEncoder", first: int, end: int, path: Path) -> None:
    """Write the windows that begin within the samples first to end (exclusive)."""
    span = KEPT * STEP
    indices = range(-(-first // span), min(-(-end // span), encoder.windows))
    fmt = ACTIVATIONS.sized(layers=encoder.width)
    with tables.writer(path, fmt, _GROUP) as add:
        for index in indices:
            rows = encoder.window(index)
            add({"row": index * KEPT + np.arange(len(rows)), "layers": rows})


def join_tables(pieces: Sequence[Path], path: Path) -> None:
    """Join the tables of a sound's pieces, in order."""
    width = tables.width(pieces[0], ACTIVATIONS, "layers")
    with tables.writer(path, ACTIVATIONS.sized(layers=width), _GROUP) as add:
        for piece in pieces:
            add(tables.read(piece, ACTIVATIONS))


def at_steps(activations: Activations, first: int, end: int, fps: float) -> Floats:
    """Interpolate activations in the middle of audio frames, (end - first, width).

    Args:
        activations: of the sound, at least one row; the first and last repeat beyond its ends.
        first: first audio frame, two per video frame.
        end: end (exclusive), above `first`.
        fps: video frames per second.
    """
    middle = np.arange(first, end) / (2 * fps) + WINDOW / AUDIO_RATE / 2
    place = np.clip(middle * AUDIO_RATE / STEP, 0, activations.rows - 1)
    before = np.floor(place).astype(np.int64)
    after = np.minimum(before + 1, activations.rows - 1)
    low = int(before[0])
    rows = activations.read(low, int(after[-1]) + 1).astype(np.float64)
    share = (place - before)[:, None]
    mixed: Floats = (1 - share) * rows[before - low] + share * rows[after - low]
    return mixed
