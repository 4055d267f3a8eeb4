"""Whose style a generated mouth has: what `style.py` and `unseen_style.py` share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stages.evaluation.style_descriptors import describe_style
from stages.evaluation.style_identity import StylePopulation
from stages.evaluation.track import Track
from stages.motion.model import MotionModel
from stages.motion.person import MotionPerson
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


def reidentified(rows: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """Return the share of lent motions, one for each fold, voice and style, named rightly."""
    pieces: dict[str, list[np.ndarray]] = {}
    faces: dict[str, MotionPerson] = rows[0]["people"]
    for row in rows:
        own = describe_style(row["truth"], faces[row["person"]].closed_face)
        pieces.setdefault(row["person"], []).append(own)
    population = StylePopulation({n: np.concatenate(p) for n, p in pieces.items()})
    hits = []
    for row in rows:
        for style, track in row["lent"].items():
            if style not in pieces:
                continue
            described = describe_style(track, row["people"][style].closed_face)
            if len(described):
                mean = np.nanmean(described, axis=0, keepdims=True)
                hits.append(population.identified_as(mean, style).share)
    return float(np.mean(hits)), len(hits)
