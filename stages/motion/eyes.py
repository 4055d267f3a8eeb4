"""Blinks and gaze: statistics of a person, and motion sampled from them.

Ours: LSP replays the training video's blinks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.io.timebase import to_frames

_BLINKING = 0.7  # share of the usual opening below which an eye blinks
_LONGEST_BLINK = 0.6  # s; longer closures are downward glances
_MEDIAN_S = 2.0  # window of the median that gives the usual opening, s
_CLOSING = (0.15, 0.85)  # least and most share of a blink in which the lids close
_FEWEST_BLINKS = 3  # for statistics
_SACCADE_S = 0.04  # duration of a saccade, s
_SACCADE_SCALE = 0.5  # of the measured spread, which also contains noise and reading


@dataclass(frozen=True)
class Blinks:
    """Statistics of a person's blinks.

    Attributes:
        rate: blinks per second.
        duration: mean and standard deviation, s.
        depth: mean and standard deviation of how far the lids close, 1 is shut.
        closing: share of a blink in which the lids close; most people's open more slowly.
        count: blinks measured; 0 for the defaults.
    """

    rate: float
    duration: tuple[float, float]
    depth: tuple[float, float]
    closing: float
    count: int


DEFAULT_BLINKS = Blinks(rate=0.3, duration=(0.28, 0.05), depth=(0.85, 0.05), closing=0.4, count=0)


@dataclass(frozen=True)
class Blink:
    """One measured blink.

    Attributes:
        before: frames from half depth to the deepest moment.
        after: frames from there back to half depth.
        depth: how far the lids close, 1 is shut.
    """

    before: float
    after: float
    depth: float

    @property
    def width(self) -> float:
        """Frames at half depth or deeper."""
        return self.before + self.after


def blink_shape(phase: Floats, share: float) -> Floats:
    """Return how far a blink has closed the lids, 0 to 1, at phases from 0 to 1.

    The lids close in the first `share` of the blink. The full width at half maximum is half of the
    duration.
    """
    closing = 0.5 - 0.5 * np.cos(np.pi * phase / share)
    opening = 0.5 + 0.5 * np.cos(np.pi * (phase - share) / (1 - share))
    shape: Floats = np.where(phase < share, closing, opening)
    return np.where((phase > 0) & (phase < 1), shape, 0.0)


def measure_blinks(openings: Sequence[Floats], fps: float) -> Blinks:
    """Measure blinks in spans of a person's video.

    Args:
        openings: per span the eyes' opening, (N,), any unit, NaN without a face.
        fps: frames per second.

    Returns:
        Statistics; `DEFAULT_BLINKS` with fewer than three blinks.
    """
    blinks: list[Blink] = []
    seconds = 0.0
    for opening in openings:
        seconds += float(np.isfinite(opening).sum()) / fps
        blinks += find_blinks(opening, fps)
    if len(blinks) < _FEWEST_BLINKS:
        return DEFAULT_BLINKS
    duration = np.array([2 * blink.width for blink in blinks]) / fps
    depths = np.array([blink.depth for blink in blinks])
    closing = float(np.median([blink.before / blink.width for blink in blinks]))
    return Blinks(
        rate=len(blinks) / seconds,
        duration=(float(np.median(duration)), float(np.std(duration))),
        depth=(float(np.median(depths)), float(np.std(depths))),
        closing=float(np.clip(closing, *_CLOSING)),
        count=len(blinks),
    )


def relative_opening(opening: Floats, fps: float) -> Floats:
    """Divide an opening, (N,), by its running median; NaN stays NaN."""
    from scipy.ndimage import median_filter

    known = np.isfinite(opening)
    if not known.any():
        return opening
    filled = np.interp(np.arange(len(opening)), np.flatnonzero(known), opening[known])
    usual = median_filter(filled, to_frames(_MEDIAN_S, fps, 3), mode="nearest")
    return np.where(known, filled / np.maximum(usual, 1e-6), np.nan)


def find_blinks(opening: Floats, fps: float) -> list[Blink]:
    """Find blinks that begin and end with a face in an opening, (N,)."""
    relative = relative_opening(opening, fps)
    with np.errstate(invalid="ignore"):
        low = np.concatenate([[False], relative < _BLINKING, [False]])
    edges = np.flatnonzero(np.diff(low.astype(int)))
    blinks = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        deepest = first + int(np.argmin(relative[first:end]))
        depth = 1 - float(relative[deepest])
        before, after = (_crossing(relative, deepest, step, depth / 2) for step in (-1, 1))
        late = _vertex(relative, deepest)
        blink = Blink(before + late, after - late, min(depth, 1.0))
        if np.isfinite(blink.width) and 2 * blink.width / fps <= _LONGEST_BLINK:
            blinks.append(blink)
    return blinks


def _vertex(relative: Floats, deepest: int) -> float:
    """Return how many frames after the lowest one, −0.5 to 0.5, a parabola through it is lowest."""
    if not 0 < deepest < len(relative) - 1:
        return 0.0
    left, middle, right = relative[deepest - 1 : deepest + 2]
    bend = left - 2 * middle + right
    return float(np.clip((left - right) / (2 * bend), -0.5, 0.5)) if bend > 0 else 0.0


def _crossing(relative: Floats, start: int, step: int, depth: float) -> float:
    """Return the frames from `start` until the opening is back at 1 - depth; NaN if never."""
    level, at = 1 - depth, start
    while 0 <= at + step < len(relative):
        before, after = relative[at], relative[at + step]
        if not np.isfinite(after):
            break
        if after >= level:
            part = (level - before) / (after - before) if after > before else 0.0
            return abs(at - start) + float(part)
        at += step
    return float("nan")


class BlinkSampler:
    """Samples blinks frame by frame; the result does not depend on the size of the pieces."""

    def __init__(self, blinks: Blinks, fps: float, rng: np.random.Generator) -> None:
        self.blinks, self.fps, self.rng = blinks, fps, rng
        self.frame = 0
        self.start, self.duration, self.depth = 0.0, 0.0, 0.0
        self._next()

    def sample(self, count: int) -> Floats:
        """Return how far the lids are closed in the next frames, (count,), 0 to 1."""
        closed = np.zeros(count)
        for index in range(count):
            time = (self.frame + index) / self.fps
            while time >= self.start + self.duration:
                self._next()
            phase = np.array((time - self.start) / self.duration)
            closed[index] = self.depth * blink_shape(phase, self.blinks.closing)
        self.frame += count
        return closed

    def _next(self) -> None:
        """Sample the next blink after an exponential pause."""
        mean, spread = self.blinks.duration
        pause = max(1 / self.blinks.rate - mean, 0.1)
        self.start += self.duration + self.rng.exponential(pause)
        self.duration = float(np.clip(self.rng.normal(mean, spread), 0.5 * mean, 2 * mean))
        self.depth = float(np.clip(self.rng.normal(*self.blinks.depth), 0.1, 1.0))


def close_lids(head: Floats, closed: Floats) -> Floats:
    """Close the lids of heads with open eyes.

    Args:
        head: 68 landmarks of open eyes, (N, 68, 3), face heights.
        closed: how far, (N,), 0 (open) to 1 (shut).

    Returns:
        Heads, (N, 68, 3); the upper lid moves five sixths of the gap.
    """
    out = head.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        gap = head[:, lower] - head[:, upper]
        out[:, upper] += (5 / 6) * closed[:, None] * gap
        out[:, lower] -= (1 / 6) * closed[:, None] * gap
    return out


def gaze_from_irises(points: Floats, irises: Floats) -> Floats:
    """Convert irises, (N, 2, 2) px, to each eye's frame, (N, 2, 2), given landmarks (N, 68, 2) px.

    The origin is the middle of the eye's corners, the first axis runs along them, and the unit is
    their distance.
    """
    middle, along, across = _eye_frames(points)
    offset = irises - middle
    width = (along**2).sum(-1)
    x, y = (offset * along).sum(-1) / width, (offset * across).sum(-1) / width
    return np.stack([x, y], axis=-1)


def irises_from_gaze(points: Floats, gaze: Floats) -> Floats:
    """Return the irises, (N, 2, 2) px, of gazes; the inverse of `gaze_from_irises`."""
    middle, along, across = _eye_frames(points)
    return np.asarray(middle + gaze[..., :1] * along + gaze[..., 1:] * across)


def _eye_frames(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Return middle, axis along the corners and axis across it, (N, 2, 2) each, px."""
    left, right = points[:, [36, 42]], points[:, [39, 45]]
    along = right - left
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    return (left + right) / 2, along, across


class GazeSampler:
    """Samples small saccades about the person's mean gaze, both eyes together."""

    def __init__(self, spread: NDArray[np.float64], fps: float, rng: np.random.Generator) -> None:
        self.spread, self.fps, self.rng = spread * _SACCADE_SCALE, fps, rng
        self.frame, self.until = 0, 0.0
        self.now = self.goal = np.zeros(2)

    def sample(self, count: int) -> Floats:
        """Return the gaze's offset in the next frames, (count, 2), in eye widths."""
        out = np.zeros((count, 2))
        share = min(1.0, 1 / (_SACCADE_S * self.fps))
        for index in range(count):
            if (self.frame + index) / self.fps >= self.until:
                self.until = (self.frame + index) / self.fps + 0.3 + self.rng.exponential(0.9)
                self.goal = np.clip(self.rng.standard_normal(2), -2, 2) * self.spread
            self.now = self.now + share * (self.goal - self.now)
            out[index] = self.now
        self.frame += count
        return out
