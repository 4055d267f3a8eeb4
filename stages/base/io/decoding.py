"""What can be decoded of a stream, and its sound at another rate, by its time stamps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GAP = 0.04  # sound that is late or early by more than this is moved to its time stamp
_DRIFT = 0.006  # and so is sound that has slowly come so far off; half a frame at 60 fps is 8
_DRIFT_FRAMES = 30  # over which that is averaged: time stamps jitter


def decoded(container: Any, stream: Any) -> Iterator[Any]:
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
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from (frame for frame in frames if not frame.is_corrupt)


def sound_pieces(
    container: Any, stream: Any, rate: int
) -> Iterator[tuple[float | None, NDArray[np.int16]]]:
    """Yield resampled pieces: with a time where a stretch begins, None where one goes on."""
    from av.audio.resampler import AudioResampler

    resampler, begun = None, None
    expected = counted = off = 0.0  # the next frame by the last one's time stamp; by samples alone
    for frame in decoded(container, stream):
        time = expected if frame.time is None else float(frame.time)
        off += (time - counted - off) / _DRIFT_FRAMES
        if resampler is None or abs(time - expected) > _GAP or abs(off) > _DRIFT:
            if resampler is not None:
                yield from _resampled(resampler, None, None)
            resampler, begun = AudioResampler(format="s16", layout="mono", rate=rate), time
            counted, off = time, 0.0
        for piece in _resampled(resampler, frame, begun):
            begun = None
            yield piece
        lasts = frame.samples / max(frame.sample_rate, 1)
        expected, counted = time + lasts, counted + lasts
    if resampler is not None:
        yield from _resampled(resampler, None, begun)


def _resampled(
    resampler: Any, frame: Any, begun: float | None
) -> Iterator[tuple[float | None, NDArray[np.int16]]]:
    for out in resampler.resample(frame):
        if out.samples:
            yield begun, np.asarray(out.to_ndarray(), np.int16).reshape(-1)
            begun = None
