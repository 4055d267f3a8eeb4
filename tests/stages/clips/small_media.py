"""Small media for tests: a good clip, and files whose headers lie or that are no video."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from stages.base.io import image_io
from stages.base.io.encoding import encode_video

Random = np.random.Generator


def face_pictures(frames: int, size: int = 128) -> list[image_io.Image]:
    """A real face (NASA, public domain) that moves a little."""
    from skimage import data

    picture = data.astronaut()[:400, 30:430]
    moved = (picture[i % 5 : 380 + i % 5, 10:390] for i in range(frames))
    return [image_io.resize(np.ascontiguousarray(image), size) for image in moved]


def face_clip(path: Path, frames: int, size: int = 128) -> Path:
    """Write a video of that face, with a tone."""
    tone = np.sin(np.arange(frames * 640) / 10).astype(np.float32) / 4
    encode_video(path, face_pictures(frames, size), 25, (tone, 16000))
    return path


def large_jpegs(data: bytes, target: Path, random: Random) -> Path:
    """Motion JPEG whose container says 128×96 and whose pictures say 15000×15000."""
    path = target.with_suffix(".mov")
    _video(path, "mjpeg", "yuvj420p", [(128, 96)])
    sizes = [
        b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", *size) for size in ((96, 128), (15000,) * 2)
    ]
    path.write_bytes(path.read_bytes().replace(*sizes))
    return path


def large_raw(data: bytes, target: Path, random: Random) -> Path:
    """Write an AVI without compression whose header says 15000×15000."""
    path = target.with_suffix(".avi")
    _video(path, "huffyuv", "yuv422p", [(64, 64)])
    content = bytearray(path.read_bytes())
    at = content.find(b"strf")
    struct.pack_into("<ii", content, at + 12, 15000, 15000)
    path.write_bytes(content)
    return path


def wide_pixels(data: bytes, target: Path, random: Random) -> Path:
    path = target.with_suffix(".mkv")
    _video(path, "mpeg4", "yuv420p", [(512, 512)], Fraction(255, 1))
    return path


def endless(data: bytes, target: Path, random: Random) -> Path:
    """Matroska whose header promises thirty years."""
    path = target.with_suffix(".mkv")
    _video(path, "mpeg4", "yuv420p", [(128, 96)])
    content = bytearray(path.read_bytes())
    struct.pack_into(">d", content, content.find(b"\x44\x89\x88") + 3, 1e12)  # milliseconds
    path.write_bytes(content)
    return path


def changing_size(data: bytes, target: Path, random: Random) -> Path:
    path = target.with_suffix(".mkv")
    _video(path, "libvpx", "yuv420p", [(128, 96), (64, 48), (256, 192)])
    return path


def _video(
    path: Path, codec: str, pixels: str, sizes: list[tuple[int, int]], shape: Fraction | None = None
) -> None:
    """Write grey pictures, 25 of each size in one stream, beside a tone."""
    with av.open(str(path), "w") as out:
        streams = []
        for width, height in sizes:
            stream = (
                out.add_stream(codec, rate=25)
                if not streams
                else av.CodecContext.create(codec, "w")
            )
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            if streams:
                stream.time_base = Fraction(1, 25)
            if shape:
                stream.codec_context.sample_aspect_ratio = shape
            streams.append(stream)
        sound = out.add_stream("pcm_s16le", rate=16000, layout="mono")
        for i, stream in enumerate(streams):
            picture = np.full((sizes[i][1], sizes[i][0], 3), 90 + 40 * i, np.uint8)
            packets = []
            for k in range(25):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = 25 * i + k, Fraction(1, 25)
                packets += stream.encode(frame)
            for packet in packets + stream.encode(None):
                packet.stream = streams[0]
                out.mux(packet)
        tone = (np.sin(np.arange(16000 * len(sizes)) / 10) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


def sound_alone(data: bytes, target: Path, random: Random) -> None:
    with av.open(str(target), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000, layout="mono")
        tone = (np.sin(np.arange(32000) / 10) * 0.3).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def picture(data: bytes, target: Path, random: Random) -> None:
    target.write_bytes(image_io.encode_png(random.integers(0, 255, (90, 120, 3), np.uint8)))


def gif(data: bytes, target: Path, random: Random) -> Path:
    path = target.with_suffix(".gif")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        for k in range(20):
            picture = np.full((48, 64, 3), 10 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="rgb8")
            frame.pts = k
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
