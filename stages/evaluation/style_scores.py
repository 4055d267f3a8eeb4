"""SLD, SLV and SMD: how near the windows of real motion come to those of any other motion.

Source: Pham et al. 2024, by the formula of docs/method.md, "Evaluation": over windows of F frames
with stride v, the mean over the reference's windows of the least distance to any generated one.
Their released script resets nothing between windows and measures a distance where it says area.

Motion is measured from its owner's neutral face, so that the shape of the face has no effect. Ours:
the mean face with its mouth closed and its brows at rest, from which retargeting lends a style;
from the mean face itself, the habit of an open mouth would count against whoever is lent it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from stages.base.arrays import Floats
from stages.base.face.face_measures import mouth_area
from stages.evaluation.metrics import PERCENT
from stages.evaluation.track import Track
from stages.motion.person import closed_face

Starts = NDArray[np.int64]


@dataclass(frozen=True)
class StyleDistances:
    """Distances from a real style; 0 is best, NaN where one motion is shorter than a window.

    Attributes:
        sld: of the landmarks, % of a face height.
        slv: of their velocities, % of a face height a second.
        smd: of the open mouth's area, % of a squared face height.
    """

    sld: float
    slv: float
    smd: float


@dataclass(frozen=True)
class StyleWindowing:
    """Windows of `frames` (F), one every `stride` (v) frames."""

    frames: int
    stride: int

    def starts(self, track: Track, most: int | None = None) -> Starts:
        """List first frames of windows inside one span whose frames are all valid.

        Args:
            track: the motion.
            most: evenly spread windows to keep; all by default.
        """
        starts: list[int] = []
        for number in np.unique(track.span):
            first, end = np.searchsorted(track.span, [number, number + 1])
            starts += range(first, end - self.frames + 1, self.stride)
        kept = [start for start in starts if track.valid[start : start + self.frames].all()]
        if most is not None and len(kept) > most:
            kept = [kept[i] for i in np.linspace(0, len(kept) - 1, most).round().astype(int)]
        return np.array(kept, np.int64)


def neutral_face(track: Track) -> Floats:
    """Return the mean face at rest, `closed_face`, (68, 3), of a person's own real motion."""
    head = track.head[track.valid]
    return closed_face(head.mean(axis=0), head)


def style_distances(
    real: Track,
    real_neutral: Floats,
    generated: Track,
    neutral: Floats,
    windows: StyleWindowing,
    most: int | None = None,
) -> StyleDistances:
    """Compute SLD, SLV and SMD of a motion from real motion.

    Args:
        real: the real motion of a style's owner.
        real_neutral: the owner's neutral face, (68, 3), face heights.
        generated: the motion, of the same or of another face.
        neutral: that face's neutral, (68, 3).
        windows: F and v.
        most: windows of the generated motion to compare with, evenly spread; all by default. More
            windows come nearer: motions are comparable at equal numbers.
    """
    starts, others = windows.starts(real), windows.starts(generated, most)
    if not len(starts) or not len(others):
        return StyleDistances(float("nan"), float("nan"), float("nan"))
    first, second = _moved(real, real_neutral), _moved(generated, neutral)
    frames = windows.frames
    steps = _point_distances(np.diff(first, axis=0), np.diff(second, axis=0)) * real.fps
    areas = _area(real, real_neutral), _area(generated, neutral)
    return StyleDistances(
        sld=_nearest(_point_distances(first, second), starts, others, frames) * PERCENT,
        slv=_nearest(steps, starts, others, frames - 1) * PERCENT,
        smd=_nearest(np.abs(areas[0][:, None] - areas[1]), starts, others, frames) * PERCENT,
    )


def _moved(track: Track, neutral: Floats) -> Floats:
    return np.asarray((track.head - neutral)[..., :2])


def _area(track: Track, neutral: Floats) -> Floats:
    return mouth_area(track.head) - mouth_area(neutral)


def _point_distances(first: Floats, second: Floats) -> Floats:
    """Return the distance of each frame to each other, mean over the points, (N, M)."""
    total = np.zeros((len(first), len(second)))
    for point in range(first.shape[1]):
        total += cdist(first[:, point], second[:, point])
    return np.asarray(total / first.shape[1])


def _nearest(distances: Floats, starts: Starts, others: Starts, frames: int) -> float:
    """Average over the windows the distance to the nearest other one, from those of frames."""
    if not frames:
        return float("nan")
    sums = np.zeros((len(starts), len(others)))
    for frame in range(frames):
        sums += distances[np.ix_(starts + frame, others + frame)]
    return float(sums.min(axis=1).mean() / frames)
