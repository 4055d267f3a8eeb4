"""Write small media that players show and FFmpeg's defaults do not: made of numbers."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

FPS = 25


def corners(red: tuple[int, int] = (0, 0), height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """Return a gray picture, (H, W, 3), with one red quarter: (0, 0) is top left."""
    picture = np.full((height, width, 3), 90, np.uint8)
    row, column = red[0] * height // 2, red[1] * width // 2
    picture[row : row + height // 2, column : column + width // 2] = (220, 30, 30)
    return picture


def write_pictures(
    path: Path,
    picture: NDArray[np.uint8],
    setup: Callable[[Any], None] | None = None,
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
) -> None:
    """Write five equal pictures; `setup` gets the stream before it is opened."""
    with av.open(f"file:{path}", "w") as out:
        stream: Any = out.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
        if setup:
            setup(stream)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_sound(
    path: Path, parts: list[tuple[int, str]], codec: str = "ac3", container: str = "mpegts"
) -> None:
    """Write a second of noise in each (rate, channel layout), one after another in one stream."""
    rate = parts[0][0]
    with av.open(f"file:{path}", "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=parts[0][1])
        first = Fraction(0)
        for rate, layout in parts:
            encoder: Any = av.CodecContext.create(codec, "w")
            encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
            encoder.bit_rate, encoder.time_base = 192000, Fraction(1, rate)
            encoder.open()
            for packet in _encoded(encoder, rate, layout, round(first * rate)):
                packet.stream = stream
                out.mux(packet)
            first += 1


def _encoded(encoder: Any, rate: int, layout: str, first: int) -> list[Any]:
    channels, size = av.AudioLayout(layout).nb_channels, encoder.frame_size
    noise = 0.2 * np.random.default_rng(0).standard_normal((channels, rate))
    packets = []
    for start in range(0, rate - size + 1, size):
        piece = np.ascontiguousarray(noise[:, start : start + size].astype(np.float32))
        frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first + start
        packets += encoder.encode(frame)
    return packets
