"""Read the frames of a video as a player shows them: RGB, upright, square pixels.

Times are seconds since the first frame. At most a few frames are in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any, TypeVar

import numpy as np

from stages.base.io.containers import (
    MAX_PIXELS,
    NotAVideo,
    TooLarge,
    decode,
    open_container,
    start_time,
    video_streams,
)
from stages.base.io.image_io import Image
from stages.base.io.orientation import Orientation

T = TypeVar("T")
_BT601, _BT709 = 5, 1  # color spaces of FFmpeg
_UNSPECIFIED = {2, 3, *range(15, 256)}  # and reserved ones
_UNKNOWN_MATRICES = {  # those that swscale cannot convert to RGB
    8: "YCgCo",
    10: "BT.2020 with constant luminance",
    11: "SMPTE 2085",
    12: "chromaticity-derived with non-constant luminance",
    13: "chromaticity-derived with constant luminance",
    14: "ICtCp",
}
# swscale's default darkens pictures of more than 8 bits by two grey levels: bilinear with
# accurate rounding and full chroma does not.
_EXACT = 0x2 | 0x40000 | 0x2000
_TICK = 5e-4  # seconds; time stamps are rounded to the container's ticks
_thread = local()


@dataclass(frozen=True)
class VideoFacts:
    """Properties of a video; width and height after rotation, with square pixels."""

    duration: float
    fps: float
    width: int
    height: int
    codec: str
    audio: bool


@dataclass(frozen=True)
class FrameConverter:
    """Converts decoded frames of one stream to RGB, upright, with square pixels.

    It holds no reference to the stream, which may be closed before its last frames are converted.

    Args:
        path: the video, for errors.
        aspect: width of a pixel over its height.
        max_pixels: of a frame.
        size: (height, width) that every frame is scaled to, or None for its own.
    """

    path: Path
    aspect: float
    max_pixels: int
    size: tuple[int, int] | None = None

    def __call__(self, frame: Any, max_width: int = 0) -> Image:
        """Return RGB (H, W, 3), scaled by area to `max_width` where it is given and smaller.

        Raises:
            NotAVideo: FFmpeg cannot convert its pixels or its color matrix.
            TooLarge: it has too many pixels.
        """
        orientation = Orientation.of(frame)
        width, height = self.square_width(frame.width, frame.height), frame.height
        if self.size is not None:
            height, width = self.size[::-1] if orientation.transposed else self.size
        how = _EXACT if frame.format.components[0].bits > 8 else "BILINEAR"
        if 0 < max_width < width:
            width, height, how = max_width, max(2, round(height * max_width / width)), "AREA"
        return orientation.apply(self._rgb(frame, width, height, how))

    def _rgb(self, frame: Any, width: int, height: int, how: int | str) -> Image:
        """Scale a frame and convert it to RGB, (height, width, 3)."""
        import av

        try:
            rgb = _reformatter().reformat(
                frame,
                width=width,
                height=height,
                format="rgb24",
                src_colorspace=self._color_space(frame),
                interpolation=how,
                threads=1,
            )
            return np.asarray(rgb.to_ndarray(), np.uint8)
        except (av.FFmpegError, OSError, ValueError) as error:
            found = f"its pixels ({frame.format.name}) cannot be converted to RGB"
            raise NotAVideo(self.path.name, f"{found}: {str(error).lower()}") from None

    def _color_space(self, frame: Any) -> int:
        """Return the color matrix that players use; raise NotAVideo where FFmpeg has none."""
        space = int(frame.colorspace)
        if name := _UNKNOWN_MATRICES.get(space):
            found = f"its color matrix is {name}, which cannot be converted to RGB"
            raise NotAVideo(self.path.name, found, "convert it to BT.709")
        if space in _UNSPECIFIED:  # players take BT.601 for small and BT.709 for large frames
            space = _BT709 if frame.height >= 720 else _BT601
            frame.colorspace = space  # swscale also reads the frame's own
        return space

    def square_width(self, width: int, height: int) -> int:
        """Return the width of a frame with square pixels; raise TooLarge."""
        square = max(2, round(width * self.aspect)) if self.aspect != 1 else width
        pixels = max(width, square) * height
        if pixels > self.max_pixels:
            size = f"its pictures have {pixels / 1e6:.0f} megapixels"
            found = f"{max(width, square)}×{height} (limit {self.max_pixels / 1e6:g})"
            raise TooLarge(self.path.name, f"{size}: {found}")
        return square


def _reformatter() -> Any:
    """Return this thread's scaler: it keeps its tables between frames of one size."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_thread, "reformatter"):
        _thread.reformatter = VideoReformatter()
    return _thread.reformatter


