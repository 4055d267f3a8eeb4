"""Read the frames of a video as a player shows them: RGB, upright, square pixels.

Times are seconds since the first frame. At most a few frames are in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stages.base.io.containers import (
    MAX_PIXELS,
    NotAVideo,
    audio_stream,
    decode,
    open_container,
    picture_streams,
    start_time,
    video_streams,
)
from stages.base.io.deinterlacing import deinterlace
from stages.base.io.frame_converter import FrameConverter
from stages.base.io.image_io import Image
from stages.base.io.time_stamps import with_best_times
from stages.base.io.track_headers import read_track_header

T = TypeVar("T")
_REORDERED = 0.1  # seconds; time stamps further back than this are of another recording
_TICK = 5e-4  # seconds; time stamps are rounded to the container's ticks


@dataclass(frozen=True)
class VideoFacts:
    """Properties of a video.

    Attributes:
        duration: seconds from its first picture, by its header.
        fps: frames per second.
        width: after rotation, with square pixels.
        height: the same.
        audio: whether it has sound that can be decoded.
        unread: streams of pictures and sound beside those that are read, `1 of pictures`.
        sound: start and end of its sound, by its header, in seconds from its first picture; 0 if
            the header does not say.
        opaque: whether transparency beside the pictures, as VP8 and VP9 have it, is not read.
    """

    duration: float
    fps: float
    width: int
    height: int
    audio: bool
    unread: str = ""
    sound: tuple[float, float] = (0.0, 0.0)
    opaque: bool = False


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
        raise NotAVideo(path.name, "not a video: no decodable video stream")
    stream = streams[0]
    aspect = float(stream.sample_aspect_ratio or 1)
    header = read_track_header(path, container, stream)
    context = stream.codec_context
    transparent = context.name != "rawvideo"
    converter = FrameConverter(path, aspect, max_pixels, size, header, transparent)
    converter.square_width(context.width, context.height)
    # Later frames may be larger than the header says: the decoder then refuses to allocate them.
    context.options = {"max_pixels": str(2 * max_pixels)}
    return stream, converter


def _unread(container: Any) -> str:
    """Describe the streams that are not read, as players show one at a time."""
    kinds = {"pictures": picture_streams(container), "sound": container.streams.audio}
    more = {kind: len(streams) - 1 for kind, streams in kinds.items() if len(streams) > 1}
    return " and ".join(f"{count} of {kind}" for kind, count in more.items())


def _sound_span(container: Any, path: Path, origin: float) -> tuple[float, float]:
    """Return when the sound starts and ends, in seconds from `origin`; 0 where unknown."""
    if not any(s.codec_context for s in container.streams.audio):
        return 0.0, 0.0
    stream = audio_stream(container, path)
    start = start_time(stream) - origin if stream.start_time is not None else 0.0
    seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
    return start, start + seconds if seconds else 0.0


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
            before = start_time(stream) - (container.start_time or 0) / 1_000_000
            duration = container.duration / 1_000_000 - max(before, 0.0)
        return VideoFacts(
            duration=duration,
            fps=float(stream.average_rate or stream.base_rate or 0),
            width=width,
            height=height,
            audio=any(s.codec_context for s in container.streams.audio),
            unread=_unread(container),
            sound=_sound_span(container, path, start_time(stream)),
            opaque=stream.metadata.get("alpha_mode") == "1",
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
    skipped: list[float] | None = None,
) -> Iterator[tuple[float, Picture]]:
    """Yield what `read_frames` does, each converted to RGB only on request.

    A frame with an earlier time stamp than the one before it is left out; `skipped` gets the time
    before each that lies further back than a decoder's reordering.
    """
    with open_container(path) as container:
        stream, converter = _open_stream(container, path, max_pixels, size)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = 1
        origin, last, before_start = start_time(stream), None, None
        if start > 1.0:
            container.seek(int((start - 1.0 + origin) / stream.time_base), stream=stream)
        step = 1.0 / float(stream.average_rate or 25)
        for frame in deinterlace(with_best_times(decode(container, stream))):
            time = _time(frame, origin, last, step)
            if last is not None and time <= last:  # time never runs backwards
                if skipped is not None and time < last - _REORDERED:
                    skipped.append(last)
                continue
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


def _time(frame: Any, origin: float, last: float | None, step: float) -> float:
    """Return a frame's time; one without time stamp follows the last by a frame's duration."""
    if frame.time is not None:
        return float(frame.time) - origin
    return 0.0 if last is None else last + step


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
