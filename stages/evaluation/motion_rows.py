"""Rows of the motion tables: the truth, the generated motion, and the baselines.

Every measure of motion is a function of tracks; `score_rows` calls it once for each row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

import numpy as np

from stages.base.arrays import AnyFloats
from stages.base.io.timebase import to_frames
from stages.evaluation.behaviour import SpeakingBehaviour, measure_behaviour, score_behaviour
from stages.evaluation.motion_scores import score_motion
from stages.evaluation.speech_scores import score_closures, score_sync
from stages.evaluation.track import Track, TrackSpeech

Measure = Callable[[Track, TrackSpeech, Track], Any]
Rows = Mapping[str, Sequence[Track]]
T = TypeVar("T")


def _behaviour(_truth: Track, speech: TrackSpeech, generated: Track) -> SpeakingBehaviour:
    return measure_behaviour(generated, speech)


# By the key of scores.json; the fields of what each returns are the keys below it.
MEASURES: Mapping[str, Measure] = {
    "motion": score_motion,
    "sync": score_sync,
    "closures": score_closures,
    "behaviour": _behaviour,
    "behaviour_ratio": score_behaviour,
}
_SHIFT_S = 2.0


def still_face(truth: Track, head: AnyFloats) -> Track:
    """Return a track of one unmoved head, (68, 3), with open eyes that look ahead."""
    frames = len(truth)
    with np.errstate(invalid="ignore"):
        eyes = np.nanmedian(truth.eyes) if truth.valid.any() else np.nan
    return Track(
        truth.fps,
        truth.span,
        np.ones(frames, bool),
        np.broadcast_to(np.asarray(head, float), (frames, 68, 3)),
        np.zeros((frames, 6)),
        np.full(frames, eyes),
        np.zeros((frames, 2)),
    )


def other_audio(generated: Track) -> Iterator[Track]:
    """Yield the motion shifted by multiples of 2 s (short tracks: quarters), as a wrong voice's."""
    count = len(generated)
    step = min(to_frames(_SHIFT_S, generated.fps), count // 4)
    arrays = {f.name: getattr(generated, f.name) for f in fields(Track) if f.name != "fps"}
    del arrays["span"]
    for shift in range(step, count - step + 1, step) if step else ():
        yield replace(generated, **{n: np.roll(a, shift, axis=0) for n, a in arrays.items()})


def score_rows(truth: Track, speech: TrackSpeech, rows: Rows) -> dict[str, Any]:
    """Return the scores by measure, then by row.

    A row of several tracks has the mean over these; a row without tracks is left out.
    """
    return {
        name: {
            row: mean_scores([asdict(measure(truth, speech, track)) for track in tracks])
            for row, tracks in rows.items()
            if tracks
        }
        for name, measure in MEASURES.items()
    }


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average each score over those that are known: neither NaN nor missing."""
    if len(scores) == 1:
        return dict(scores[0])
    values = {name: np.array([s[name] for s in scores], float) for name in scores[0]}
    return {
        name: float(v[~np.isnan(v)].mean()) if not np.isnan(v).all() else float("nan")
        for name, v in values.items()
    }
