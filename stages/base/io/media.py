"""Video and audio in and out by PyAV: times are seconds since the first video frame.

Nothing here keeps a whole video in memory; sources are only read.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.io.decoding import decoded, sound_pieces
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image
from stages.base.io.wav_files import AUDIO_RATE

T = TypeVar("T")
__all__ = [
    "LARGEST",
    "NotAVideo",
    "Picture",
    "TooLarge",
    "VideoFacts",
    "at_rate",
    "audio",
    "encode_video",
    "facts",
    "frames",
    "pictures",
    "read_audio",
    "sound",
]

LARGEST = 36_000_000  # pixels of a picture; 8K has 33 million
_ITU601, _ITU709 = 5, 1
# swscale's usual way makes pictures of more than 8 bits two grey levels darker: bilinear, with
# accurate rounding and full chroma it does not.
_EXACT = 0x2 | 0x40000 | 0x2000
# Demuxers that take a text for a picture or read other files than the one they were given.
_NO_VIDEO = {"tty": "a text", **dict.fromkeys(("concat", "dash", "hls", "imf"), "a playlist")}


class NotAVideo(UserError):
    """A file holds no video that can be decoded."""


class TooLarge(NotAVideo):
    """A video's pictures have more pixels than are allowed."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video's headers say; sizes are as shown, after rotation and pixel shape."""

    duration: float
    fps: float
    width: int
    height: int
    codec: str
    audio: bool


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import av

    if not path.exists():
        raise NotAVideo(path.name, "no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise NotAVideo(path.name, "expected a video, found an empty file (0 bytes)")
    av.logging.set_level(None)  # what is wrong is told once, by us
    try:
        # A file and nothing else: a name is no address, and no playlist fetches anything.
        container = av.open(
            f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError) as error:
        raise NotAVideo(path.name, f"not a video: {_words(error)}") from None
    with container:
        other = _NO_VIDEO.get(container.format.name)
        if other:
            raise NotAVideo(path.name, f"not a video: {other} ({container.format.name})")
        yield container


def _words(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).lower()


def _video_stream(container: Any, path: Path, largest: int) -> Any:
    """Choose the video; refuse its pictures by their header before any is decoded."""
    streams = _moving(container)
    if not streams:
        raise NotAVideo(path.name, "not a video: it has no pictures that move and can be decoded")
    context = streams[0].codec_context
    _Screen(path, _shape(streams[0]), largest).width(context.width, context.height)
    # Later pictures may be larger than the header says: the decoder refuses to make room for them.
    context.options = {"max_pixels": str(2 * largest)}
    return streams[0]


def _shape(stream: Any) -> float:
    """Return how wide a pixel is against its height; 1 where that is not told."""
    return float(stream.sample_aspect_ratio or 1)


def _moving(container: Any) -> list[Any]:
    """List the streams of pictures that a decoder is there for."""
    return [s for s in container.streams.video if s.codec_context and not _is_cover(s)]


def _audible(container: Any, path: Path) -> Any:
    """Choose the sound that a decoder is there for; of several the one that players play."""
    import av

    streams = [s for s in container.streams.audio if s.codec_context]
    if not streams:
        raise NotAVideo(path.name, "has no sound that can be decoded")
    default = [s for s in streams if s.disposition & av.stream.Disposition.default]
    return (default or streams)[0]


def _is_cover(stream: Any) -> bool:
    """Tell an audio file's cover picture from a video."""
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _origin(stream: Any) -> float:
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def facts(path: Path, largest: int = LARGEST) -> VideoFacts:
    """Read what a video says of itself, and decode its first frame.

    Raises:
        NotAVideo: the file cannot be opened, or not one of its frames can be decoded.
        TooLarge: its pictures have more than `largest` pixels.
    """
    with _opened(path) as container:
        stream = _video_stream(container, path, largest)
        first = next(iter(decoded(container, stream)), None)
        if first is None:
            raise NotAVideo(path.name, "not a video: not one frame can be decoded")
        height, width = _Screen(path, _shape(stream), largest)(first).shape[:2]
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


def frames(
    path: Path,
    start: float = 0.0,
    end: float = float("inf"),
    *,
    size: tuple[int, int] | None = None,
    largest: int = LARGEST,
) -> Iterator[tuple[float, Image]]:
    """Yield (time in s, RGB (H, W, 3)) of every frame shown in [start, end), in order.

    Rotation flags and non-square pixels are honoured. Damaged stretches are left out: the times
    show the hole. The frame that is on the screen at `start` comes first, with its own time.

    Args:
        path: the video.
        start: in seconds.
        end: in seconds.
        size: (H, W) that every frame is scaled to, as players do where it changes on the way.
        largest: pixels that a picture may have.

    Raises:
        NotAVideo: the file cannot be opened or holds no video.
        TooLarge: a picture has too many pixels.
    """
    for time, picture in pictures(path, start, end, size=size, largest=largest):
        yield time, picture.whole()


def pictures(
    path: Path,
    start: float = 0.0,
    end: float = float("inf"),
    *,
    size: tuple[int, int] | None = None,
    largest: int = LARGEST,
) -> "Iterator[tuple[float, Picture]]":
    """Yield what `frames` does, as pictures that are shown when they are asked for."""
    with _opened(path) as container:
        stream = _video_stream(container, path, largest)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = 1
        shown = _Screen(path, _shape(stream), largest, size)
        origin, last, held = _origin(stream), -1.0, None
        if start > 1.0:
            container.seek(int((start - 1.0 + origin) / stream.time_base), stream=stream)
        step = 1.0 / float(stream.average_rate or 25)
        for frame in decoded(container, stream):
            time = last + step if frame.time is None else float(frame.time) - origin
            if time <= last and last >= 0:
                continue  # a broken time stamp: time never runs backwards
            last = time
            if time >= end:
                break
            if time < start:
                held = (time, frame)
                continue
            if held is not None and time > start:
                yield held[0], Picture(held[1], shown)
            held = None
            yield time, Picture(frame, shown)
        if held is not None:
            yield held[0], Picture(held[1], shown)


