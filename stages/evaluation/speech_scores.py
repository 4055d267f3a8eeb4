"""How a mouth follows its speech: lag and correlation, and lips that close for B, M and P.

Every row has its truth beside it: a real mouth does not follow the level of its sound exactly, and
does not close for every bilabial that the phone track finds.
"""

from dataclasses import dataclass

import numpy as np

from stages.base.arrays import Floats, Mask
from stages.base.face.face_measures import mouth_opening
from stages.base.io.timebase import to_frames
from stages.evaluation.metrics import correlation
from stages.evaluation.track import Track, TrackSpeech

BILABIALS = frozenset({"B", "M", "P"})

_NAN = float("nan")
_LONGEST_LAG_S = 0.2
_FEWEST = 10  # pairs of frames that a correlation needs
_LOUD_PERCENTILE = 95.0
_AUDIBLE = 35.0  # dB below the loud moments at which sound ends, as for `TrackSpeech.silent`
_TOLERANCE_S = 0.04  # by which lips may close before or after a bilabial
# Lips are closed up to a tenth of the person's own range of opening, 1 to 2 mm. More than a tenth
# separates bilabials less: of four English speakers, 73 to 97 % of the bilabials are below it, and
# 25 to 47 % of the moments that are spread evenly.
_CLOSED, _OPEN, _CLOSED_SHARE = 5.0, 95.0, 0.1


@dataclass(frozen=True)
class SyncScores:
    """Mouth opening against the true one and against the sound's level.

    Attributes:
        correlation: with the true opening, at no lag; truth: 1.
        lag: delay behind the true opening, up to 0.2 s either way, with the highest correlation,
            seconds; truth: 0.
        lag_correlation: with the true opening, at that lag; truth: 1.
        level_correlation: with the sound's level, at no lag. Truth's own value is the reference.
        level_lag: delay behind the level with the highest correlation, seconds; as above.
        level_lag_correlation: with the level, at that lag; as above.
    """

    correlation: float
    lag: float
    lag_correlation: float
    level_correlation: float
    level_lag: float
    level_lag_correlation: float


@dataclass(frozen=True)
class ClosureScores:
    """Lips that close for B, M and P.

    Attributes:
        recall: share of bilabials with closed lips within 40 ms. Truth's own value is the
            reference: phone tracks err, and some bilabials close behind the teeth.
        kept: share of the truth's closures at bilabials that are kept; truth: 1.
        chance: recall for moments that are spread evenly, of the same durations. A mouth that
            never opens has a recall and a chance of 1.
        false: share of the truly open frames in which the lips are closed; truth: 0.
        count: bilabials.
    """

    recall: float
    kept: float
    chance: float
    false: float
    count: int


def score_sync(truth: Track, speech: TrackSpeech, generated: Track) -> SyncScores:
    """Correlate the mouth opening with the true one and with the sound's level.

    Lags do not cross spans; a score is NaN with fewer than ten pairs of frames.

    Args:
        truth: the true motion, N frames.
        speech: its sound.
        generated: the same frames, with the truth's spans.
    """
    opening = mouth_opening(generated.head)
    curves = mouth_opening(truth.head), audible_level(speech.level)[: len(truth)]
    at_zero, best = [], []
    for curve in curves:
        correlations = correlations_by_lag(curve, opening, truth)
        lag = max(sorted(correlations, key=abs), key=lambda lag: _lowest_if_nan(correlations[lag]))
        at_zero.append(correlations[0])
        best.append(_NAN if np.isnan(correlations[lag]) else lag / truth.fps)
        best.append(correlations[lag])
    return SyncScores(at_zero[0], best[0], best[1], at_zero[1], best[2], best[3])


