"""Open video and audio files with PyAV, choose their streams and decode them.

Sources are only read. Times are seconds since the first video frame.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.runtime.user_errors import UserError

MAX_PIXELS = 36_000_000  # of one frame; 8K has 33 million
# Demuxers that decode text as pictures, or open other files than the given one.
_NOT_VIDEO = {"tty": "a text", **dict.fromkeys(("concat", "dash", "hls", "imf"), "a playlist")}


class NotAVideo(UserError):
    """A file holds no video or sound that can be decoded."""


class TooLarge(NotAVideo):
    """A video's frames have more pixels than are allowed."""


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a media file; raise NotAVideo if FFmpeg cannot."""
    import av

    if not path.exists():
        raise NotAVideo(path.name, "no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise NotAVideo(path.name, "expected a video, found an empty file (0 bytes)")
    av.logging.set_level(None)  # the errors below report what FFmpeg would log
    try:
        # Local files only: a name is never a URL, and no playlist fetches anything.
        container = av.open(
            f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotAVideo(path.name, f"not a video: {str(reason).lower()}") from None
    with container:
        kind = _NOT_VIDEO.get(container.format.name)
        if kind:
            raise NotAVideo(path.name, f"not a video: {kind} ({container.format.name})")
        yield container


def video_streams(container: Any) -> list[Any]:
    """List the video streams that have a decoder, the default one first, as players choose it."""
    from av.stream import Disposition

    streams = [s for s in picture_streams(container) if s.codec_context]
    return sorted(streams, key=lambda s: not s.disposition & Disposition.default)


def picture_streams(container: Any) -> list[Any]:
    """List the video streams, with those that have no decoder.

    Covers of audio files, thumbnails, and layers that complete another stream are none.
    """
    from av.stream import Disposition

    other = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
    return [s for s in container.streams.video if not s.disposition & other]


def audio_stream(container: Any, path: Path) -> Any:
    """Choose the sound: the default stream, as players do, else the first that has a decoder.

    Raises:
        NotAVideo: no sound stream has a decoder.
    """
    import av

    streams = [s for s in container.streams.audio if s.codec_context]
    if not streams:
        raise NotAVideo(path.name, "has no sound that can be decoded")
    default = [s for s in streams if s.disposition & av.stream.Disposition.default]
    return (default or streams)[0]


def start_time(stream: Any) -> float:
    """Return the time stamp at which a stream starts, in seconds."""
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def decode(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames of a stream; a damaged packet loses its own frames only."""
    import av

    with suppress(av.FFmpegError, OSError):
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            yield from (frame for frame in frames if not frame.is_corrupt)
