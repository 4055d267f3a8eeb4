"""Decode the sound of media files: mono int16 at a constant rate, placed by its time stamps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages.base.io.containers import (
    audio_stream,
    decode,
    open_container,
    start_time,
    video_streams,
)
from stages.base.io.mono_mix import MonoMixer, Samples, take_channel_names
from stages.base.io.timebase import AUDIO_RATE

_MAX_GAP = 0.04  # seconds; a frame further than this off its time stamp starts a new stretch
_MAX_DRIFT = 0.006  # seconds; as for the averaged offset; half a frame at 60 fps is 0.008
_DRIFT_FRAMES = 30  # that the offset is averaged over: time stamps jitter
_SEEK_MARGIN = 2.0  # seconds before a span at which decoding starts


def read_sound_span(path: Path, start: float, end: float) -> Iterator[Samples]:
    """Yield the sound of [start, end) in pieces, exactly round((end - start) · AUDIO_RATE) samples.

    A late start, a gap or an early end is filled with silence: sample k is at the time
    start + k / AUDIO_RATE of the video.

    Raises:
        NotAVideo: the file has no sound.
    """
    with open_container(path) as container:
        stream = audio_stream(container, path)
        origin = start_time((video_streams(container) or [stream])[0])
        if start > _SEEK_MARGIN:
            container.seek(int((start - _SEEK_MARGIN + origin) / stream.time_base), stream=stream)
        total, done, position = round((end - start) * AUDIO_RATE), 0, 0
        for time, piece in _resampled_pieces(container, stream, AUDIO_RATE):
            if time is not None:
                position = round((time - origin - start) * AUDIO_RATE)
            if position >= total:
                break
            yield from _silence(position - done)
            done = max(done, position)
            inside = piece[done - position : total - position]
            position += len(piece)
            if len(inside):
                yield inside
                done += len(inside)
        yield from _silence(total - done)


def _silence(samples: int) -> Iterator[Samples]:
    for first in range(0, samples, AUDIO_RATE):
        yield np.zeros(min(AUDIO_RATE, samples - first), np.int16)


def read_sound(path: Path, rate: int = AUDIO_RATE) -> Iterator[Samples]:
    """Yield all sound of an audio or video file in pieces; raise NotAVideo if it has none."""
    with open_container(path) as container:
        for _, piece in _resampled_pieces(container, audio_stream(container, path), rate):
            yield piece


def _resampled_pieces(
    container: Any, stream: Any, rate: int
) -> Iterator[tuple[float | None, Samples]]:
    """Yield (time, samples): the time of a stretch's first piece, None for those that follow it.

    A stretch ends where a frame's time stamp differs from the time counted in samples, and where
    channels, rate or sample format change.
    """
    names = take_channel_names(stream)
    mixer: MonoMixer | None = None
    stretch_start: float | None = None
    kind: tuple[int, str, str] | None = None
    expected = counted = offset = 0.0  # by the last time stamp; by samples alone; their difference
    for frame in decode(container, stream):
        time = expected if frame.time is None else float(frame.time)
        offset += (time - counted - offset) / _DRIFT_FRAMES
        changed = kind != (kind := (frame.sample_rate, frame.layout.name, frame.format.name))
        breaks = changed or abs(time - expected) > _MAX_GAP or abs(offset) > _MAX_DRIFT
        if mixer is None or breaks:
            if mixer is not None:
                yield from _timed(mixer(None), stretch_start)
            mixer, stretch_start = MonoMixer(frame, rate, names), time
            counted, offset = time, 0.0
        for piece in _timed(mixer(frame), stretch_start):
            stretch_start = None
            yield piece
        duration = frame.samples / max(frame.sample_rate, 1)
        expected, counted = time + duration, counted + duration
    if mixer is not None:
        yield from _timed(mixer(None), stretch_start)


def _timed(pieces: Iterator[Samples], time: float | None) -> Iterator[tuple[float | None, Samples]]:
    """Give the first piece the time, the others None."""
    for piece in pieces:
        yield time, piece
        time = None
