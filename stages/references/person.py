"""What a subject's face does over all its training spans, as rows of frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.references.descriptors import describe, own_range


@dataclass(frozen=True)
class Person:
    """Every frame of a subject's training spans, clip after clip.

    Args:
        clips: the clips with a training span, in the ledger's order.
        clip: index into `clips`, (N,).
        frame: index in the clip, (N,).
        amplitude: raw descriptors, (N, 12); NaN where no face.
        normal: the same as quantiles of the person's own range, (N, 12).
        lids: lid distance over lid width, mean of the eyes, (N,).
        sharpness: of the face, (N,).
        box: x, y, width, height around the face in the stored frame, (N, 4), pixels.
    """

    clips: tuple[Clip, ...]
    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    amplitude: Floats
    normal: Floats
    lids: Floats
    sharpness: Floats
    box: Floats


def usable_clips(subject: Subject, data: Path = Path("data")) -> list[Clip]:
    """List a subject's usable clips in the ledger's order; raise MissingInput where none is."""
    clips = clips_of(subject, data / "clips")
    if not clips:
        raise MissingInput(subject, "no usable clip", "the reasons stand in its clips.parquet")
    return clips


def load(subject: Subject, mean_s: float, data: Path = Path("data")) -> Person:
    """Read a subject's training spans and describe every frame.

    Args:
        subject: whose.
        mean_s: length of the running mean of the head's motion, seconds.
        data: folder with clips and landmarks.

    Raises:
        MissingInput: the subject has no usable clip with a training span.
    """
    clips: list[Clip] = []
    parts: list[dict[str, NDArray[Any]]] = []
    for clip in usable_clips(subject, data):
        if clip.train[0] >= clip.train[1]:
            continue
        path = data / "landmarks" / str(subject) / f"{clip.id}.parquet"
        parts.append(_frames(path, clip, len(clips), mean_s))
        clips.append(clip)
    if not clips:
        raise MissingInput(subject, "no clip has a training span", "add longer or more videos")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Person(clips=tuple(clips), normal=own_range(joined["amplitude"]), **joined)


def _frames(path: Path, clip: Clip, index: int, mean_s: float) -> dict[str, NDArray[Any]]:
    names = ("valid", "head", "rotation", "translation", "box", "opening_eyes", "sharpness")
    rows = tables.read(path, LANDMARKS, names, *clip.train)
    invalid = ~rows["valid"].astype(bool)
    head, rotation, translation = (
        np.where(invalid.reshape(-1, *[1] * (rows[name].ndim - 1)), np.nan, rows[name])
        for name in ("head", "rotation", "translation")
    )
    return {
        "clip": np.full(len(invalid), index),
        "frame": clip.train[0] + np.arange(len(invalid)),
        "amplitude": describe(head, rotation, translation, to_frames(mean_s, clip.fps)),
        "lids": rows["opening_eyes"].mean(1).astype(float),
        "sharpness": rows["sharpness"].astype(float),
        "box": rows["box"].astype(float),
    }


def curves_at(person: Person, clip: int, centres: Floats, spans: Floats, steps: int) -> Floats:
    """Read the person-normalised curve around moments of one clip.

    Args:
        person: the person.
        clip: index into its clips.
        centres: middle of each curve, (M,), frames of the clip.
        spans: length of each curve, (M,), frames.
        steps: points along a curve, first and last at its ends.

    Returns:
        Curves, (M, steps, 12), linear between frames; NaN where a point lies outside the training
        span or next to a frame without a face.
    """
    rows = np.flatnonzero(person.clip == clip)
    offset = np.linspace(-0.5, 0.5, steps)
    at = centres[:, None] + offset * spans[:, None] - person.clips[clip].train[0]
    inside = (at >= 0) & (at <= len(rows) - 1)
    low = np.clip(np.floor(at).astype(int), 0, len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    part = np.clip(at - low, 0, 1)[..., None]
    values = person.normal[rows]
    # A weight of zero must not let a NaN neighbour through.
    curves = np.where(part == 0, values[low], values[low] * (1 - part) + values[high] * part)
    return np.where(inside[..., None], curves, np.nan)
