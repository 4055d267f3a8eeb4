"""Nine points along each shoulder: traced on the person matte now and then, followed between.

Optical flow (Lucas-Kanade) carries the points from one tracing to the next; what it drifts by then
is given back evenly over the frames between, so that the points neither jump nor wander.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import CHIN, NASION, Floats
from pipeline.pictures import Image

PER_SIDE = 9
_LEAST_SPAN = 0.25  # a shoulder shorter than this, in face heights, is not seen
_MARGIN = 0.06  # from the neck's edge to the first point, face heights


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


class Follower:
    """Collects shoulder points frame by frame; `finish` gives the whole clip's.

    Args:
        interval: frames between two tracings.
    """

    def __init__(self, interval: int) -> None:
        self.interval = max(1, interval)
        self.rows: list[Floats] = []
        self.previous: Image | None = None
        self.begun = 0  # first frame of the stretch since the last tracing
        self.waited = self.interval

    def due(self) -> bool:
        """Tell whether the next frame shall be traced."""
        return self.waited >= self.interval

    def add(self, image: Image, traced: Floats | None) -> None:
        """Take the next frame, RGB (H, W, 3), with its tracing where one was due and seen."""
        import cv2

        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        followed = self._follow(grey)
        self.previous = grey
        if traced is None:
            self.rows.append(followed)
            self.waited += 1
            return
        if np.isfinite(followed).all():
            self._give_back(traced - followed)
        self.begun, self.waited = len(self.rows), 1
        self.rows.append(traced)

    def _follow(self, grey: Image) -> Floats:
        import cv2

        nowhere = np.full((2 * PER_SIDE, 2), np.nan)
        if self.previous is None or not np.isfinite(self.rows[-1]).all():
            return nowhere
        # A pixel's centre is at .5 here and at whole numbers in OpenCV.
        before = (self.rows[-1] - 0.5).astype(np.float32)[:, None]
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            self.previous, grey, before, None, winSize=(15, 15), maxLevel=2
        )
        moved = np.where(found.astype(bool), after[:, 0], before[:, 0])
        # No shoulder moves by a tenth of the picture in one frame: flow has lost its point.
        lost = np.abs(moved - before[:, 0]).max(1) > 0.1 * grey.shape[0]
        if lost.mean() > 0.5:
            return nowhere
        return np.where(lost[:, None], before[:, 0], moved).astype(float) + 0.5

    def _give_back(self, drift: Floats) -> None:
        """Spread the drift over the frames since the last tracing."""
        count = len(self.rows) - self.begun
        for i in range(1, count):
            self.rows[self.begun + i] = self.rows[self.begun + i] + drift * (i / count)

    def finish(self) -> Floats:
        """Return the points of all frames, (N, 18, 2), NaN where they were not seen."""
        return np.array(self.rows).reshape(-1, 2 * PER_SIDE, 2)
