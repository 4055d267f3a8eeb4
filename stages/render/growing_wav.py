"""A WAV file that another program still writes, read as it grows."""

import struct
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError

_POLL = 0.005  # s between looks at the file's size
_BEGINS = 60.0  # s that the file may stay without samples
_ENDED = 1.0  # s without growth after which the sound has ended
_PCM, _EXTENSIBLE = 1, 0xFFFE
_UNKNOWN = 0xFFFFFF00  # sizes from here, and 0, stand for a size that is not known yet
_LONGEST_HEADER = 65536


class GrowingWav:
    """The sound of a growing WAV file of 16-bit PCM.

    Args:
        path: the file; it may be empty when this begins.

    Attributes:
        rate: samples per second.

    Raises:
        UserError: the file has content that does not begin as such a WAV file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rate, self._channels, self._begin = path, 0, 0, 0
        self._size, self._grown = 0, time.monotonic()
        self._read_header()

    def _read_header(self) -> bool:
        """Read the header, if it is whole; return whether it is."""
        with self.path.open("rb") as file:
            start = file.read(12)
            if len(start) == 12 and (start[:4], start[8:]) != (b"RIFF", b"WAVE"):
                raise UserError(self.path, f"expected a WAV file, found {start[:4]!r}")
            while len(head := file.read(8)) == 8 and file.tell() < _LONGEST_HEADER:
                name, size = head[:4], int(struct.unpack("<I", head[4:])[0])
                if name == b"data":
                    self._begin = file.tell()
                    break
                body = file.read(size + size % 2)
                if name == b"fmt " and len(body) >= 16:
                    self._read_format(body)
        return bool(self._begin and self.rate)

    def _read_format(self, body: bytes) -> None:
        kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
        if kind not in (_PCM, _EXTENSIBLE) or bits != 16 or not channels or not rate:
            found = f"expected 16-bit PCM, found format {kind} of {bits} bits"
            raise UserError(self.path, found, "convert it: `ffmpeg -i VOICE -c:a pcm_s16le`")
        self._channels, self.rate = channels, rate

    def open(self) -> None:
        """Wait for the first samples; raise UserError if none come within a minute."""
        self._grown = time.monotonic()
        while not (self._read_header() and self.samples()):
            if self._ended():
                raise UserError(self.path, "expected a WAV file, found no sound")
            time.sleep(_POLL)

    def samples(self) -> int:
        """Return the number of samples that are there."""
        return max(0, self.path.stat().st_size - self._begin) // (2 * self._channels)

    def wait(self, count: int) -> bool:
        """Wait until so many samples are there; return False if the sound ends before."""
        while self.samples() < count:
            if self._ended():
                return False
            time.sleep(_POLL)
        return True

    def _ended(self) -> bool:
        """Return whether the file has not grown for a while."""
        now, size = time.monotonic(), self.path.stat().st_size
        if size != self._size:
            self._size, self._grown = size, now
        begun = self._begin and self.samples()
        return now - self._grown > (_ENDED if begun else _BEGINS)

    def total(self) -> int:
        """Return the number of samples of an ended sound, without chunks that follow it."""
        with self.path.open("rb") as file:
            file.seek(self._begin - 4)
            size = int(struct.unpack("<I", file.read(4))[0])
        known = size // (2 * self._channels) if 0 < size < _UNKNOWN else self.samples()
        return min(known, self.samples())

    def read(self, first: int, end: int) -> NDArray[np.int16]:
        """Return the samples first to end (exclusive), mixed to mono; fewer at the end."""
        width = 2 * self._channels
        with self.path.open("rb") as file:
            found = _read_at(file, self._begin + first * width, max(end - first, 0) * width)
        whole = np.frombuffer(found[: len(found) // width * width], "<i2")
        if self._channels == 1:
            return whole.astype(np.int16)
        return np.asarray(whole.reshape(-1, self._channels).mean(1).round(), np.int16)


def _read_at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)
