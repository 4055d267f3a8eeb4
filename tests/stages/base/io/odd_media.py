"""Write small media that players show and FFmpeg's defaults do not: made of numbers."""

import struct
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
    count: int = 5,
) -> None:
    """Write equal pictures; `setup` gets the stream before it is opened."""
    with av.open(f"file:{path}", "w") as out:
        stream: Any = out.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
        if setup:
            setup(stream)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_sound(
    path: Path,
    parts: list[tuple[int, str]],
    codec: str = "ac3",
    container: str = "mpegts",
    like: str = "noise",
) -> None:
    """Write a second in each (rate, channel layout), one after another in one stream.

    Args:
        like: noise in each channel; `centre`, a voice of one person, in both channels of stereo or
            the centre of 5.1; `loud`, a full tone in each channel.
    """
    rate = parts[0][0]
    with av.open(f"file:{path}", "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=parts[0][1])
        first = Fraction(0)
        for rate, layout in parts:
            encoder: Any = av.CodecContext.create(codec, "w")
            encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
            encoder.bit_rate, encoder.time_base = 192000, Fraction(1, rate)
            encoder.open()
            for packet in _encoded(encoder, rate, layout, round(first * rate), like):
                packet.stream = stream
                out.mux(packet)
            first += 1


def _encoded(encoder: Any, rate: int, layout: str, first: int, like: str) -> list[Any]:
    channels, size = av.AudioLayout(layout).nb_channels, encoder.frame_size
    sound = 0.2 * np.random.default_rng(0).standard_normal((channels, rate))
    if like == "loud":
        sound[:] = 0.9 * np.sin(np.arange(rate) / 40)
    elif like == "centre":
        sound[:] = sound[0].copy()
        sound[[i for i in range(channels) if channels > 2 and i != 2]] = 0
    packets = []
    for start in range(0, rate - size + 1, size):
        piece = np.ascontiguousarray(sound[:, start : start + size].astype(np.float32))
        frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first + start
        packets += encoder.encode(frame)
    return packets


def write_light(path: Path, nits: NDArray[np.float64], transfer: int, primaries: int) -> None:
    """Write linear RGB in cd/m², (H, W, 3), as 10 bits of PQ (16), HLG (18) or a power of 2.4."""
    if transfer == 16:
        part = (nits / 1e4) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * part) / (1 + 18.6875 * part)) ** 78.84375
    elif transfer == 18:
        scene = (nits / 1000) ** (1 / 1.2)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    else:
        signal = (nits / 203) ** (1 / 2.4)
    stored = np.round(np.clip(signal, 0, 1) * 65535).astype(np.uint16)
    with av.open(f"file:{path}", "w") as out:
        stream: Any = out.add_stream("ffv1", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *stored.shape[:2], "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer, primaries
        context.colorspace, context.color_range = 9, 1
        frame = av.VideoFrame.from_ndarray(stored, format="rgb48le")
        frame = frame.reformat(format="yuv444p10le", dst_colorspace=9, dst_color_range=1)
        frame.colorspace, frame.color_range, frame.pts = 9, 1, 0
        frame.color_trc, frame.color_primaries = transfer, primaries
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_interlaced(path: Path, fields: list[NDArray[np.uint8]]) -> None:
    """Write RGB fields of twice the rate, (H, W, 3), as H.264 of interlaced frames, top first."""
    with av.open(f"file:{path}", "w") as out:
        options = {"x264-params": "tff=1:qp=4"}
        stream: Any = out.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = *fields[0].shape[:2], "yuv420p"
        for number, (top, bottom) in enumerate(zip(fields[::2], fields[1::2], strict=True)):
            woven = top.copy()
            woven[1::2] = bottom[1::2]
            frame = av.VideoFrame.from_ndarray(woven, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_wave(path: Path, samples: NDArray[Any], rate: int = 16000) -> None:
    """Write samples, (N, channels), int16 or float32, as WAV without a channel layout."""
    kind, bits = 1 if samples.dtype.kind == "i" else 3, samples.dtype.itemsize
    channels, data = samples.shape[1], samples.tobytes()
    header = struct.pack(
        "<HHIIHH", kind, channels, rate, rate * channels * bits, channels * bits, 8 * bits
    )
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data)
