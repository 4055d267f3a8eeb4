"""Nine points along each shoulder: where they are by the person matte, how they move by flow.

Optical flow (Lucas-Kanade) tells how the points move from frame to frame, tracings on the matte,
one a second, where they are. The matte's edge wavers by pixels from one second to the next where
cloth does not move at all, so that what tracings add to the flow is smoothed over seconds, ahead
as well as back: nothing lags (docs/accuracy.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.base.face.arrays import Floats
from stages.base.face.landmark_groups import CHIN, NASION
from stages.base.io.image_io import Image

PER_SIDE = 9
_LEAST_SPAN = 0.25  # a shoulder shorter than this, in face heights, is not seen
_MARGIN = 0.06  # from the neck's edge to the first point, face heights
_STEADY = 4.0  # deviation of the Gaussian over tracings, intervals
_REACH = 3.0  # deviations after which the Gaussian is cut off
_FARTHEST = 0.1  # of the picture: no shoulder moves so far in one frame


def trace(person: NDArray[np.bool_], points: Floats) -> Floats | None:
    """Trace the upper edge of both shoulders, from the neck out to the window or the body's end.

    Args:
        person: the matte, (H, W).
        points: landmarks, (68, 2), pixels.

    Returns:
        Points, (18, 2), pixels, image left first, each side from the neck out; None where a
        shoulder is out of sight.
    """
    height = float(np.linalg.norm(points[CHIN] - points[NASION]))
    neck = _neck(person, points, height)
    if neck is None:
        return None
    row, left, right = neck
    sides = [_side(person, row, edge, step, height) for edge, step in ((left, -1), (right, 1))]
    return np.concatenate(sides) if all(len(side) for side in sides) else None


def _neck(person: NDArray[np.bool_], points: Floats, height: float) -> tuple[int, int, int] | None:
    """Find the narrowest row between mouth and collar, and its first and last column."""
    top, bottom = points[57, 1], points[CHIN, 1] + 0.3 * height
    middle = round(float(points[CHIN, 0]))
    if not 0 <= middle < person.shape[1]:
        return None
    best: tuple[int, int, int] | None = None
    for row in range(max(0, round(top)), min(person.shape[0], round(bottom))):
        if not person[row, middle]:
            continue
        outside = np.flatnonzero(~person[row])
        left = int(outside[outside < middle].max(initial=-1)) + 1
        right = int(outside[outside > middle].min(initial=person.shape[1])) - 1
        if best is None or right - left < best[2] - best[1]:
            best = row, left, right
    return best


def _side(person: NDArray[np.bool_], row: int, edge: int, step: int, height: float) -> Floats:
    """Sample one shoulder's edge from the neck out; empty where it is not seen."""
    size = person.shape[1]
    columns = np.arange(
        edge + step * max(1, round(_MARGIN * height)), size if step > 0 else -1, step
    )
    if not len(columns):
        return np.zeros((0, 2))
    below = person[row:, columns]
    tops = np.where(below.any(0), below.argmax(0) + row, person.shape[0])
    ends = np.flatnonzero(tops >= person.shape[0] - 1)
    count = int(ends[0]) if len(ends) else len(columns)
    if count < _LEAST_SPAN * height:
        return np.zeros((0, 2))
    chosen = np.linspace(0, count - 1, PER_SIDE)
    heights = _median(tops[:count].astype(float), max(1, round(0.03 * height)))
    y = np.interp(chosen, np.arange(count), heights)
    return np.stack([np.interp(chosen, np.arange(count), columns[:count]) + 0.5, y], axis=-1)


