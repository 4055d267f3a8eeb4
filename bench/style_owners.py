"""Whose style a generated motion has: what `style.py` and `unseen_style.py` share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stages.evaluation.style_descriptors import describe_style
from stages.evaluation.style_identity import StylePopulation
from stages.evaluation.track import Track, track_of_columns
from stages.motion.model import MotionModel
from stages.motion.person import MotionPerson
from stages.motion.predict import predict_recording, retarget
from stages.motion.recordings import Recording


def lent_track(
    model: MotionModel, recordings: Sequence[Recording], moved: np.ndarray, style: str
) -> Track:
    """Return the mouth of a style on its owner's face; head and eyes are unknown."""
    owner = model.person(style)
    head = owner.mean_face + owner.predicted_scale * moved
    return replace(real_track(recordings), head=head, valid=np.ones(len(head), bool))


def real_track(recordings: Sequence[Recording]) -> Track:
    """Return the real mouth; head and eyes are left out, to compare mouths alone."""
    lengths = [len(r.valid) for r in recordings]
    valid = np.concatenate([r.valid for r in recordings])
    head = np.concatenate([r.head for r in recordings])
    unknown = np.full(len(valid), np.nan)
    return Track(
        fps=recordings[0].fps,
        span=np.repeat(np.arange(len(lengths)), lengths),
        valid=valid,
        head=np.where(valid[:, None, None], head, np.nan),
        pose=np.repeat(unknown[:, None], 6, axis=1),
        eyes=unknown,
        gaze=np.repeat(unknown[:, None], 2, axis=1),
    )


def whole_track(model: MotionModel, recordings: Sequence[Recording], style: str) -> Track:
    """Return mouth, brows, head and lids of a style on its owner's face, as `render` has them."""
    owner, parts = model.person(style), []
    for seed, recording in enumerate(recordings):
        motion = predict_recording(model, style, recording, seed)
        parts.append(retarget(motion, owner, owner))
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    span = np.repeat(np.arange(len(parts)), [len(r.valid) for r in recordings])
    return track_of_columns(columns, [owner.rest] * len(parts), span, recordings[0].fps)


def whole_real_track(recordings: Sequence[Recording]) -> Track:
    """Return the whole real motion."""
    return replace(
        real_track(recordings),
        pose=np.concatenate([r.pose for r in recordings]),
        eyes=np.concatenate([r.eyes for r in recordings]),
        gaze=np.concatenate([r.gaze.mean(1) for r in recordings]),
    )


def reidentified(
    rows: Sequence[Mapping[str, Any]], motion: str = "lent", truth: str = "truth"
) -> tuple[float, int]:
    """Return the share of lent motions, one for each fold, voice and style, named rightly.

    Args:
        rows: of persons and folds; `people`, the persons by name, is in each.
        motion: key of the lent tracks by style.
        truth: key of the real track.
    """
    pieces: dict[str, list[np.ndarray]] = {}
    faces: dict[str, MotionPerson] = rows[0]["people"]
    for row in rows:
        own = describe_style(row[truth], faces[row["person"]].closed_face)
        pieces.setdefault(row["person"], []).append(own)
    population = StylePopulation({n: np.concatenate(p) for n, p in pieces.items()})
    hits = []
    for row in rows:
        for style, track in row[motion].items():
            if style not in pieces:
                continue
            described = describe_style(track, row["people"][style].closed_face)
            if len(described):
                mean = np.nanmean(described, axis=0, keepdims=True)
                hits.append(population.identified_as(mean, style).share)
    return float(np.mean(hits)), len(hits)
