"""Training data of the motion model: the training span of each clip, with masks for bad frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.arrays import Floats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.projection import project
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS, read_focals
from stages.motion.eyes import gaze_from_irises
from stages.motion.features import (
    Features,
    loudness,
    read_features,
    sound_levels,
    sync_offsets,
)
from stages.motion.pose import mean_rotation, relative_to_rest, velocities

_COLUMNS = (
    *("valid", "head", "rotation", "translation", "irises"),
    *("shoulders", "shoulders_valid", "opening_eyes"),
)
_FEWEST_FRAMES = 10  # valid ones of a span, to measure its rest


@dataclass(frozen=True)
class Rest:
    """Rest pose of a head in one clip's camera.

    Attributes:
        rotation: mean R, (3, 3).
        translation: mean t, (3,), face heights.
        shoulders: mean shoulders, (18, 2), px; NaN without any.
        focal: the clip's focal length, px.
        size: width and height of its stored frames, px.
    """

    rotation: Floats
    translation: Floats
    shoulders: Floats
    focal: float
    size: int


@dataclass(frozen=True)
class Recording:
    """The training span of one clip, T frames.

    Attributes:
        clip: its id.
        first: frame of the clip that the span begins with.
        fps: frames per second.
        features: audio features of each frame, synchronised with the lips, (T + extra, 2D); the
            extra frames are in the gap before the held-out span and serve the look-ahead.
        loudness: relative to the span's loud moments, (T,), 10 dB.
        valid: a face was found, (T,).
        head: the landmarks without the pose, (T, 68, 3), face heights.
        pose: about the clip's rest, (T, 6); NaN without a face.
        velocity: change of the pose from the previous frame, (T, 6); NaN where either is NaN.
        eyes: opening of the eyes, (T,); NaN without a face.
        gaze: irises in eye widths, (T, 2, 2); NaN without a face.
        translation: t of the head, (T, 3), face heights.
        shoulders: (T, 18, 2), px; NaN where not detected.
        rest: the head's rest pose.
    """

    clip: str
    first: int
    fps: float
    features: Features
    loudness: Floats
    valid: NDArray[np.bool_]
    head: Floats
    pose: Floats
    velocity: Floats
    eyes: Floats
    gaze: Floats
    translation: Floats
    shoulders: Floats
    rest: Rest


def read_recordings(
    subject: Subject, extra: float, data: Path = DATA, clips: Sequence[Clip] | None = None
) -> tuple[Recording, ...]:
    """Read the training spans of a subject, in ledger order.

    Args:
        subject: the subject.
        extra: audio to read beyond a span, as far as the gap reaches, s.
        data: folder of clips, landmarks and features.
        clips: with training spans of one's own; those of the ledger by default.

    Raises:
        MissingInput: an artifact is missing, or no clip has both frames with a face and a sound
            that belongs to its lips.
    """
    offsets = sync_offsets(subject, data)
    clips = clips_of(subject, data / "clips") if clips is None else clips
    read = [_read(subject, c, extra, offsets[c.id], data) for c in clips if c.id in offsets]
    recordings = tuple(recording for recording in read if recording is not None)
    if not recordings:
        lost = len(clips) - len(offsets)
        why = f" (in {lost}, the sound does not match the lips: sync.parquet)" if lost else ""
        found = f"no clip has a training span with a face{why}"
        todo = f"add videos: `idiolect add VIDEO… --subject {subject.name}`"
        raise MissingInput(subject, found, todo)
    return recordings


def synchronous_levels(clip: Clip, first: int, end: int, late: int) -> Floats:
    """Measure the sound level of frames, (N,), dB, of sound that is late by some audio frames."""
    heard = np.maximum(np.arange(first, end) + late // 2, 0)
    levels = sound_levels(clip.audio, clip.fps, int(heard[0]), int(heard[-1]) + 1)
    return np.asarray(levels[heard - heard[0]])


def read_rest(subject: Subject, clip: Clip, data: Path = DATA) -> Rest | None:
    """Measure a clip's rest on its training span; None with fewer than ten valid frames."""
    rows = _landmarks(subject, clip, data)
    return None if rows is None else _rest(subject, clip, rows, data)


def _landmarks(subject: Subject, clip: Clip, data: Path) -> dict[str, NDArray[Any]] | None:
    """Read the landmarks of the training span; None with fewer than ten valid frames."""
    if clip.train[1] - clip.train[0] < _FEWEST_FRAMES:
        return None
    path = data / "landmarks" / str(subject) / f"{clip.id}.parquet"
    rows = tables.read(path, LANDMARKS, _COLUMNS, *clip.train)
    return rows if rows["valid"].sum() >= _FEWEST_FRAMES else None


def _read(subject: Subject, clip: Clip, extra: float, offset: int, data: Path) -> Recording | None:
    rows = _landmarks(subject, clip, data)
    if rows is None:
        return None
    first, end = clip.train
    valid = rows["valid"].astype(bool)
    rest = _rest(subject, clip, rows, data)
    held_out = clip.test[0] if clip.test[1] > clip.test[0] else clip.frames
    last = min(end + to_frames(extra, clip.fps), clip.frames, max(held_out, end))
    features = read_features(subject, clip, first, last, offset, data)
    head, R, t, irises = (rows[n][valid] for n in ("head", "rotation", "translation", "irises"))
    pose = np.full((len(valid), 6), np.nan)
    pose[valid] = relative_to_rest(R, t, rest.rotation, rest.translation)
    gaze = np.full((len(valid), 2, 2), np.nan)
    points = project(head, R, t, rest.focal, rest.size)
    gaze[valid] = gaze_from_irises(points, irises.astype(float))
    shoulders = np.where(_shoulders_valid(rows)[:, None, None], rows["shoulders"], np.nan)
    return Recording(
        clip=clip.id,
        first=first,
        fps=clip.fps,
        features=features.reshape(last - first, -1),
        loudness=loudness(synchronous_levels(clip, first, end, offset)),
        valid=valid,
        head=np.where(valid[:, None, None], rows["head"], 0.0),
        pose=pose,
        velocity=velocities(pose),
        eyes=np.where(valid, rows["opening_eyes"].mean(1), np.nan).astype(float),
        gaze=gaze,
        translation=rows["translation"].astype(float),
        shoulders=shoulders.astype(float),
        rest=rest,
    )


def _rest(subject: Subject, clip: Clip, rows: dict[str, NDArray[Any]], data: Path) -> Rest:
    """Measure the rest of a training span; raise BadFormat for a clip without a camera."""
    folder = data / "landmarks" / str(subject)
    focals = read_focals(folder)
    if clip.id not in focals:
        raise BadFormat(folder / "cameras.parquet", f"no camera of clip {clip.id}")
    valid, known = rows["valid"].astype(bool), _shoulders_valid(rows)
    mean = rows["shoulders"][known].mean(0) if known.any() else np.full((18, 2), np.nan)
    return Rest(
        rotation=mean_rotation(rows["rotation"][valid]),
        translation=rows["translation"][valid].mean(0).astype(float),
        shoulders=mean.astype(float),
        focal=focals[clip.id],
        size=clip.size,
    )


def _shoulders_valid(rows: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return np.asarray(rows["valid"].astype(bool) & rows["shoulders_valid"].astype(bool))
