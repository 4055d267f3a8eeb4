"""Read and write mono 16-bit WAV, the format of the clips' sound."""

import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from stages.base.io.timebase import AUDIO_RATE


def write_wav(
    path: Path, samples: NDArray[Any] | Iterable[NDArray[Any]], rate: int = AUDIO_RATE
) -> None:
    """Write mono 16-bit WAV, whole or not at all.

    Args:
        path: the file.
        samples: (N,) int16 or floats within -1 to 1, at once or in pieces.
        rate: samples per second.
    """
    pieces = [samples] if isinstance(samples, np.ndarray) else samples
    with atomic_file(path) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for piece in pieces:
            file.writeframesraw(to_int16(piece).tobytes())


def to_int16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Convert samples, int16 or floats within -1 to 1, to int16."""
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


def read_wav(
    path: Path, start: int = 0, stop: int | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read samples [start, stop) of mono 16-bit WAV: (N,) within -1 to 1, and the rate."""
    with wave.open(str(path), "rb") as file:
        end = file.getnframes() if stop is None else min(stop, file.getnframes())
        file.setpos(min(start, file.getnframes()))
        samples = np.frombuffer(file.readframes(max(end - start, 0)), np.int16)
        return samples.astype(np.float32) / np.float32(32768), file.getframerate()
