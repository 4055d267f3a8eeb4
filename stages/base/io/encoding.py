"""Write video as MP4 (H.264 and AAC): the same input gives the same bytes."""

import platform
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import UserError
from stages.base.io.image_io import Image
from stages.base.io.wav_files import to_int16

_ITU709 = 1

# x264's AVX-512 code sometimes writes other bytes (bench/encoding.py). Its SSE4.2 code does not,
# and every x86 that runs numpy has it.
X264 = {"preset": "medium"} | (
    {"x264-params": "asm=sse4.2"} if platform.machine().lower() in ("x86_64", "amd64") else {}
)


def encode_video(
    path: Path,
    pictures: Iterable[Image],
    fps: float,
    sound: tuple[NDArray[Any], int] | None = None,
    crf: int = 18,
) -> None:
    """Write H.264 (and AAC) as MP4, whole or not at all.

    Args:
        path: the file, ending in .mp4.
        pictures: RGB (H, W, 3), all of one size, H and W even.
        fps: frames per second.
        sound: mono samples (N,), int16 or floats within -1 to 1, and their rate.
        crf: x264's constant quality, 0 (lossless) to 51.
    """
    import av

    with (
        atomic_file(path) as part,
        av.open(f"file:{part}", "w", options={"movflags": "+faststart"}) as out,
    ):
        out.metadata.clear()
        rate = Fraction(fps).limit_denominator(1001)
        stream = out.add_stream("libx264", rate=rate, options={"crf": str(crf), **X264})
        audio = audio_stream(out, sound[1]) if sound is not None else None
        set_format(stream)
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = even_size(path, picture)
            out.mux(stream.encode(yuv_frame(picture, index)))
        out.mux(stream.encode(None))
        if sound is not None:
            _encode_sound(out, audio, *sound)


def even_size(path: Path, picture: Image) -> tuple[int, int]:
    """Return a picture's height and width; raise UserError if H.264 cannot encode them."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        raise UserError(path, f"expected even height and width, found {height} × {width}")
    return height, width


def set_format(stream: Any) -> None:
    """Set the pixels of a video stream, and all that its bytes depend on."""
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1  # the bytes depend on it
    context.colorspace = context.color_primaries = context.color_trc = _ITU709
    context.color_range = 1


def yuv_frame(picture: Image, index: int) -> Any:
    """Convert a picture, RGB (H, W, 3), to a frame of a video."""
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = frame.reformat(
        format="yuv420p", dst_colorspace=_ITU709, dst_color_range=1, interpolation="AREA", threads=1
    )
    frame.pts = index
    return frame


def audio_stream(out: Any, rate: int) -> Any:
    """Add a mono AAC stream to a container."""
    stream = out.add_stream("aac", rate=rate, layout="mono")
    stream.bit_rate = 128_000 if rate >= 32000 else 64_000
    return stream


def _encode_sound(out: Any, stream: Any, samples: NDArray[Any], rate: int) -> None:
    from av import AudioFrame

    mono = to_int16(np.asarray(samples)).reshape(1, -1)
    for first in range(0, mono.shape[1], 1024):
        frame = AudioFrame.from_ndarray(mono[:, first : first + 1024].copy(), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
