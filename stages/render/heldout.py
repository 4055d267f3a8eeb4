"""The held-out spans of a subject: what is said in them, and how it really looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.base.io.wav_files import read_wav
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import (
    read_features,
    silent_frames,
    sound_levels,
    sync_offsets,
)
from stages.motion.model import MotionModel
from stages.motion.predict import Motion, MotionStream, join, retarget
from stages.motion.recordings import Rest, read_rest

DATA = Path("data")


@dataclass(frozen=True)
class Span:
    """Held-out frames of one clip.

    Attributes:
        clip: the clip.
        first: first frame.
        end: end (exclusive).
        late: audio frames (two a video frame) by which the clip's sound comes late; renders hear
            and play it so much earlier, as training does.
    """

    clip: Clip
    first: int
    end: int
    late: int

    def __len__(self) -> int:
        return self.end - self.first


def spans(subject: Subject, seconds: float) -> list[Span]:
    """List the held-out spans in ledger order, cut to so many seconds in all.

    Clips whose sound is not their lips' are left out.

    Raises:
        MissingInput: the subject has nothing held out.
    """
    found: list[Span] = []
    late = sync_offsets(subject, DATA)
    left = float("inf")
    for clip in clips_of(subject, DATA / "clips"):
        if clip.id not in late:
            continue
        if not found:
            left = to_frames(seconds, clip.fps)
        first, end = clip.test
        count = int(min(end - first, left))
        if count > 0:
            found.append(Span(clip, first, first + count, late[clip.id]))
            left -= count
    if not found:
        raise MissingInput(subject, "no clip has a held-out span", "add a longer video")
    return found


def voice(parts: Sequence[Span]) -> NDArray[np.float32]:
    """Join the sound of spans, (S,), 16 kHz, moved to where the lips are."""
    sounds = []
    for span in parts:
        step = AUDIO_RATE / (2 * span.clip.fps)
        first, end = (round((2 * f + span.late) * step) for f in (span.first, span.end))
        samples, _ = read_wav(span.clip.audio, max(first, 0), end)
        before = max(-first, 0)
        sounds.append(np.pad(samples, (before, end - first - before - len(samples))))
    return np.concatenate(sounds)


def speak(
    model: MotionModel, subject: Subject, parts: Sequence[Span], style: str, seed: int
) -> dict[str, NDArray[Any]]:
    """Predict the motion of held-out spans in a style, on the subject's face.

    Args:
        model: the motion model.
        subject: whose voice and face.
        parts: the spans.
        style: whose way.
        seed: of the motion; every span has its own stream.

    Returns:
        Columns of the format MOTION, in the camera of each span's clip.
    """
    columns, at = [], 0
    for index, span in enumerate(parts):
        motion = _spoken(model, subject, span, style, seed + index)
        person = model.person(subject.name)
        rest = resting(subject, span.clip) or person.rest
        columns.append(retarget(motion, model.person(style), person, rest, at))
        at += len(span)
    return {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}


def _spoken(model: MotionModel, subject: Subject, span: Span, style: str, seed: int) -> Motion:
    """Predict a span after a run-up of one training window, which only warms the networks."""
    clip = span.clip
    before = max(0, span.first - to_frames(model.params.window_s, model.fps))
    features = read_features(subject, clip, before, span.end, span.late, DATA)
    heard = np.maximum(np.arange(before, span.end) + span.late // 2, 0)
    level = sound_levels(clip.audio, clip.fps, int(heard[0]), int(heard[-1]) + 1)
    quiet = silent_frames(level[heard - heard[0]], clip.fps)
    stream = MotionStream(model, style, seed)
    whole = join([stream.push(features, quiet), stream.finish()])
    return whole.after(span.first - before)


def resting(subject: Subject, clip: Clip) -> Rest | None:
    """Return the clip's own rest; None where the clip is held out whole."""
    return read_rest(subject, clip, DATA)


def true_landmarks(subject: Subject, parts: Sequence[Span]) -> dict[str, NDArray[Any]]:
    """Read the true landmarks of spans; a frame without a face holds the last one with one."""
    names = ["valid", "points", "irises", "shoulders", "shoulders_valid"]
    rows = [
        tables.read(
            DATA / "landmarks" / str(subject) / f"{span.clip.id}.parquet",
            LANDMARKS,
            names,
            span.first,
            span.end,
        )
        for span in parts
    ]
    joined = {name: np.concatenate([r[name] for r in rows]) for name in names}
    valid = joined["valid"].astype(bool)
    if not valid.any():
        raise MissingInput(subject, "no held-out frame shows a face", "add a longer video")
    last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    last = np.where(last < 0, np.argmax(valid), last)
    shoulders = joined["shoulders"].copy()
    shoulders[~joined["shoulders_valid"].astype(bool)] = np.nan
    return {
        "points": joined["points"][last],
        "irises": joined["irises"][last],
        "shoulders": shoulders[last],
    }