def _median(values: Floats, reach: int) -> Floats:
    """Replace each value by the median of its neighbourhood."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.asarray(np.median(windows, axis=-1))


@dataclass(frozen=True)
class Trail:
    """How the points of a clip, or of a chunk of it, were followed.

    Attributes:
        path: how far flow has moved the points in all, (N, 18, 2), px; NaN where they are lost.
        begun: frames at which points were found anew.
        frames: those that were traced.
        added: the tracings less the path there, (len(frames), 18, 2), px.
    """

    path: Floats
    begun: NDArray[np.int_]
    frames: NDArray[np.int_]
    added: Floats


class Follower:
    """Collects shoulder points frame by frame; `finish` gives the whole clip's.

    Args:
        interval: frames between two tracings.
    """

    def __init__(self, interval: int) -> None:
        self.interval = max(1, interval)
        self.waited = self.interval
        self.previous: Image | None = None
        self.at: Floats | None = None  # where flow looks for the points, (18, 2)
        self.moved = np.zeros((2 * PER_SIDE, 2))  # by flow, in all
        self.begun: list[int] = []  # frames at which points were found anew
        self.path: list[Floats] = []  # that, a frame; NaN where the points are lost
        self.tracings: dict[int, Floats] = {}  # frame to points, less that

    def due(self) -> bool:
        """Tell whether the next frame shall be traced."""
        return self.waited >= self.interval

    def add(self, image: Image, traced: Floats | None) -> None:
        """Take the next frame, RGB (H, W, 3), with its tracing where one was due and seen."""
        import cv2

        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        self._follow(grey)
        self.previous = grey
        self.waited += 1
        if traced is not None:
            if self.at is None:
                self.begun.append(len(self.path))
            self.at, self.waited = traced, 1
            self.tracings[len(self.path)] = traced - self.moved
        self.path.append(self.moved if self.at is not None else np.full_like(self.moved, np.nan))

    def _follow(self, grey: Image) -> None:
        """Move the points by optical flow; lose them where most cannot be followed."""
        import cv2

        if self.previous is None or self.at is None:
            return
        # A pixel's centre is at .5 here and at whole numbers in OpenCV.
        before = (self.at - 0.5).astype(np.float32)[:, None]
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            self.previous, grey, before, None, winSize=(15, 15), maxLevel=2
        )
        step = np.asarray(after - before, float)[:, 0]
        lost = ~found[:, 0].astype(bool) | (np.abs(step).max(1) > _FARTHEST * grey.shape[0])
        if lost.mean() > 0.5:
            self.at, self.waited = None, self.interval
            return
        step[lost] = np.median(step[~lost], axis=0)
        self.at, self.moved = self.at + step, self.moved + step

    def trail(self) -> Trail:
        """Return what was followed so far."""
        frames = np.array(list(self.tracings), int)
        added = np.array(list(self.tracings.values())).reshape(-1, 2 * PER_SIDE, 2)
        path = np.array(self.path).reshape(-1, 2 * PER_SIDE, 2)
        return Trail(path, np.array(self.begun, int), frames, added)

    def finish(self) -> Floats:
        """Return the points of all frames, (N, 18, 2), NaN where they were not seen."""
        return placed(self.trail(), self.interval)


def joined(trails: Iterable[Trail]) -> Trail:
    """Join trails of a clip's chunks, each of which ends with the first frame of the next.

    Where that frame was seen by both, flow goes on from chunk to chunk as within one.
    """
    path, begun, frames, added = [], [], [], []
    first, moved = 0, np.full((2 * PER_SIDE, 2), np.nan)
    parts = list(trails)
    for part in parts:
        goes_on = bool(np.isfinite(moved).all()) and 0 in part.begun
        offset = moved if goes_on else np.zeros_like(moved)
        count = len(part.path) - (part is not parts[-1])
        path.append(part.path[:count] + offset)
        begun.append(first + part.begun[(part.begun < count) & ((part.begun > 0) | (not goes_on))])
        frames.append(first + part.frames[part.frames < count])
        added.append(part.added[part.frames < count] - offset)
        if count < len(part.path):
            moved = part.path[count] + offset
        first += count
    return Trail(
        np.concatenate(path), np.concatenate(begun), np.concatenate(frames), np.concatenate(added)
    )


def placed(trail: Trail, interval: int) -> Floats:
    """Put tracings and flow together, (N, 18, 2), NaN where nothing was seen.

    Args:
        trail: of a whole clip.
        interval: frames between two tracings.
    """
    rows = trail.path.copy()
    for begin, end in pairwise([*trail.begun, len(rows)]):
        stretch = slice(begin, begin + int(np.isfinite(rows[begin:end]).all((1, 2)).sum()))
        rows[stretch] += _smooth(trail, stretch, interval)
    return rows


def _smooth(trail: Trail, stretch: slice, interval: int) -> Floats:
    """Smooth what the tracings of a stretch add to the flow, a row a frame of it."""
    inside = (trail.frames >= stretch.start) & (trail.frames < stretch.stop)
    at, added = trail.frames[inside], trail.added[inside]
    smooth = np.empty_like(added)
    for i, frame in enumerate(at):
        apart = (at - frame) / (_STEADY * interval)
        near = np.abs(apart) < _REACH
        weights = np.exp(-(apart[near] ** 2) / 2)
        smooth[i] = np.tensordot(weights / weights.sum(), added[near], axes=1)
    flat, wanted = smooth.reshape(len(at), -1).T, np.arange(stretch.start, stretch.stop)
    between = np.stack([np.interp(wanted, at, values) for values in flat], axis=-1)
    return between.reshape(-1, *added.shape[1:])
