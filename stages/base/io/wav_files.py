"""Read and write mono 16-bit WAV, the format of the clips' sound."""

import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat
from stages.base.io.timebase import AUDIO_RATE

_AGAIN = "`idiolect verify` says how to make it again"


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
    """Read samples [start, stop) of mono 16-bit WAV: (N,) within -1 to 1, and the rate.

    Raises:
        BadFormat: the file is damaged, or has other samples.
    """
    with open_wav(path) as file:
        count = file.getnframes()
        first, end = min(start, count), count if stop is None else min(stop, count)
        file.setpos(first)
        content = file.readframes(max(end - first, 0))
        if len(content) < 2 * (end - first):
            raise BadFormat(path, f"is cut off: expected {count} samples", _AGAIN)
        samples = np.frombuffer(content, np.int16)
        return samples.astype(np.float32) / np.float32(32768), file.getframerate()


@contextmanager
def open_wav(path: Path) -> Iterator[wave.Wave_read]:
    """Open mono 16-bit WAV; raise BadFormat for a damaged file or other samples."""
    try:
        file = wave.open(str(path), "rb")  # noqa: SIM115 - closed below, where it could be opened
    except (wave.Error, EOFError) as error:
        found = f"is not a WAV file: {str(error) or 'it ends early'}"
        raise BadFormat(path, found, _AGAIN) from None
    with file:
        shape = (file.getnchannels(), 8 * file.getsampwidth())
        if shape != (1, 16):
            found = f"expected mono of 16 bits, found {shape[0]} channels of {shape[1]} bits"
            raise BadFormat(path, found, _AGAIN)
        yield file
