"""The held-out speech of a subject: its sound, its true landmarks, and motion predicted from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.base.io.wav_files import read_wav
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import loudness, read_features, silent_frames, sync_offsets
from stages.motion.model import MotionModel
from stages.motion.predict import Motion, MotionStream, join, retarget
from stages.motion.recordings import read_rest, synchronous_levels

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class HeldOutSpan:
    """Held-out frames of one clip.

    Attributes:
        clip: the clip.
        first: first frame.
        end: end (exclusive).
        late: audio frames (two per video frame) by which the clip's sound is late; renders read and
            play it earlier by that, as training does.
    """

    clip: Clip
    first: int
    end: int
    late: int

    def __len__(self) -> int:
        return self.end - self.first


def held_out_spans(
    subject: Subject, seconds: float, clips: Sequence[Clip] | None = None
) -> list[HeldOutSpan]:
    """List the held-out spans in ledger order, cut to a total length in seconds.

    Clips whose sound does not belong to their lips are left out.

    Args:
        subject: the subject.
        seconds: the total length at most.
        clips: with held-out spans of one's own; those of the ledger by default.

    Raises:
        MissingInput: the subject has no held-out span.
    """
    spans: list[HeldOutSpan] = []
    late = sync_offsets(subject, DATA)
    left = float("inf")
    for clip in clips_of(subject) if clips is None else clips:
        if clip.id not in late:
            continue
        if not spans:
            left = to_frames(seconds, clip.fps)
        first, end = clip.test
        count = int(min(end - first, left))
        if count > 0:
            spans.append(HeldOutSpan(clip, first, first + count, late[clip.id]))
            left -= count
    if not spans:
        raise MissingInput(subject, "no clip has a held-out span", "add a longer video")
    return spans


def read_speech(spans: Sequence[HeldOutSpan]) -> NDArray[np.float32]:
    """Join the sound of spans, (S,), 16 kHz, in sync with the lips.

    Each is shifted by its span's `late`; zeros stand before and after the clip's audio.
    """
    sounds = []
    for span in spans:
        step = AUDIO_RATE / (2 * span.clip.fps)
        first, end = (round((2 * f + span.late) * step) for f in (span.first, span.end))
        samples, _ = read_wav(span.clip.audio, max(first, 0), end)
        before = max(-first, 0)
        sounds.append(np.pad(samples, (before, end - first - before - len(samples))))
    return np.concatenate(sounds)


def predict_speech(
    model: MotionModel, subject: Subject, spans: Sequence[HeldOutSpan], style: str, seed: int
) -> dict[str, NDArray[Any]]:
    """Predict the motion of held-out speech in a style, on the subject's face.

    Args:
        model: the motion model.
        subject: the owner of voice and face.
        spans: the held-out spans.
        style: subject whose style the motion has.
        seed: of the motion; each span adds its number.

    Returns:
        Columns of the format MOTION, in the camera of each span's clip.
    """
    columns, first = [], 0
    motions = predict_motions(model, subject, spans, style, seed)
    for span, motion in zip(spans, motions, strict=True):
        person = model.person(subject.name)
        rest = read_rest(subject, span.clip, DATA) or person.rest
        columns.append(retarget(motion, model.person(style), person, rest, first))
        first += len(span)
    return {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}


def predict_motions(
    model: MotionModel, subject: Subject, spans: Sequence[HeldOutSpan], style: str, seed: int
) -> Iterator[Motion]:
    """Yield the motion of each span of a subject's held-out speech; arguments as above."""
    for number, span in enumerate(spans):
        yield _predict_span(model, subject, span, style, seed + number)


def _predict_span(
    model: MotionModel, subject: Subject, span: HeldOutSpan, style: str, seed: int
) -> Motion:
    """Predict a span, after a run-up of one training window that only warms up the networks."""
    clip = span.clip
    start = max(0, span.first - to_frames(model.params.window_s, model.fps))
    features = read_features(subject, clip, start, span.end, span.late, DATA)
    level = synchronous_levels(clip, start, span.end, span.late)
    quiet = silent_frames(level, clip.fps)
    stream = MotionStream(model, style, seed)
    motion = join([stream.push(features, quiet, loudness(level)), stream.finish()])
    return motion.after(span.first - start)


def read_true_landmarks(subject: Subject, spans: Sequence[HeldOutSpan]) -> dict[str, NDArray[Any]]:
    """Read the true landmarks of spans; a frame without a face repeats the last one with one."""
    names = ["valid", "points", "irises", "shoulders", "shoulders_valid"]
    folder = DATA / "landmarks" / str(subject)
    rows = [
        tables.read(folder / f"{span.clip.id}.parquet", LANDMARKS, names, span.first, span.end)
        for span in spans
    ]
    joined = {name: np.concatenate([r[name] for r in rows]) for name in names}
    valid = joined["valid"].astype(bool)
    if not valid.any():
        raise MissingInput(subject, "no held-out frame shows a face", "add a longer video")
    last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    last = np.where(last < 0, np.argmax(valid), last)
    shoulders = joined["shoulders"].copy()
    shoulders[~joined["shoulders_valid"].astype(bool)] = np.nan
    columns = {"points": joined["points"], "irises": joined["irises"], "shoulders": shoulders}
    return {name: values[last] for name, values in columns.items()}
