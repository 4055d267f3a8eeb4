"""A subject's facial motion: twelve descriptors a frame, raw and relative to the person's range."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.clips.ledger import Clip, clips_of, style_spans
from stages.landmarks.artifacts import LANDMARKS

# Order of the columns of data/templates/templates.csv and of `amplitude` in the references.
NAMES = (
    *("mouth_opening", "mouth_width", "protrusion", "lip_press"),
    *("eyelid_opening", "brow_height"),
    *("yaw", "pitch", "roll", "x", "y", "z"),
)
GROUPS = {"mouth": slice(0, 4), "eyes": slice(4, 6), "head": slice(6, 12)}


def describe(head: Floats, rotation: Floats, translation: Floats, window: int) -> Floats:
    """Compute the descriptors of consecutive frames of one clip (ours).

    Args:
        head: landmarks without the pose, (N, 68, 3), face heights; NaN without a face.
        rotation: R of the pose, (N, 3, 3).
        translation: t of the pose, (N, 3), face heights.
        window: frames of the running mean that is subtracted from rotation and translation.

    Returns:
        Descriptors in the order of `NAMES`, (N, 12), face heights and radians.
    """
    pose = np.concatenate([head_pose.angles_from_rotation(rotation), translation], axis=1)
    columns = [
        face_measures.mouth_opening(head),
        face_measures.mouth_width(head),
        face_measures.protrusion(head),
        face_measures.lip_press(head),
        face_measures.eye_opening(head).mean(1),
        face_measures.brow_height(head),
        *(pose - running_mean(pose, window)).T,
    ]
    return np.stack(columns, axis=1)


def running_mean(values: Floats, window: int) -> Floats:
    """Return the running mean along frames, ignoring NaN and rows beyond the ends.

    Args:
        values: (N, D).
        window: frames in the centred window; even numbers are rounded up.

    Returns:
        Means, (N, D); NaN for a window without values.
    """
    half = window // 2
    known = np.isfinite(values)
    sums = np.cumsum(np.where(known, values, 0.0), axis=0)
    counts = np.cumsum(known, axis=0)
    sums, counts = (np.concatenate([np.zeros_like(a[:1]), a]) for a in (sums, counts))
    frames = np.arange(len(values))
    start, stop = np.maximum(frames - half, 0), np.minimum(frames + half + 1, len(values))
    number = counts[stop] - counts[start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums[stop] - sums[start]) / np.where(number > 0, number, np.nan))


def quantile_normalise(descriptors: Floats) -> Floats:
    """Replace each value by its quantile among the person's values (person-normalised).

    Invariant to every increasing function of a descriptor, such as a larger mouth or a livelier
    head. Equal values share their mean rank.

    Args:
        descriptors: all frames of one person, (N, D); rows with NaN are ignored.

    Returns:
        Quantiles, (N, D), 0 to 1; rows with NaN become NaN.
    """
    known = np.isfinite(descriptors).all(1)
    result = np.full(descriptors.shape, np.nan)
    if known.any():
        result[known] = (rankdata(descriptors[known], axis=0) - 0.5) / known.sum()
    return result


def column_weights(mouth: float, eyes: float, head: float) -> Floats:
    """Divide each group's weight evenly among its columns, (12,)."""
    weights = np.zeros(len(NAMES))
    for name, weight in (("mouth", mouth), ("eyes", eyes), ("head", head)):
        columns = GROUPS[name]
        weights[columns] = weight / (columns.stop - columns.start)
    return weights


@dataclass(frozen=True)
class PersonCurves:
    """Every frame of a subject's training spans, clip after clip.

    Attributes:
        clips: the clips with a training span, in the ledger's order.
        clip: index into `clips`, (N,).
        frame: index in the clip, (N,).
        amplitude: raw descriptors, (N, 12); NaN without a face.
        normal: the descriptors as quantiles of the person's range, (N, 12).
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


def usable_clips(subject: Subject, data: Path = DATA) -> list[Clip]:
    """List a subject's usable clips in ledger order; raise MissingInput without any."""
    clips = clips_of(subject, data / "clips")
    if not clips:
        raise MissingInput(
            subject, "no usable clip", f"see the reasons in {data}/clips/{subject}/clips.parquet"
        )
    return clips


def style_clips(subject: Subject, data: Path = DATA) -> list[Clip]:
    """List a subject's usable clips with the spans that define the style."""
    return style_spans(subject, usable_clips(subject, data))


def load(
    subject: Subject, mean_s: float, data: Path = DATA, clips: Sequence[Clip] | None = None
) -> PersonCurves:
    """Read the spans that a subject's style is known by, and describe every frame.

    Args:
        subject: the subject.
        mean_s: length of the running mean of the head's motion, seconds.
        data: folder with clips and landmarks.
        clips: with training spans of one's own; those of `style_clips` by default.

    Raises:
        MissingInput: the subject has no usable clip with a training span.
    """
    known: list[Clip] = []
    parts: list[dict[str, NDArray[Any]]] = []
    for clip in style_clips(subject, data) if clips is None else clips:
        if clip.train[0] >= clip.train[1]:
            continue
        path = data / "landmarks" / str(subject) / f"{clip.id}.parquet"
        parts.append(_frames(path, clip, len(known), mean_s))
        known.append(clip)
    if not known:
        raise MissingInput(subject, "no clip has a training span", "add longer or more videos")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return PersonCurves(
        clips=tuple(known), normal=quantile_normalise(joined["amplitude"]), **joined
    )


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


def curves_at(
    person: PersonCurves, clip: int, centres: Floats, spans: Floats, steps: int
) -> Floats:
    """Sample person-normalised curves around moments of one clip.

    Args:
        person: the person.
        clip: index into its clips.
        centres: middle of each curve, (M,), frames of the clip.
        spans: length of each curve, (M,), frames.
        steps: samples of a curve, from its first to its last moment.

    Returns:
        Curves, (M, steps, 12), interpolated linearly; NaN outside the training span and next to
        frames without a face.
    """
    rows = np.flatnonzero(person.clip == clip)
    offset = np.linspace(-0.5, 0.5, steps)
    at = centres[:, None] + offset * spans[:, None] - person.clips[clip].train[0]
    inside = (at >= 0) & (at <= len(rows) - 1)
    low = np.clip(np.floor(at).astype(int), 0, len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    part = np.clip(at - low, 0, 1)[..., None]
    values = person.normal[rows]
    # A NaN neighbour must not pass through a weight of zero.
    curves = np.where(part == 0, values[low], values[low] * (1 - part) + values[high] * part)
    return np.where(inside[..., None], curves, np.nan)
