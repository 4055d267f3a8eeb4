"""A moving face with its speech: what every measure of motion reads, of whatever origin.

A track is the held-out truth, motion generated from the voice, or landmarks redetected in a
video. Several clips are joined in one track; `span` numbers them, and no measure crosses spans.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats, Floats, Mask
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import eye_opening
from stages.base.io import tables
from stages.clips.ledger import Clip
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.eyes import gaze_from_irises
from stages.motion.features import silent_frames, sound_levels
from stages.motion.pose import mean_rotation, relative_to_rest
from stages.motion.recordings import Rest
from stages.speech.artifacts import PHONES

_COLUMNS = ("head", "rotation", "translation", "points", "irises")


@dataclass(frozen=True)
class Track:
    """Motion of one face, N frames; values of frames that are not valid are NaN.

    Attributes:
        fps: frames per second.
        span: number of the clip that each frame belongs to, (N,), ascending.
        valid: a face is known, (N,).
        head: landmarks without the pose, (N, 68, 3), face heights.
        pose: rotation vector and translation about the clip's rest, (N, 6), radians and face
            heights.
        eyes: mean opening of both eyes, lid distance over lid width, (N,).
        gaze: mean of both irises in eye widths, (N, 2).
    """

    fps: float
    span: NDArray[np.int64]
    valid: Mask
    head: Floats
    pose: Floats
    eyes: Floats
    gaze: Floats

    def __len__(self) -> int:
        return len(self.valid)

    def first(self, count: int) -> "Track":
        """Return the first frames."""
        arrays = {f.name: getattr(self, f.name)[:count] for f in fields(self) if f.name != "fps"}
        return Track(self.fps, **arrays)


@dataclass(frozen=True)
class SpokenPhone:
    """A phone of a track's sound: ARPAbet name, start and end in seconds of the track."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class TrackSpeech:
    """Sound of a track, in sync with its lips; N frames.

    Attributes:
        level: sound level, (N,), dB full scale.
        silent: inside a silence of at least 0.25 s, (N,).
        phones: in order of time; none for a clip without recognised speech.
    """

    level: Floats
    silent: Mask
    phones: tuple[SpokenPhone, ...]


def track_of_columns(
    columns: Mapping[str, NDArray[Any]], rests: Sequence[Rest], span: NDArray[np.int64], fps: float
) -> Track:
    """Build a track from landmark columns.

    Args:
        columns: head, rotation, translation, points and irises of N frames, as in the formats
            LANDMARKS and MOTION; and `valid`, without which every frame is.
        rests: the rest pose of each span.
        span: number of each frame's span, (N,).
        fps: frames per second.
    """
    head, R, t, points, irises = (np.asarray(columns[name], float) for name in _COLUMNS)
    valid = np.asarray(columns.get("valid", np.ones(len(head), bool)), bool)
    pose = np.full((len(head), 6), np.nan)
    gaze, eyes = np.full((len(head), 2), np.nan), np.full(len(head), np.nan)
    for number, rest in enumerate(rests):
        rows = valid & (span == number)
        pose[rows] = relative_to_rest(R[rows], t[rows], rest.rotation, rest.translation)
    gaze[valid] = gaze_from_irises(points[valid], irises[valid]).mean(axis=1)
    eyes[valid] = eye_opening(points[valid]).mean(axis=-1)
    head = np.where(valid[:, None, None], head, np.nan)
    return Track(fps, span, valid, head, pose, eyes, gaze)


def measure_rest(rotation: AnyFloats, translation: AnyFloats, focal: float, size: int) -> Rest:
    """Return the mean pose of frames, (N, 3, 3) and (N, 3), as a rest without shoulders."""
    shoulders = np.full((18, 2), np.nan)
    if not len(rotation):
        return Rest(np.eye(3), np.zeros(3), shoulders, focal, size)
    mean = translation.mean(axis=0).astype(float)
    return Rest(mean_rotation(rotation), mean, shoulders, focal, size)


def read_track(
    subject: Subject,
    spans: Sequence[tuple[Clip, int, int]],
    rests: Sequence[Rest],
    data: Path = DATA,
) -> Track:
    """Read the true motion of spans: clip, first frame and end (exclusive) of each."""
    folder = data / "landmarks" / str(subject)
    rows = [
        tables.read(folder / f"{clip.id}.parquet", LANDMARKS, ("valid", *_COLUMNS), first, end)
        for clip, first, end in spans
    ]
    joined = {name: np.concatenate([r[name] for r in rows]) for name in ("valid", *_COLUMNS)}
    span = np.repeat(np.arange(len(spans)), [end - first for _, first, end in spans])
    return track_of_columns(joined, rests, span, spans[0][0].fps)


def read_speech(
    subject: Subject,
    spans: Sequence[tuple[Clip, int, int]],
    late: Sequence[int],
    data: Path = DATA,
) -> TrackSpeech:
    """Read the sound of spans, in sync with the lips.

    Args:
        subject: the owner.
        spans: clip, first frame and end (exclusive) of each.
        late: audio frames (two per video frame) by which each span's sound is late.
        data: folder of the speech.
    """
    path = data / "speech" / str(subject) / "phones.parquet"
    table = tables.read(path, PHONES, ["clip", "start", "end", "phone"])
    levels, silences, phones, begin = [], [], [], 0
    for (clip, first, end), steps in zip(spans, late, strict=True):
        level = _levels(clip.audio, clip.fps, first, end, steps // 2)
        levels.append(level)
        silences.append(silent_frames(level, clip.fps))
        shift = begin / clip.fps - first / clip.fps - steps / (2 * clip.fps)
        for row in np.flatnonzero(table["clip"] == clip.id):
            start, stop = float(table["start"][row]) + shift, float(table["end"][row]) + shift
            if begin / clip.fps <= (start + stop) / 2 < (begin + end - first) / clip.fps:
                phones.append(SpokenPhone(str(table["phone"][row]), start, stop))
        begin += end - first
    return TrackSpeech(np.concatenate(levels), np.concatenate(silences), tuple(phones))


def _levels(audio: Path, fps: float, first: int, end: int, late: int) -> Floats:
    """Measure the level of frames of sound that is `late` frames late; before the clip: silent."""
    frames = np.maximum(np.arange(first, end) + late, 0)
    levels = sound_levels(audio, fps, int(frames[0]), int(frames[-1]) + 1)
    return np.asarray(levels[frames - frames[0]])
