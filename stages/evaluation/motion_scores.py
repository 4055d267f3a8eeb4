"""Scores of motion that is generated from the held-out speech, against the true motion."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stages.base.arrays import AnyFloats, Mask
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import to_frames
from stages.evaluation import metrics
from stages.evaluation.held_out_frames import SubjectFrames
from stages.landmarks import backend

_NAN = float("nan")
_SHIFT_S = 2.0
_LONGEST_LAG_S = 0.12
_FEWEST = 10  # frames that a correlation needs
_REDETECTION_SIZE = 256  # px; the mesh network needs a face of more than a hundred


@dataclass(frozen=True)
class MotionScores:
    """One motion against the truth; the fields are keys of metrics.json, see docs/method.md."""

    d_l: float
    lmd: float
    d_v: float
    d_a: float
    mouth_correlation: float
    mouth_amplitude: float
    best_lag_correlation: float
    best_lag_s: float


@dataclass(frozen=True)
class OpeningScores:
    """Openings of mouth and eyes compared with the true ones: correlation, ratio of amplitudes.

    An amplitude is a standard deviation: below 1 the compared face moves less.
    """

    mouth_correlation: float
    mouth_amplitude: float
    eyes_correlation: float
    eyes_amplitude: float
    frames: int


def score_motion(held: SubjectFrames, generated: AnyFloats) -> dict[str, MotionScores]:
    """Score the generated motion, the baselines and the truth.

    Args:
        held: the subject; its test spans, joined as in renders, are the truth.
        generated: landmarks of the same frames, (N, 68, 3).

    Returns:
        `generated`; `mean_face` (the training mean, unmoved); `truth`; and, unless there are fewer
        than four frames, `other_audio` (the generated motion shifted against the truth by
        multiples of 2 s, in short spans by quarters: the score of a wrong voice, mean over shifts).
    """
    valid = held.rendered_column("valid").astype(bool)
    truth, fps = held.rendered_column("head"), held.fps
    count = min(len(truth), len(generated))
    valid, truth, generated = valid[:count], truth[:count], generated[:count]
    mean = np.broadcast_to(held.mean_head(), truth.shape)
    scores = {
        "generated": _score(truth, generated, valid, fps),
        "mean_face": _score(truth, mean, valid, fps),
        "truth": _score(truth, truth, valid, fps),
    }
    if step := min(to_frames(_SHIFT_S, fps), count // 4):
        shifted = [
            asdict(_score(truth, np.roll(generated, shift, axis=0), valid, fps))
            for shift in range(step, count - step + 1, step)
        ]
        means = {name: _round(np.mean([s[name] for s in shifted])) for name in shifted[0]}
        scores["other_audio"] = MotionScores(**means)
    return scores


def _score(truth: AnyFloats, generated: AnyFloats, valid: Mask, fps: float) -> MotionScores:
    opening, true_opening = mouth_opening(generated[valid]), mouth_opening(truth[valid])
    best, lag = best_lag(mouth_opening(truth), mouth_opening(generated), valid, fps)
    return MotionScores(
        d_l=_round(metrics.landmark_distance(truth[valid], generated[valid])),
        lmd=_round(metrics.mouth_distance(truth[valid], generated[valid])),
        d_v=_round(metrics.velocity_distance(truth, generated, valid, fps)),
        d_a=_round(metrics.area_distance(truth[valid], generated[valid])),
        mouth_correlation=_round(metrics.correlation(true_opening, opening)),
        mouth_amplitude=_round(opening.std() / max(true_opening.std(), 1e-9)),
        best_lag_correlation=_round(best),
        best_lag_s=_round(lag),
    )


def best_lag(
    truth: AnyFloats, generated: AnyFloats, valid: Mask, fps: float
) -> tuple[float, float]:
    """Return the highest correlation over lags up to 0.12 s, and its lag in seconds.

    A held-out clip may be recorded out of sync, which no model can infer from its sound.

    Args:
        truth: true openings, (N,).
        generated: generated openings, (N,).
        valid: where the truth is known, (N,).
        fps: frames per second.

    Returns:
        Correlation, and the delay of the generated mouth behind the true one; NaN with too few
        frames.
    """
    most = to_frames(_LONGEST_LAG_S, fps)
    inside = valid.copy()
    inside[:most] = inside[len(inside) - most :] = False
    if inside.sum() < _FEWEST:
        return _NAN, _NAN
    correlations = {
        lag: metrics.correlation(truth[inside], np.roll(generated, -lag)[inside])
        for lag in sorted(range(-most, most + 1), key=abs)
    }
    lag = max(correlations, key=lambda lag: correlations[lag])
    return correlations[lag], lag / fps


def style_distance(
    real: SubjectFrames, own: SubjectFrames, generated: AnyFloats, window: int, stride: int
) -> float:
    """Compute SLD between the real motion of one subject and generated motion on another's face.

    Both are displacements from their owner's mean training face, so the shape of the face has no
    effect.

    Args:
        real: the subject of the real style.
        own: the subject whose face moves.
        generated: the generated landmarks, (N, 68, 3), face heights.
        window: F, frames.
        stride: v, frames.
    """
    truth = real.rendered_column("head")[real.rendered_column("valid").astype(bool)]
    displacements = truth - real.mean_head(), generated - own.mean_head()
    return _round(metrics.windowed_distance(*displacements, window, stride))


def redetect_landmarks(images: Iterable[Image]) -> tuple[AnyFloats, Mask]:
    """Detect the 68 landmarks in square images of one clip, in order of time.

    Returns:
        Points (N, 68, 2) in px of a 256 px frame, NaN where no face was detected, and where one
        was, (N,).
    """
    detector = backend.open_backend("mediapipe")
    faces = [detector(resize(image, _REDETECTION_SIZE)) for image in images]
    detector.close()
    missing = np.full((68, 2), np.nan)
    points = np.array([missing if face is None else face.points for face in faces])
    points = points.reshape(-1, 68, 2)
    return points, np.isfinite(points).all(axis=(1, 2))


def score_redetection(held: SubjectFrames, points: AnyFloats, valid: Mask) -> dict[str, float]:
    """Score the openings in a rendered video against the true ones.

    Args:
        held: the subject.
        points: landmarks detected in the rendered frames, (N, 68, 2), px; NaN where none.
        valid: where a face was detected, (N,).

    Returns:
        `OpeningScores` without the correlation of the eyes: blinks are drawn at random.
    """
    true_valid = held.rendered_column("valid").astype(bool)
    count = min(len(points), len(true_valid))
    both = valid[:count] & true_valid[:count]
    true = held.rendered_column("points")[:count][both]
    scores = asdict(score_openings(true, points[:count][both]))
    return {name: score for name, score in scores.items() if name != "eyes_correlation"}


def score_openings(true: AnyFloats, points: AnyFloats) -> OpeningScores:
    """Compare the openings of landmarks, (N, 68, 2) each; NaN without a frame."""
    mouth, eyes = ((_NAN, _NAN), (_NAN, _NAN))
    if len(true):
        mouth, eyes = (
            (
                _round(metrics.correlation(opening(true), opening(points))),
                _round(opening(points).std() / max(opening(true).std(), 1e-9)),
            )
            for opening in (mouth_opening, lambda points: eye_opening(points).mean(axis=-1))
        )
    return OpeningScores(*mouth, *eyes, len(true))


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


def _round(value: Any) -> float:
    return round(float(value), 4)
