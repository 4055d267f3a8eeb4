"""Video and audio in and out by PyAV: times are seconds since the first video frame.

Nothing here keeps a whole video in memory; sources are only read.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pictures import Image
from pipeline.problems import Problem
from pipeline.wav import AUDIO_RATE, int16
from pipeline.writing import whole_file

_GAP = 0.04  # sound that is late or early by more than this is moved to its time stamp
_ITU601, _ITU709 = 5, 1


class NotAVideo(Problem):
    """A file holds no video that can be decoded."""


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

    if path.is_file() and path.stat().st_size == 0:
        raise NotAVideo(path.name, "expected a video, found an empty file (0 bytes)")
    av.logging.set_level(None)  # what is wrong is told once, by us
    try:
        container = av.open(str(path), metadata_errors="replace")
    except FileNotFoundError:
        raise NotAVideo(path.name, "no such file") from None
    except (av.FFmpegError, OSError) as error:
        raise NotAVideo(path.name, f"not a video: {_words(error)}") from None
    with container:
        yield container


def _words(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).lower()


def _video_stream(container: Any, path: Path) -> Any:
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        raise NotAVideo(path.name, "not a video: it has no pictures that move")
    return streams[0]


def _is_cover(stream: Any) -> bool:
    """Tell an audio file's cover picture from a video."""
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _origin(stream: Any) -> float:
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def facts(path: Path) -> VideoFacts:
    """Read what a video says of itself, and decode its first frame; raise NotAVideo."""
    with _opened(path) as container:
        stream = _video_stream(container, path)
        first = next(iter(_decoded(container, stream)), None)
        if first is None:
            raise NotAVideo(path.name, "not a video: not one frame can be decoded")
        height, width = _shown(first, stream).shape[:2]
        duration = float(stream.duration * stream.time_base) if stream.duration else 0.0
        if not duration and container.duration:
            duration = container.duration / 1_000_000
        return VideoFacts(
            duration=duration,
            fps=float(stream.average_rate or stream.base_rate or 0),
            width=width,
            height=height,
            codec=str(stream.codec_context.name),
            audio=len(container.streams.audio) > 0,
        )


def frames(
    path: Path, start: float = 0.0, end: float = float("inf"), threads: int = 1
) -> Iterator[tuple[float, Image]]:
    """Yield (time in s, RGB (H, W, 3)) of every frame shown in [start, end), in order.

    Rotation flags and non-square pixels are honoured. Damaged stretches are left out: the times
    show the hole. The frame that is on the screen at `start` comes first, with its own time.

    Raises:
        NotAVideo: the file cannot be opened or holds no video.
    """
    with _opened(path) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        origin, last, held = _origin(stream), -1.0, None
        if start > 1.0:
            container.seek(int((start - 1.0 + origin) / stream.time_base), stream=stream)
        step = 1.0 / float(stream.average_rate or 25)
        for frame in _decoded(container, stream):
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
                yield held[0], _shown(held[1], stream)
            held = None
            yield time, _shown(frame, stream)
        if held is not None:
            yield held[0], _shown(held[1], stream)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decode what can be decoded: a damaged packet costs its own frames only."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, OSError):
            return
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            continue
        yield from (frame for frame in decoded if not frame.is_corrupt)


