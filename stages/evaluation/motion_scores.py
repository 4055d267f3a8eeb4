"""Generated motion against true motion over the held-out voice."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.face import face_measures
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.evaluation import metrics
from stages.evaluation.heldout import Heldout
from stages.render.artifacts import MOTION

Floats = NDArray[np.floating[Any]]
Scores = dict[str, float]
_SHIFT_S = 2.0
_LONGEST_LAG_S = 0.12
_FEWEST = 10  # frames that a correlation needs


def read_motion(path: Path) -> Floats:
    """Read a rendered video's landmarks in the head's frame, (N, 68, 3), face heights."""
    return tables.read(path, MOTION, ["head"])["head"]


def rows(held: Heldout, made: Floats) -> dict[str, Scores]:
    """Score the generated motion, the trivial answers and the truth.

    Args:
        held: the subject; its test spans, joined in ledger order, are the truth.
        made: generated landmarks of the same frames, (N, 68, 3).

    Returns:
        `generated`; `mean_face` (the training mean, unmoved); `other_audio` (the generated motion
        moved against the truth by 2 s and more, in short spans by quarters: what the wrong voice
        gives, mean over shifts); `truth`.

    """
    valid = held.test_columns("valid").astype(bool)
    truth, fps = held.test_columns("head"), held.clips[0].fps
    count = min(len(truth), len(made))
    valid, truth, made = valid[:count], truth[:count], made[:count]
    mean = _mean_face(held)
    step = min(to_frames(_SHIFT_S, fps), count // 4)
    shifted = [
        _score(truth, np.roll(made, shift, axis=0), valid, fps)
        for shift in (range(step, count - step + 1, step) if step else ())
    ]
    found = {
        "generated": _score(truth, made, valid, fps),
        "mean_face": _score(truth, np.broadcast_to(mean, truth.shape), valid, fps),
        "truth": _score(truth, truth, valid, fps),
    }
    if shifted:
        found["other_audio"] = {k: _round(np.mean([s[k] for s in shifted])) for k in shifted[0]}
    return found


def _score(truth: Floats, made: Floats, valid: NDArray[np.bool_], fps: float) -> Scores:
    pairs = valid[1:] & valid[:-1]
    opening, true_opening = (
        face_measures.mouth_opening(made[valid]),
        face_measures.mouth_opening(truth[valid]),
    )
    steps = np.concatenate([[False], pairs])
    best, lag = best_lag(
        face_measures.mouth_opening(truth), face_measures.mouth_opening(made), valid, fps
    )
    return {
        "d_l": _round(metrics.landmark_distance(truth[valid], made[valid])),
        "lmd": _round(metrics.mouth_distance(truth[valid], made[valid])),
        "d_v": _round(_velocity(truth, made, steps, fps)),
        "d_a": _round(metrics.area_distance(truth[valid], made[valid])),
        "mouth_correlation": _round(metrics.correlation(true_opening, opening)),
        "mouth_amplitude": _round(opening.std() / max(true_opening.std(), 1e-9)),
        "best_lag_correlation": _round(best),
        "best_lag_s": _round(lag),
    }


def best_lag(
    truth: Floats, made: Floats, valid: NDArray[np.bool_], fps: float
) -> tuple[float, float]:
    """Return the highest correlation over lags up to 0.12 s, and its lag in seconds.

    A held-out clip may be filmed out of sync, which no model can know from its sound.

    Args:
        truth: true openings, (N,).
        made: generated openings, (N,).
        valid: where the truth is known, (N,).
        fps: frames a second.

    Returns:
        Correlation, and how much later than the truth the generated mouth moves.
    """
    most = to_frames(_LONGEST_LAG_S, fps)
    inside = valid.copy()
    inside[:most] = inside[len(inside) - most :] = False
    if inside.sum() < _FEWEST:
        return float("nan"), float("nan")
    found = {
        lag: metrics.correlation(truth[inside], np.roll(made, -lag)[inside])
        for lag in sorted(range(-most, most + 1), key=abs)
    }
    known = {lag: value for lag, value in found.items() if np.isfinite(value)}
    if not known:
        return float("nan"), float("nan")
    lag = max(known, key=lambda lag: known[lag])
    return known[lag], lag / fps


def _velocity(truth: Floats, made: Floats, steps: NDArray[np.bool_], fps: float) -> float:
    """D-V over the steps between two valid frames."""
    at = np.flatnonzero(steps)
    if not len(at):
        return float("nan")
    pairs = [metrics.velocity_distance(truth[i - 1 : i + 1], made[i - 1 : i + 1], fps) for i in at]
    return float(np.mean(pairs))


def style_distance(real: Heldout, own: Heldout, made: Floats, window: int, stride: int) -> float:
    """SLD between the real motion of one subject and a generated motion on another's face.

    Both are displacements from their owner's mean training face, so that faces do not count.

    Args:
        real: whose style.
        own: whose face the generated motion moves.
        made: the generated landmarks, (N, 68, 3), face heights.
        window: F, frames.
        stride: v, frames.

    """
    truth = real.test_columns("head")[real.test_columns("valid").astype(bool)]
    reference = truth - _mean_face(real)
    return _round(metrics.windowed_distance(reference, made - _mean_face(own), window, stride))


def _mean_face(held: Heldout) -> Floats:
    mean: Floats = held.column(held.rows("train"), "head").mean(axis=0)
    return mean


def redetected(held: Heldout, found: Floats, valid: NDArray[np.bool_]) -> Scores:
    """Correlate the opening seen in the rendered video with the true opening.

    Args:
        held: the subject.
        found: landmarks detected in the rendered frames, (N, 68, 2), px; NaN where none.
        valid: where a face was found, (N,).

    """
    true_valid = held.test_columns("valid").astype(bool)
    count = min(len(found), len(true_valid))
    both = valid[:count] & true_valid[:count]
    scores = seen_again(held.test_columns("points")[:count][both], found[:count][both])
    # Blinks are drawn at random: they are not where the true ones were.
    return {name: score for name, score in scores.items() if name != "eyes_correlation"}


def seen_again(true: Floats, found: Floats) -> Scores:
    """Compare the opening of mouth and eyes of landmarks, (N, 68, 2) each: correlation, amplitude.

    An amplitude is a standard deviation over the true one: below 1 what is drawn moves less.
    """
    scores: Scores = {}
    for name, opening in (("mouth", face_measures.mouth_opening), ("eyes", _lids)):
        scores[f"{name}_correlation"] = scores[f"{name}_amplitude"] = float("nan")
        if len(true):
            a, b = opening(true), opening(found)
            scores[f"{name}_correlation"] = _round(metrics.correlation(a, b))
            scores[f"{name}_amplitude"] = _round(b.std() / max(a.std(), 1e-9))
    return scores | {"frames": len(true)}


def per_frame(held: Heldout, made: Floats, seen: Floats) -> dict[str, Any]:
    """Lay what was made of a subject's voice out frame by frame, as VOICE_SCORES.

    Args:
        held: the subject.
        made: generated landmarks in the head's frame, (N, 68, 3), face heights.
        seen: landmarks detected in the rendered frames, (N, 68, 2), px; NaN where none.

    """
    count = min(len(made), len(seen), len(held.test_frames()))
    frames = held.test_frames()[:count]
    hidden = ~held.test_columns("valid")[:count].astype(bool)
    truth, made, seen = held.test_columns("head")[:count], made[:count], seen[:count]
    found = {
        "opening": face_measures.mouth_opening(truth),
        "opening_made": face_measures.mouth_opening(made),
        "opening_shown": face_measures.mouth_opening(held.test_columns("points")[:count]),
        "opening_seen": face_measures.mouth_opening(seen),
        "lips": metrics.mouth_distances(truth, made),
        "lips_at_rest": metrics.mouth_distances(truth, _mean_face(held)[None]),
    }
    for name in ("opening", "opening_shown", "lips", "lips_at_rest"):
        found[name] = np.where(hidden, np.nan, found[name])
    subjects = [held.subject.name] * count
    clips, indices = [clip for clip, _ in frames], [frame for _, frame in frames]
    return {"subject": subjects, "clip": clips, "frame": indices, **found}


def _lids(points: Floats) -> Floats:
    lids: Floats = face_measures.eye_opening(points).mean(axis=-1)
    return lids


def _round(value: Any) -> float:
    return round(float(value), 4)
