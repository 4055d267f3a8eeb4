"""What a face does while it talks: blinks, head pose and gaze, and heads that move with the voice.

    ratios = score_behaviour(truth, speech, generated)     # 1 where both do the same
    values = measure_behaviour(generated, speech)

Statistics are compared, not frames: a second recording of the same words has other blinks, nods
and glances at other moments.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter
from scipy.spatial.transform import Rotation

from stages.base.arrays import Floats, Mask
from stages.base.io.timebase import to_frames
from stages.evaluation.metrics import correlation
from stages.evaluation.speech_scores import audible_level
from stages.evaluation.track import Track, TrackSpeech
from stages.motion.eyes import find_blinks

_NAN = float("nan")
_STEADY_S = 0.2  # window of the median that removes the jitter of irises and keeps saccades
_ENERGY_S = 0.5  # window over which the energies of head and voice are averaged
_FEWEST = 10  # windows that a correlation needs


@dataclass(frozen=True)
class Behaviour:
    """Blinks, head pose and gaze of one face; as ratios to the truth, the truth's are 1.

    A value is NaN where nothing can be measured. Truth's own values are the reference.

    Attributes:
        blink_rate: blinks a minute.
        blink_depth: mean share of the usual opening by which the lids close, up to 1.
        blink_duration: mean, twice the width at half depth, seconds.
        pitch_std: standard deviation of nodding about each span's mean, degrees.
        yaw_std: the same of turning.
        roll_std: the same of tilting.
        head_speed: mean angular speed, degrees a second.
        gaze_std: standard deviation about each span's mean, both axes, eye widths.
        gaze_speed: mean speed, eye widths a second.
    """

    blink_rate: float
    blink_depth: float
    blink_duration: float
    pitch_std: float
    yaw_std: float
    roll_std: float
    head_speed: float
    gaze_std: float
    gaze_speed: float


@dataclass(frozen=True)
class SpeakingBehaviour(Behaviour):
    """Behaviour of one face, and how its head follows the voice.

    Attributes:
        head_follows_voice: r² of angular speed and sound level, means over half seconds; 0 where
            the head moves more in quieter moments. Chance is about 1 / (windows - 1).
    """

    head_follows_voice: float


def score_behaviour(truth: Track, speech: TrackSpeech, generated: Track) -> Behaviour:
    """Return each measure of the generated motion over the truth's; NaN where the latter is 0."""
    true = asdict(measure_behaviour(truth, speech))
    own = asdict(measure_behaviour(generated, speech))
    names = [field.name for field in fields(Behaviour)]
    return Behaviour(**{name: own[name] / true[name] if true[name] else _NAN for name in names})


def measure_behaviour(track: Track, speech: TrackSpeech) -> SpeakingBehaviour:
    """Measure the behaviour of one face that speaks.

    Args:
        track: the motion, N frames.
        speech: its sound, N frames or more.
    """
    rate, depth, duration = _blinks(track)
    pitch, yaw, roll = np.degrees(_spread(track.pose[:, :3], track))
    speed = angular_speed(track)
    gaze = _steady(track.gaze, track)
    return SpeakingBehaviour(
        blink_rate=rate,
        blink_depth=depth,
        blink_duration=duration,
        pitch_std=float(pitch),
        yaw_std=float(yaw),
        roll_std=float(roll),
        head_speed=_mean(speed),
        gaze_std=float(np.linalg.norm(_spread(gaze, track))),
        gaze_speed=_mean(np.linalg.norm(_steps(gaze, track), axis=-1) * track.fps),
        head_follows_voice=_followed(speed, audible_level(speech.level[: len(track)]), track),
    )


def angular_speed(track: Track) -> Floats:
    """Return the angular speed of the head since the previous frame, (N,), degrees a second.

    NaN in the first frame of a span, and where the face is not known in both.
    """
    known = _rows_known(track.pose[:, :3])
    turned = Rotation.from_rotvec(np.where(known[:, None], track.pose[:, :3], 0.0))
    angles = np.zeros(len(track))
    angles[1:] = np.degrees((turned[1:] * turned[:-1].inv()).magnitude())
    both: Mask = known & _continued(track)
    both[1:] &= known[:-1]
    return np.where(both, angles * track.fps, _NAN)


def _blinks(track: Track) -> tuple[float, float, float]:
    """Return blinks a minute, mean depth and mean duration, s."""
    minutes = float(np.isfinite(track.eyes).sum()) / track.fps / 60
    if not minutes:
        return _NAN, _NAN, _NAN
    found = [b for rows in _spans(track) for b in find_blinks(track.eyes[rows], track.fps)]
    if not found:
        return 0.0, _NAN, _NAN
    widths, depths = np.array([(blink.width, blink.depth) for blink in found]).T
    return len(found) / minutes, float(depths.mean()), float(2 * widths.mean() / track.fps)


def _spread(values: Floats, track: Track) -> Floats:
    """Return the standard deviation of (N, D) values about their span's mean, (D,)."""
    known = _rows_known(values)
    parts = [values[rows][known[rows]] for rows in _spans(track)]
    deviations = np.concatenate([part - part.mean(axis=0) for part in parts if len(part)] or [[]])
    if not len(deviations):
        return np.full(values.shape[1], _NAN)
    return np.asarray(np.sqrt((deviations**2).mean(axis=0)))


def _steps(values: Floats, track: Track) -> Floats:
    """Return the change of (N, D) values since the previous frame; NaN at a span's start."""
    steps = np.diff(values, axis=0, prepend=values[:1])
    return np.where(_continued(track)[:, None], steps, _NAN)


def _steady(values: Floats, track: Track) -> Floats:
    """Filter (N, D) values by a running median; unknown values are bridged and stay NaN."""
    steady = values.copy()
    length = to_frames(_STEADY_S, track.fps, 1)
    for rows in _spans(track):
        frames = np.arange(len(values))[rows]
        for axis in range(values.shape[1]):
            known = np.isfinite(values[rows, axis])
            if known.any():
                filled = np.interp(frames, frames[known], values[rows, axis][known])
                smooth = median_filter(filled, length, mode="nearest")
                steady[rows, axis] = np.where(known, smooth, _NAN)
    return steady


def _followed(speed: Floats, level: Floats, track: Track) -> float:
    """Return r² of the half-second means of speed and level, both (N,); 0 if r is negative."""
    length = to_frames(_ENERGY_S, track.fps, 1)
    heads, voices = [], []
    for rows in _spans(track):
        for start in range(rows.start, rows.stop - length + 1, length):
            window = slice(start, start + length)
            known = np.isfinite(speed[window])
            if 2 * known.sum() > length:
                heads.append(speed[window][known].mean())
                voices.append(level[window].mean())
    if len(heads) < _FEWEST:
        return _NAN
    return max(0.0, correlation(np.array(heads), np.array(voices))) ** 2


def _spans(track: Track) -> Iterator[slice]:
    """Yield the rows of each span."""
    edges = np.flatnonzero(np.diff(track.span)) + 1
    starts = [0, *edges.tolist(), len(track)]
    for first, end in pairwise(starts):
        yield slice(first, end)


def _continued(track: Track) -> Mask:
    """Return where a frame follows one of the same span, (N,)."""
    return np.concatenate([[False], track.span[1:] == track.span[:-1]])[: len(track)]


def _rows_known(values: Floats) -> Mask:
    """Return which rows of (N, D) values are finite, (N,)."""
    return np.asarray(np.isfinite(values).all(axis=1), bool)


def _mean(values: Floats) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else _NAN