@dataclass(frozen=True)
class Picture:
    """A decoded frame before its conversion to RGB, which takes as long as decoding it."""

    frame: Any
    convert: FrameConverter

    def image(self) -> Image:
        """Convert it to RGB, (H, W, 3)."""
        return self.convert(self.frame)

    def thumbnail(self, width: int) -> Image:
        """Convert it to RGB of at most `width` columns, scaled by area."""
        return self.convert(self.frame, width)


def _open_stream(
    container: Any, path: Path, max_pixels: int, size: tuple[int, int] | None = None
) -> tuple[Any, FrameConverter]:
    """Choose the video stream; check the frame size in its header before decoding."""
    streams = video_streams(container)
    if not streams:
        raise NotAVideo(path.name, "not a video: it has no pictures that move and can be decoded")
    stream = streams[0]
    converter = FrameConverter(path, float(stream.sample_aspect_ratio or 1), max_pixels, size)
    context = stream.codec_context
    converter.square_width(context.width, context.height)
    # Later frames may be larger than the header says: the decoder then refuses to allocate them.
    context.options = {"max_pixels": str(2 * max_pixels)}
    return stream, converter


def read_facts(path: Path, max_pixels: int = MAX_PIXELS) -> VideoFacts:
    """Read a video's header and decode its first frame.

    Raises:
        NotAVideo: the file cannot be opened, or none of its frames can be decoded.
        TooLarge: its frames have more than `max_pixels` pixels.
    """
    with open_container(path) as container:
        stream, converter = _open_stream(container, path, max_pixels)
        first = next(decode(container, stream), None)
        if first is None:
            raise NotAVideo(path.name, "not a video: no frame can be decoded")
        height, width = converter(first).shape[:2]
        duration = float(stream.duration * stream.time_base) if stream.duration else 0.0
        if not duration and container.duration:
            duration = container.duration / 1_000_000
        return VideoFacts(
            duration=duration,
            fps=float(stream.average_rate or stream.base_rate or 0),
            width=width,
            height=height,
            codec=str(stream.codec_context.name),
            audio=any(s.codec_context for s in container.streams.audio),
        )


def read_frames(
    path: Path, start: float = 0.0, end: float = float("inf"), size: tuple[int, int] | None = None
) -> Iterator[tuple[float, Image]]:
    """Yield (time, RGB (H, W, 3)) of every frame shown in [start, end), in order.

    Rotation flags and non-square pixels are applied. Damaged frames are left out, which leaves a
    gap in the times. The first frame is the one on screen at `start`, with its own time.

    Args:
        path: the video.
        start: in seconds.
        end: in seconds.
        size: (H, W) that every frame is scaled to, since the size may change within a video.

    Raises:
        NotAVideo: the file cannot be opened or holds no video.
        TooLarge: a frame has too many pixels.
    """
    for time, picture in read_pictures(path, start, end, size=size):
        yield time, picture.image()


def read_pictures(
    path: Path,
    start: float = 0.0,
    end: float = float("inf"),
    *,
    size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[float, Picture]]:
    """Yield what `read_frames` does, each converted to RGB only on request."""
    with open_container(path) as container:
        stream, converter = _open_stream(container, path, max_pixels, size)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = 1
        origin, last, before_start = start_time(stream), -1.0, None
        if start > 1.0:
            container.seek(int((start - 1.0 + origin) / stream.time_base), stream=stream)
        step = 1.0 / float(stream.average_rate or 25)
        for frame in decode(container, stream):
            time = last + step if frame.time is None else float(frame.time) - origin
            if time <= last and last >= 0:
                continue  # a broken time stamp: time never runs backwards
            last = time
            if time >= end:
                break
            if time < start:
                before_start = (time, Picture(frame, converter))
                continue
            if before_start is not None and time > start:
                yield before_start
            before_start = None
            yield time, Picture(frame, converter)
        if before_start is not None:
            yield before_start


def resample_frames(
    source: Iterable[tuple[float, T]], fps: float, start: float, count: int
) -> Iterator[tuple[float, T]]:
    """Resample to a constant rate by time stamps: frame i is the one shown at start + i / fps.

    Args:
        source: (time, frame or Picture) in order of time.
        fps: frames per second of the result.
        start: time of the first frame, in seconds.
        count: how many frames to yield; the last source frame is repeated where it ends early.

    Yields:
        (time of the source frame, the frame).
    """
    done, shown = 0, None
    for item in source:
        while shown is not None and done < count and start + done / fps < item[0] - _TICK:
            yield shown
            done += 1
        if done >= count:
            return
        shown = item
    while shown is not None and done < count:
        yield shown
        done += 1