def correlations_by_lag(leader: Floats, follower: Floats, track: Track) -> dict[int, float]:
    """Correlate two curves, (N,), at lags of the follower up to 0.2 s either way.

    Returns:
        Pearson's correlation by lag in frames, NaN with fewer than ten pairs of known values in
        the same span of the track.
    """
    most = to_frames(_LONGEST_LAG_S, track.fps)
    correlations = {}
    for lag in range(-most, most + 1):
        early = np.arange(max(0, -lag), max(0, min(len(track), len(track) - lag)))
        late = early + lag
        known = np.isfinite(leader[early]) & np.isfinite(follower[late])
        known &= track.span[early] == track.span[late]
        pairs = leader[early][known], follower[late][known]
        correlations[lag] = correlation(*pairs) if known.sum() >= _FEWEST else _NAN
    return correlations


def audible_level(level: Floats) -> Floats:
    """Raise the level of silence, (N,), dB, to 35 dB below the sound's loud moments."""
    if not len(level):
        return level
    return np.maximum(level, np.percentile(level, _LOUD_PERCENTILE) - _AUDIBLE)


def score_closures(truth: Track, speech: TrackSpeech, generated: Track) -> ClosureScores:
    """Score how the lips close for the bilabials of the phone track.

    A bilabial counts where the face is known, in truth and generated motion, in every frame from
    40 ms before to 40 ms after it. Source: ours.

    Args:
        truth: the true motion, N frames; its opening says what is closed.
        speech: its sound, with phones.
        generated: the same frames, with the truth's spans.
    """
    true_opening, opening = mouth_opening(truth.head), mouth_opening(generated.head)
    known: Mask = np.isfinite(true_opening) & np.isfinite(opening)
    if not known.any():
        return ClosureScores(_NAN, _NAN, _NAN, _NAN, 0)
    limit = closed_below(true_opening)
    truly_closed, closed = true_opening < limit, opening < limit
    windows = [window for window in _bilabial_windows(truth, speech) if known[window].all()]
    really = np.array([truly_closed[window].any() for window in windows], bool)
    shown = np.array([closed[window].any() for window in windows], bool)
    return ClosureScores(
        recall=_mean(shown),
        kept=_mean(shown[really]),
        chance=_mean(_shares_of_windows(closed, known, windows)),
        false=_mean(closed[known & ~truly_closed]),
        count=len(windows),
    )


def closed_below(true_opening: Floats) -> float:
    """Return the opening below which a person's lips are closed, in the unit of the opening.

    A tenth of the way from the 5th to the 95th percentile of the true opening, (N,), NaN where
    unknown.
    """
    closed, wide = np.nanpercentile(true_opening, [_CLOSED, _OPEN])
    return float(closed + _CLOSED_SHARE * (wide - closed))


def _bilabial_windows(track: Track, speech: TrackSpeech) -> list[slice]:
    """Return the frames of the span from 40 ms before to 40 ms after each bilabial."""
    middles = (np.arange(len(track)) + 0.5) / track.fps
    windows = []
    for phone in speech.phones:
        own = int((phone.start + phone.end) / 2 * track.fps)
        if phone.name not in BILABIALS or not 0 <= own < len(track):
            continue
        near = (middles >= phone.start - _TOLERANCE_S) & (middles <= phone.end + _TOLERANCE_S)
        frames = np.flatnonzero(near & (track.span == track.span[own]))
        windows.append(slice(int(frames[0]), int(frames[-1]) + 1))
    return windows


def _shares_of_windows(closed: Mask, known: Mask, windows: list[slice]) -> Floats:
    """Return, for the length of each window, the share of its places with a closed frame."""
    shares = {}
    for length in {window.stop - window.start for window in windows}:
        places = np.lib.stride_tricks.sliding_window_view
        whole = np.asarray(places(known, length).all(axis=1), bool)
        shares[length] = _mean(np.asarray(places(closed, length).any(axis=1), bool)[whole])
    return np.array([shares[window.stop - window.start] for window in windows])


def _mean(values: Mask | Floats) -> float:
    return float(np.mean(values)) if len(values) else _NAN


def _lowest_if_nan(value: float) -> float:
    return -2.0 if np.isnan(value) else value
