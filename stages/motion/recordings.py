"""What the motion model learns from: the training span of each clip, with masks for bad frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.subjects import Subject
from stages.base.face.arrays import Floats
from stages.base.face.projection import project
from stages.base.io import tables
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.motion.eyes import gaze_of
from stages.motion.features import Features, read_pairs
from stages.motion.lateness import audio_late
from stages.motion.pose import about_rest, mean_rotation, velocities

_COLUMNS = (
    "valid",
    "head",
    "rotation",
    "translation",
    "irises",
    "shoulders",
    "shoulders_valid",
    "opening_eyes",
)
_FEWEST = 10  # valid frames of a span that a mean needs


@dataclass(frozen=True)
class Rest:
    """Where a head is at rest in one clip's camera.

    Attributes:
        rotation: mean R, (3, 3).
        translation: mean t, (3,), face heights.
        shoulders: mean shoulders, (18, 2), px; NaN where none were seen.
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
        fps: frames a second.
        pairs: audio features, two a frame, moved to where the lips are, (T + extra, 1102); the
            extra frames are those of the gap before the held-out span, for the look-ahead.
        valid: a face was found, (T,).
        head: the landmarks without the pose, (T, 68, 3), face heights.
        pose: about the clip's rest, (T, 6); NaN where there is no face.
        velocity: its change from the frame before, (T, 6); NaN where either is unknown.
        eyes: how far the eyes are open, (T,); NaN where there is no face.
        gaze: irises in eye widths, (T, 2, 2); NaN where there is no face.
        translation: t of the head, (T, 3), face heights.
        shoulders: (T, 18, 2), px; NaN where they were not seen.
        rest: where the head is at rest.
    """

    clip: str
    fps: float
    pairs: Features
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
    subject: Subject, extra: float, data: Path = Path("data")
) -> tuple[Recording, ...]:
    """Read the training spans of a subject, in ledger order.

    Args:
        subject: who.
        extra: audio to read beyond a span, where it lies in the gap, s.
        data: the folder of clips, landmarks and features.

    Raises:
        MissingInput: an artifact is missing, or not one clip has frames with a face to train on and
            the sound of its lips.
    """
    found = []
    late = audio_late(subject, data)
    clips = clips_of(subject, data / "clips")
    for clip in clips:
        recording = _read(subject, clip, extra, late[clip.id], data) if clip.id in late else None
        if recording is not None:
            found.append(recording)
    if not found:
        lost = len(clips) - len(late)
        why = f" (the sound of {lost} is not its lips': sync.parquet)" if lost else ""
        raise MissingInput(
            subject, f"no clip has a training span with a face{why}", "add videos: `idiolect add`"
        )
    return tuple(found)


def read_rest(subject: Subject, clip: Clip, data: Path = Path("data")) -> Rest | None:
    """Measure a clip's rest on its training span; None where it has too few valid frames."""
    if clip.train[1] - clip.train[0] < _FEWEST:
        return None
    rows = _landmarks(subject, clip, data)
    if rows["valid"].sum() < _FEWEST:
        return None
    return _rest(rows, focal_of(subject, clip, data), clip.size)


def focal_of(subject: Subject, clip: Clip, data: Path = Path("data")) -> float:
    """Read the focal length of a clip, px; raise BadFormat where it has none."""
    path = data / "landmarks" / str(subject) / "cameras.parquet"
    rows = tables.read(path, CAMERAS, ["clip", "focal"])
    for name, focal in zip(rows["clip"], rows["focal"], strict=True):
        if name == clip.id:
            return float(focal)
    raise BadFormat(path, f"no camera of clip {clip.id}")


def _landmarks(subject: Subject, clip: Clip, data: Path) -> dict[str, NDArray[Any]]:
    path = data / "landmarks" / str(subject) / f"{clip.id}.parquet"
    return tables.read(path, LANDMARKS, _COLUMNS, *clip.train)


def _read(subject: Subject, clip: Clip, extra: float, late: int, data: Path) -> Recording | None:
    first, end = clip.train
    rows = _landmarks(subject, clip, data) if end > first else {}
    if not rows or rows["valid"].sum() < _FEWEST:
        return None
    valid = rows["valid"].astype(bool)
    rest = _rest(rows, focal_of(subject, clip, data), clip.size)
    held_out = clip.test[0] if clip.test[1] > clip.test[0] else clip.frames
    heard = min(end + round(extra * clip.fps), clip.frames, max(held_out, end))
    pose = np.full((len(valid), 6), np.nan)
    pose[valid] = about_rest(
        rows["rotation"][valid], rows["translation"][valid], rest.rotation, rest.translation
    )
    gaze = np.full((len(valid), 2, 2), np.nan)
    gaze[valid] = gaze_of(
        project(
            rows["head"][valid],
            rows["rotation"][valid],
            rows["translation"][valid],
            rest.focal,
            rest.size,
        ),
        rows["irises"][valid].astype(float),
    )
    seen = valid & rows["shoulders_valid"].astype(bool)
    return Recording(
        clip=clip.id,
        fps=clip.fps,
        pairs=read_pairs(subject, clip, first, heard, late, data),
        valid=valid,
        head=np.where(valid[:, None, None], rows["head"], 0.0),
        pose=pose,
        velocity=velocities(pose),
        eyes=np.where(valid, rows["opening_eyes"].mean(1), np.nan).astype(float),
        gaze=gaze,
        translation=rows["translation"].astype(float),
        shoulders=np.where(seen[:, None, None], rows["shoulders"], np.nan).astype(float),
        rest=rest,
    )


def _rest(rows: dict[str, NDArray[Any]], focal: float, size: int) -> Rest:
    valid = rows["valid"].astype(bool)
    seen = valid & rows["shoulders_valid"].astype(bool)
    mean = rows["shoulders"][seen].mean(0) if seen.any() else np.full((18, 2), np.nan)
    return Rest(
        rotation=mean_rotation(rows["rotation"][valid]),
        translation=rows["translation"][valid].mean(0).astype(float),
        shoulders=mean.astype(float),
        focal=focal,
        size=size,
    )
