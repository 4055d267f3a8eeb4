"""Style descriptors: a few numbers that say how a person moves, of pieces of about four seconds.

Ours. None depends on the size or the shape of the face: lengths are in face heights of the owner,
amplitudes are about the piece's own mean, lids are compared with their usual opening, and a mouth
is closed where its gap is near that of the owner's neutral face.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats, Mask
from stages.base.face.face_measures import (
    brow_height,
    lip_press,
    mouth_opening,
    mouth_width,
    protrusion,
)
from stages.base.io.timebase import to_frames
from stages.evaluation.track import Track
from stages.motion.eyes import relative_opening

DESCRIPTORS = (
    "opening",  # standard deviation of the gap between the inner lips, % of a face height
    "width",  # of the mouth's width
    "press",  # of the lips' thickness
    "protrusion",  # of the lips' protrusion
    "speed",  # root mean square speed of that gap, % of a face height a second
    "closures",  # times a second that the lips close
    "brows",  # standard deviation of the brows' height, % of a face height
    "head",  # root mean square turn of the head from its mean, degrees
    "head_speed",  # root mean square turning speed of the head, degrees a second
    "blinks",  # a second
)
_PIECE_S, _SHORTEST_S = 4.0, 1.0
_SPEED_S = 0.04  # speeds are over so long to both sides: from frame to frame, jitter dominates
_CLOSED, _PARTED = 0.012, 0.024  # gap beyond the neutral's, face heights; hysteresis
_BLINKING, _LONGEST_BLINK_S = 0.7, 0.6  # share of the usual opening; as in stages.motion.eyes
_FEWEST = 5  # values that a descriptor needs


def describe_style(track: Track, neutral: Floats) -> Floats:
    """Measure the descriptors of a motion.

    Args:
        track: the motion.
        neutral: the owner's neutral face, (68, 3), face heights.

    Returns:
        A row of DESCRIPTORS for each piece, (n, 10), NaN where too little is known. Each span of at
        least a second is divided into equal pieces of about four seconds.
    """
    with np.errstate(invalid="ignore"):
        signals = _Signals(track, float(mouth_opening(neutral)))
        rows = [signals.describe(piece) for piece in _pieces(track)]
    return np.array(rows).reshape(-1, len(DESCRIPTORS))


def mean_descriptors(pieces: Floats) -> dict[str, float]:
    """Average the descriptors of pieces, (n, 10), by name; NaN without any."""
    return dict(zip(DESCRIPTORS, map(float, mean_of_pieces(pieces)), strict=True))


def mean_of_pieces(pieces: Floats) -> Floats:
    """Average the known values of pieces, (n, 10), to (10,)."""
    counts = np.isfinite(pieces).sum(axis=0)
    return np.where(counts > 0, np.nansum(pieces, axis=0) / np.maximum(counts, 1), np.nan)


def _spans(track: Track) -> list[slice]:
    numbers = np.unique(track.span)
    edges = np.searchsorted(track.span, [*numbers, numbers[-1] + 1] if len(numbers) else [])
    return [slice(a, b) for a, b in pairwise(edges)]


def _pieces(track: Track) -> list[slice]:
    """Divide the spans into equal pieces; leave out those with less than a second of face."""
    pieces: list[slice] = []
    least = to_frames(_SHORTEST_S, track.fps, 1)
    for span in _spans(track):
        count = max(1, round((span.stop - span.start) / (_PIECE_S * track.fps)))
        edges = np.linspace(span.start, span.stop, count + 1).round().astype(int)
        pieces += [slice(a, b) for a, b in pairwise(edges)]
    return [piece for piece in pieces if track.valid[piece].sum() >= least]


class _Signals:
    """What the descriptors are taken from, for every frame; NaN where it is not known."""

    def __init__(self, track: Track, closed: float) -> None:
        self.fps, head = track.fps, track.head
        opening = mouth_opening(head)
        self.curves = [opening, mouth_width(head), lip_press(head), protrusion(head)]
        self.brows, self.turn = brow_height(head), np.degrees(track.pose[:, :3])
        spans = _spans(track)
        self.lip_speed = _speeds(opening, spans, track.fps)
        self.turn_speed = np.linalg.norm(_speeds(self.turn, spans, track.fps), axis=-1)
        self.known, self.seen = np.isfinite(opening), np.isfinite(track.eyes)
        self.closures, self.blinks = np.zeros(len(track), bool), np.zeros(len(track), bool)
        for span in spans:
            self.closures[span] = _closures(opening[span] - closed)
            self.blinks[span] = _blinks(track.eyes[span], track.fps)

    def describe(self, piece: slice) -> list[float]:
        spreads = [100 * _spread(curve[piece]) for curve in self.curves]
        turns = [_spread(axis[piece]) for axis in self.turn.T]
        return [
            *spreads,
            100 * _root_mean_square(self.lip_speed[piece]),
            self._rate(self.closures[piece], self.known[piece]),
            100 * _spread(self.brows[piece]),
            float(np.sqrt(np.square(turns).sum())),
            _root_mean_square(self.turn_speed[piece]),
            self._rate(self.blinks[piece], self.seen[piece]),
        ]

    def _rate(self, events: Mask, known: Mask) -> float:
        seconds = known.sum() / self.fps
        return float(events.sum() / seconds) if known.sum() >= _FEWEST else float("nan")


def _speeds(values: Floats, spans: Sequence[slice], fps: float) -> Floats:
    """Return central differences a second, (N, …), inside spans; NaN at their ends."""
    reach = to_frames(_SPEED_S, fps, 1)
    speeds = np.full(values.shape, np.nan)
    for span in spans:
        own = values[span]
        if len(own) > 2 * reach:
            moved = own[2 * reach :] - own[: -2 * reach]
            speeds[span.start + reach : span.stop - reach] = moved * fps / (2 * reach)
    return speeds


def _closures(gap: Floats) -> Mask:
    """Mark the frames at which parted lips close, (N,), of gaps beyond the neutral's."""
    states = np.where(gap < _CLOSED, 1, np.where(gap > _PARTED, -1, 0))
    last = np.maximum.accumulate(np.where(states != 0, np.arange(len(gap)), 0))
    closed = states[last] == 1
    return np.concatenate([[False], closed[1:] & ~closed[:-1]])


def _blinks(eyes: Floats, fps: float) -> Mask:
    """Mark the first frame of each blink, (N,), of the eyes' openings in one span."""
    low = np.concatenate([[False], relative_opening(eyes, fps) < _BLINKING, [False]])
    edges: NDArray[np.int64] = np.flatnonzero(np.diff(low.astype(int)))
    blinks = np.zeros(len(eyes), bool)
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        blinks[first] = end - first <= to_frames(_LONGEST_BLINK_S, fps)
    return blinks


def _spread(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.std()) if len(known) >= _FEWEST else float("nan")


def _root_mean_square(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.square(known).mean())) if len(known) >= _FEWEST else float("nan")
