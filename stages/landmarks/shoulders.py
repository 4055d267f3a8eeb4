"""Nine points along each shoulder, traced on the person matte and tracked by optical flow. Ours.

Lucas-Kanade flow gives the motion from frame to frame; a tracing on the matte, about one per
second, gives the position. The matte's edge jitters by pixels between tracings where cloth does not
move at all. The difference between tracing and flow is therefore smoothed over seconds, with a
symmetric kernel, which has no lag (docs/accuracy.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import CHIN, NASION
from stages.base.io.image_io import Image

PER_SIDE = 9
_LEAST_SPAN = 0.25  # the shortest shoulder that counts as visible, face heights
_MARGIN = 0.06  # from the neck's edge to the first point, face heights
_SMOOTHING = 4.0  # standard deviation of the Gaussian over tracings, intervals
_CUTOFF = 3.0  # standard deviations after which the Gaussian is cut off
_LARGEST_STEP = 0.1  # share of the image that a shoulder can move in one frame


def trace(person: NDArray[np.bool_], points: Floats) -> Floats | None:
    """Trace the upper edge of both shoulders, from the neck out to the window or the body's end.

    Args:
        person: the matte, (H, W).
        points: landmarks, (68, 2), pixels.

    Returns:
        Points, (18, 2), pixels, image left first, each side from the neck out; None where a
        shoulder is not visible.
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
    """Sample one shoulder's edge from the neck out, (9, 2); (0, 2) where it is not visible."""
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
    width = 2 * max(1, round(0.03 * height)) + 1
    heights = median_filter(tops[:count].astype(float), width, mode="nearest")
    y = np.interp(chosen, np.arange(count), heights)
    return np.stack([np.interp(chosen, np.arange(count), columns[:count]) + 0.5, y], axis=-1)


@dataclass(frozen=True)
class ShoulderTrack:
    """Flow and tracings of the shoulder points of a clip, or of a chunk of it.

    Attributes:
        flow: the points' displacement by flow since the first frame, (N, 18, 2), px; NaN where the
            points are lost.
        starts: frames where tracking starts anew, (S,).
        traced: frames that were traced, (T,).
        residuals: the tracings less the flow at these frames, (T, 18, 2), px.
    """

    flow: Floats
    starts: NDArray[np.int_]
    traced: NDArray[np.int_]
    residuals: Floats


class ShoulderTracker:
    """Tracks shoulder points from frame to frame.

    Args:
        interval: frames between two tracings.
    """

    def __init__(self, interval: int) -> None:
        self.interval = max(1, interval)
        self._since_traced = self.interval
        self._previous: Image | None = None
        self._points: Floats | None = None  # present position, (18, 2); None where lost
        self._displacement = np.zeros((2 * PER_SIDE, 2))  # by flow since the first frame
        self._starts: list[int] = []
        self._flow: list[Floats] = []
        self._residuals: dict[int, Floats] = {}  # by traced frame

    def is_due(self) -> bool:
        """Return whether the next frame is to be traced."""
        return self._since_traced >= self.interval

    def add(self, image: Image, traced: Floats | None) -> None:
        """Track the points to the next frame, RGB (H, W, 3); `traced` is its tracing, if any."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        self._move(grey)
        self._previous = grey
        self._since_traced += 1
        frame = len(self._flow)
        if traced is not None:
            if self._points is None:
                self._starts.append(frame)
            self._points, self._since_traced = traced, 1
            self._residuals[frame] = traced - self._displacement
        lost = np.full_like(self._displacement, np.nan)
        self._flow.append(lost if self._points is None else self._displacement)

    def _move(self, grey: Image) -> None:
        """Move the points by optical flow; lose them all where flow loses most of them."""
        if self._previous is None or self._points is None:
            return
        # A pixel's centre is at .5 here and at whole numbers in OpenCV.
        before = (self._points - 0.5).astype(np.float32)[:, None]
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            self._previous, grey, before, None, winSize=(15, 15), maxLevel=2
        )
        step = np.asarray(after - before, float)[:, 0]
        lost = ~found[:, 0].astype(bool) | (np.abs(step).max(1) > _LARGEST_STEP * grey.shape[0])
        if lost.mean() > 0.5:
            self._points, self._since_traced = None, self.interval
            return
        step[lost] = np.median(step[~lost], axis=0)
        self._points, self._displacement = self._points + step, self._displacement + step

    def track(self) -> ShoulderTrack:
        """Return the track of all frames added."""
        shape = (-1, 2 * PER_SIDE, 2)
        return ShoulderTrack(
            flow=np.array(self._flow).reshape(shape),
            starts=np.array(self._starts, int),
            traced=np.array(list(self._residuals), int),
            residuals=np.array(list(self._residuals.values())).reshape(shape),
        )


def join_tracks(tracks: Iterable[ShoulderTrack]) -> ShoulderTrack:
    """Join tracks of a clip's chunks, each of which ends with the first frame of the next.

    Where both chunks have the points in that frame, the flow continues across the boundary.
    """
    flow, starts, traced, residuals = [], [], [], []
    first, displacement = 0, np.full((2 * PER_SIDE, 2), np.nan)
    parts = list(tracks)
    for part in parts:
        continues = bool(np.isfinite(displacement).all()) and 0 in part.starts
        offset = displacement if continues else np.zeros_like(displacement)
        count = len(part.flow) - (part is not parts[-1])
        flow.append(part.flow[:count] + offset)
        kept = (part.starts < count) & ((part.starts > 0) | (not continues))
        starts.append(first + part.starts[kept])
        traced.append(first + part.traced[part.traced < count])
        residuals.append(part.residuals[part.traced < count] - offset)
        if count < len(part.flow):
            displacement = part.flow[count] + offset
        first += count
    return ShoulderTrack(
        flow=np.concatenate(flow),
        starts=np.concatenate(starts),
        traced=np.concatenate(traced),
        residuals=np.concatenate(residuals),
    )


def locate(track: ShoulderTrack, interval: int) -> Floats:
    """Return the points of each frame, (N, 18, 2), px; NaN where they are lost.

    Args:
        track: of a whole clip.
        interval: frames between two tracings.
    """
    points = track.flow.copy()
    for begin, end in pairwise([*track.starts, len(points)]):
        stretch = slice(begin, begin + int(np.isfinite(points[begin:end]).all((1, 2)).sum()))
        points[stretch] += _smooth_residuals(track, stretch, interval)
    return points


def _smooth_residuals(track: ShoulderTrack, stretch: slice, interval: int) -> Floats:
    """Smooth the residuals in a stretch of frames and interpolate them to its frames."""
    inside = (track.traced >= stretch.start) & (track.traced < stretch.stop)
    traced, residuals = track.traced[inside], track.residuals[inside]
    smooth = np.empty_like(residuals)
    for i, frame in enumerate(traced):
        distance = (traced - frame) / (_SMOOTHING * interval)
        near = np.abs(distance) < _CUTOFF
        weights = np.exp(-(distance[near] ** 2) / 2)
        smooth[i] = np.tensordot(weights / weights.sum(), residuals[near], axes=1)
    flat, frames = smooth.reshape(len(traced), -1).T, np.arange(stretch.start, stretch.stop)
    between = np.stack([np.interp(frames, traced, values) for values in flat], axis=-1)
    return between.reshape(-1, *residuals.shape[1:])