def _shown(frame: Any, stream: Any) -> Image:
    """Convert a decoded frame to RGB as a player shows it."""
    space = frame.colorspace
    if space == 2:  # not told: players take BT.601 for small and BT.709 for large pictures
        space = _ITU709 if frame.height >= 720 else _ITU601
    width = frame.width
    shape = stream.sample_aspect_ratio
    if shape and shape != 1:
        width = max(2, round(frame.width * float(shape)))
    rgb = frame.reformat(width=width, format="rgb24", src_colorspace=space, threads=1)
    image = np.asarray(rgb.to_ndarray(), np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def at_rate(
    source: Iterable[tuple[float, Image]], fps: float, start: float, count: int
) -> Iterator[tuple[float, Image]]:
    """Resample to a constant rate by time stamps: frame i is what is shown at start + i / fps.

    Args:
        source: (time, frame) in order of time.
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
        if not container.streams.audio:
            raise NotAVideo(path.name, "has no sound")
        stream = container.streams.audio[0]
        pictures = [s for s in container.streams.video if not _is_cover(s)]
        origin = _origin(pictures[0]) if pictures else _origin(stream)
        if start > 2.0:
            container.seek(int((start - 2.0 + origin) / stream.time_base), stream=stream)
        total, at, position = round((end - start) * rate), 0, 0
        for when, piece in _sound(container, stream, rate):
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


def _sound(
    container: Any, stream: Any, rate: int
) -> Iterator[tuple[float | None, NDArray[np.int16]]]:
    """Yield resampled pieces: with a time where a stretch begins, None where one goes on."""
    from av.audio.resampler import AudioResampler

    resampler, expected, begun = None, None, None
    for frame in _decoded(container, stream):
        time = expected if frame.time is None else float(frame.time)
        if time is None:
            time = 0.0
        if resampler is None or expected is None or abs(time - expected) > _GAP:
            if resampler is not None:
                yield from _pieces(resampler, None, None)
            resampler, begun = AudioResampler(format="s16", layout="mono", rate=rate), time
        for piece in _pieces(resampler, frame, begun):
            begun = None
            yield piece
        expected = time + frame.samples / frame.sample_rate
    if resampler is not None:
        yield from _pieces(resampler, None, begun)


def _pieces(
    resampler: Any, frame: Any, begun: float | None
) -> Iterator[tuple[float | None, NDArray[np.int16]]]:
    for out in resampler.resample(frame):
        if out.samples:
            yield begun, np.asarray(out.to_ndarray(), np.int16).reshape(-1)
            begun = None


def sound(path: Path, rate: int = AUDIO_RATE) -> Iterator[NDArray[np.int16]]:
    """Yield the sound of any audio or video file in pieces, mono; raise NotAVideo for none."""
    with _opened(path) as container:
        if not container.streams.audio:
            raise NotAVideo(path.name, "has no sound")
        for _, piece in _sound(container, container.streams.audio[0], rate):
            yield piece


def read_audio(path: Path, rate: int = AUDIO_RATE) -> NDArray[np.float32]:
    """Decode the sound of any audio or video file whole, mono, (N,) within -1 to 1."""
    pieces = list(sound(path, rate))
    whole = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    return whole.astype(np.float32) / np.float32(32768)


def encode_video(
    path: Path,
    pictures: Iterable[Image],
    fps: float,
    sound: tuple[NDArray[Any], int] | None = None,
    crf: int = 18,
) -> None:
    """Write H.264 (and AAC) as MP4, whole or not at all, with the same bytes for the same input.

    Args:
        path: the file, ending in .mp4.
        pictures: RGB (H, W, 3), all of one size, H and W even.
        fps: frames a second.
        sound: mono samples (N,), int16 or floats within -1 to 1, and their rate.
        crf: x264's constant quality, 0 (lossless) to 51.
    """
    import av

    with (
        whole_file(path) as part,
        av.open(str(part), "w", options={"movflags": "+faststart"}) as out,
    ):
        out.metadata.clear()
        rate = Fraction(fps).limit_denominator(1001)
        stream = out.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "medium"})
        voice = _voice_stream(out, sound[1]) if sound is not None else None
        _prepare(stream)
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
                if picture.shape[0] % 2 or picture.shape[1] % 2:
                    raise Problem(path.name, f"H.264 needs even sizes, found {picture.shape[:2]}")
            out.mux(stream.encode(_yuv(picture, index)))
        out.mux(stream.encode(None))
        if sound is not None:
            _encode_sound(out, voice, *sound)


def _prepare(stream: Any) -> None:
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1  # other numbers give other bytes
    context.colorspace = context.color_primaries = context.color_trc = _ITU709
    context.color_range = 1


def _yuv(picture: Image, index: int) -> Any:
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = frame.reformat(
        format="yuv420p", dst_colorspace=_ITU709, dst_color_range=1, interpolation="AREA", threads=1
    )
    frame.pts = index
    return frame


def _voice_stream(out: Any, rate: int) -> Any:
    stream = out.add_stream("aac", rate=rate, layout="mono")
    stream.bit_rate = 128_000 if rate >= 32000 else 64_000
    return stream


def _encode_sound(out: Any, stream: Any, samples: NDArray[Any], rate: int) -> None:
    from av import AudioFrame

    whole = int16(np.asarray(samples)).reshape(1, -1)
    for first in range(0, whole.shape[1], 1024):
        frame = AudioFrame.from_ndarray(whole[:, first : first + 1024].copy(), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