@dataclass(frozen=True)
class Picture:
    """A decoded picture that is not yet shown: making RGB of it takes as long as decoding it."""

    frame: Any
    screen: "_Screen"

    def whole(self) -> Image:
        """Show it, RGB (H, W, 3)."""
        return self.screen(self.frame)

    def small(self, width: int) -> Image:
        """Show it about `width` pixels wide, scaled by area, where it is wider than that."""
        return self.screen(self.frame, width)


@dataclass(frozen=True)
class _Screen:
    """Shows a stream's decoded frames as a player does: RGB, upright, with square pixels.

    It knows nothing of the stream, which may be closed while its last pictures are shown.
    """

    path: Path
    shape: float
    largest: int
    size: tuple[int, int] | None = None

    def __call__(self, frame: Any, most: int = 0) -> Image:
        space = frame.colorspace
        if space == 2:  # not told: players take BT.601 for small and BT.709 for large pictures
            space = _ITU709 if frame.height >= 720 else _ITU601
        turns = round(frame.rotation / 90) % 4
        width, height = self.width(frame.width, frame.height), frame.height
        if self.size is not None:
            height, width = self.size[::-1] if turns % 2 else self.size
        how = _EXACT if frame.format.components[0].bits > 8 else "BILINEAR"
        if 0 < most < width:
            width, height, how = most, max(2, round(height * most / width)), "AREA"
        rgb = _scaler().reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=space,
            interpolation=how,
            threads=1,
        )
        image = np.asarray(rgb.to_ndarray(), np.uint8)
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image

    def width(self, width: int, height: int) -> int:
        """Width of a picture with its pixels made square; raise TooLarge."""
        square = max(2, round(width * self.shape)) if self.shape != 1 else width
        pixels = max(width, square) * height
        if pixels > self.largest:
            size = f"its pictures have {pixels / 1e6:.0f} megapixels"
            found = f"{max(width, square)}×{height} (limit {self.largest / 1e6:g})"
            raise TooLarge(self.path.name, f"{size}: {found}")
        return square


_threads = local()


def _scaler() -> Any:
    """Return this thread's scaler, which is not prepared anew for each picture of a size."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_threads, "scaler"):
        _threads.scaler = VideoReformatter()
    return _threads.scaler


def at_rate(
    source: Iterable[tuple[float, T]], fps: float, start: float, count: int
) -> Iterator[tuple[float, T]]:
    """Resample to a constant rate by time stamps: frame i is what is shown at start + i / fps.

    Args:
        source: (time, frame or Picture) in order of time.
        fps: frames a second of the result.
        start: time of the first frame, in seconds.
        count: how many frames to yield; the last source frame is held where it ends early.

    Yields:
        (time of the source frame, the frame).
    """
    done, shown = 0, None
    # Half a thousandth of a second: time stamps are rounded to the container's ticks.
    early = 5e-4
    for item in source:
        while shown is not None and done < count and start + done / fps < item[0] - early:
            yield shown
            done += 1
        if done >= count:
            return
        shown = item
    while shown is not None and done < count:
        yield shown
        done += 1


def audio(
    path: Path, start: float, end: float, rate: int = AUDIO_RATE
) -> Iterator[NDArray[np.int16]]:
    """Yield the sound of [start, end) in pieces, mono, exactly round((end - start) · rate) samples.

    Where the sound starts late, has a hole or ends early, there is silence: sample k belongs to
    the time start + k / rate of the video.

    Raises:
        NotAVideo: the file has no sound.
    """
    with _opened(path) as container:
        stream = _audible(container, path)
        pictures = _moving(container)
        origin = _origin(pictures[0]) if pictures else _origin(stream)
        if start > 2.0:
            container.seek(int((start - 2.0 + origin) / stream.time_base), stream=stream)
        total, at, position = round((end - start) * rate), 0, 0
        for when, piece in sound_pieces(container, stream, rate):
            if when is not None:
                position = round((when - origin - start) * rate)
            if position >= total:
                break
            yield from _silence(position - at)
            at = max(at, position)
            kept = piece[at - position : total - position]
            position += len(piece)
            if len(kept):
                yield kept
                at += len(kept)
        yield from _silence(total - at)


def _silence(samples: int) -> Iterator[NDArray[np.int16]]:
    for first in range(0, samples, AUDIO_RATE):
        yield np.zeros(min(AUDIO_RATE, samples - first), np.int16)


def sound(path: Path, rate: int = AUDIO_RATE) -> Iterator[NDArray[np.int16]]:
    """Yield the sound of any audio or video file in pieces, mono; raise NotAVideo for none."""
    with _opened(path) as container:
        for _, piece in sound_pieces(container, _audible(container, path), rate):
            yield piece


def read_audio(path: Path, rate: int = AUDIO_RATE) -> NDArray[np.float32]:
    """Decode the sound of any audio or video file whole, mono, (N,) within -1 to 1."""
    pieces = list(sound(path, rate))
    whole = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    return whole.astype(np.float32) / np.float32(32768)
