"""Scores of motion against the true motion: landmarks, velocities, and the mouth's opening."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.base.arrays import AnyFloats, Mask
from stages.base.face.face_measures import mouth_opening
from stages.base.io.timebase import to_frames
from stages.evaluation import metrics
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.track import Track, TrackSpeech

_NAN = float("nan")
_LONGEST_LAG_S = 0.12
_FEWEST = 10  # frames that a correlation needs


@dataclass(frozen=True)
class MotionScores:
    """One motion against the truth; docs/reference/metrics.md explains the fields."""

    d_l: float
    lmd: float
    d_v: float
    d_a: float
    mouth_correlation: float
    mouth_amplitude: float
    best_lag_correlation: float
    best_lag_s: float


def score_motion(truth: Track, _: TrackSpeech, generated: Track) -> MotionScores:
    """Score motion on the frames in which both faces are known; NaN without any."""
    valid = truth.valid & generated.valid
    if not valid.any():
        return MotionScores(*[_NAN] * 8)
    true, made = truth.head[valid], generated.head[valid]
    opening, true_opening = mouth_opening(made), mouth_opening(true)
    openings = mouth_opening(truth.head), mouth_opening(generated.head)
    best, lag = best_lag(*openings, valid, truth.fps)
    return MotionScores(
        d_l=metrics.landmark_distance(true, made),
        lmd=metrics.mouth_distance(true, made),
        d_v=metrics.velocity_distance(truth.head, generated.head, valid, truth.fps),
        d_a=metrics.area_distance(true, made),
        mouth_correlation=metrics.correlation(true_opening, opening),
        mouth_amplitude=opening.std() / max(true_opening.std(), 1e-9),
        best_lag_correlation=best,
        best_lag_s=lag,
    )


def best_lag(
    truth: AnyFloats, generated: AnyFloats, valid: Mask, fps: float
) -> tuple[float, float]:
    """Return the highest correlation over lags up to 0.12 s, and its lag in seconds.

    A held-out clip may be recorded out of sync, which no model can infer from its sound.

    Args:
        truth: true openings, (N,).
        generated: generated openings, (N,); NaN where unknown.
        valid: where both are known, (N,).
        fps: frames per second.

    Returns:
        Correlation, and the delay of the generated mouth behind the true one; NaN with too few
        frames.
    """
    most = to_frames(_LONGEST_LAG_S, fps)
    inside = valid.copy()
    inside[:most] = inside[len(inside) - most :] = False
    shifted = {lag: np.roll(generated, -lag) for lag in sorted(range(-most, most + 1), key=abs)}
    inside &= np.isfinite(list(shifted.values())).all(axis=0)
    if inside.sum() < _FEWEST:
        return _NAN, _NAN
    correlations = {
        lag: metrics.correlation(truth[inside], moved[inside]) for lag, moved in shifted.items()
    }
    lag = max(correlations, key=lambda lag: correlations[lag])
    return correlations[lag], lag / fps


def voice_columns(
    held: SubjectFrames, generated: AnyFloats, redetected: AnyFloats
) -> dict[str, Any]:
    """Return the columns of the format VOICE_SCORES.

    Args:
        held: the subject.
        generated: generated landmarks in the head's frame, (N, 68, 3), face heights.
        redetected: landmarks detected in the rendered frames, (N, 68, 2), px; NaN where none.
    """
    frames = held.rendered_frames()
    count = min(len(generated), len(redetected), len(frames))
    frames, generated, redetected = frames[:count], generated[:count], redetected[:count]
    truth = held.rendered_column("head")[:count]
    columns = {
        "opening": mouth_opening(truth),
        "opening_made": mouth_opening(generated),
        "opening_shown": mouth_opening(held.rendered_column("points")[:count]),
        "opening_seen": mouth_opening(redetected),
        "lips": metrics.mouth_distances(truth, generated),
        "lips_at_rest": metrics.mouth_distances(truth, held.mean_head()[None]),
    }
    hidden = ~held.rendered_column("valid")[:count].astype(bool)
    for name in ("opening", "opening_shown", "lips", "lips_at_rest"):
        columns[name] = np.where(hidden, np.nan, columns[name])
    return {
        "subject": [held.subject.name] * count,
        "clip": [frame.clip.id for frame in frames],
        "frame": [frame.frame for frame in frames],
        **columns,
    }
