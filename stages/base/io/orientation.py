"""How a player turns and mirrors a frame: the display matrix of its side data."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.base.io.image_io import Image

_MATRIX = struct.Struct("=9i")  # of FFmpeg: row vectors (x, y, 1) times it, in 16.16 fixed point


@dataclass(frozen=True)
class Orientation:
    """A turn by a multiple of 90 degrees, with or without a mirror.

    Attributes:
        transposed: rows become columns, before the flips.
        flip_x: left and right are exchanged.
        flip_y: top and bottom are exchanged.
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: Any) -> "Orientation":
        """Read a decoded frame's display matrix; other angles become the nearest quarter turn."""
        data = frame.side_data.get("DISPLAYMATRIX")
        if data is None or data.buffer_size != _MATRIX.size:
            return cls()
        a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data))
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(flip_x=a < 0, flip_y=d < 0)
        return cls(transposed=True, flip_x=c < 0, flip_y=b < 0)

    def apply(self, image: Image) -> Image:
        """Turn a stored image, (H, W, 3), as it is shown: (H, W, 3), or (W, H, 3) if transposed."""
        shown = image.transpose(1, 0, 2) if self.transposed else image
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in (self.flip_y, self.flip_x))
        return np.ascontiguousarray(shown[steps])
