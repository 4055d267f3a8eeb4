"""Measures of a face from its landmarks: openings, widths and heights, in face heights.

Functions take heads, (…, 68, 3), in face heights, or landmarks, (…, 68, 2), in pixels; `…` are
leading batch axes.
"""

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import CHIN, NASION


def face_height(points: ArrayLike) -> Floats:
    """Return the unit of length, (…): 1 for heads (…, 68, 3), else nasion to chin in the image."""
    p = np.asarray(points, float)
    if p.shape[-1] == 3:
        return np.ones(p.shape[:-2])
    return _length(p, NASION, CHIN)


def _length(p: Floats, i: int, j: int) -> Floats:
    return np.asarray(np.linalg.norm(p[..., i, :] - p[..., j, :], axis=-1))


def mouth_opening(points: ArrayLike) -> Floats:
    """Measure the gap between the inner lips, (…), of heads (…, 68, 3) or landmarks (…, 68, 2)."""
    p = np.asarray(points, float)
    gap = sum(_length(p, i, j) for i, j in ((61, 67), (62, 66), (63, 65)))
    return np.asarray(gap / 3 / face_height(p))


def mouth_width(points: ArrayLike) -> Floats:
    """Measure the distance between the mouth's corners, (…)."""
    p = np.asarray(points, float)
    return _length(p, 48, 54) / face_height(p)


def lip_press(points: ArrayLike) -> Floats:
    """Return minus the mean thickness of the lips, (…): high where they are pressed together."""
    p = np.asarray(points, float)
    pairs = ((50, 61), (51, 62), (52, 63), (56, 65), (57, 66), (58, 67))
    thick = sum(_length(p, i, j) for i, j in pairs)
    return np.asarray(-thick / len(pairs) / face_height(p))


def protrusion(head: ArrayLike) -> Floats:
    """Measure how far the middle of the lips protrudes beyond the nose's base, (…), of heads."""
    z = np.asarray(head, float)[..., 2]
    lips: Floats = z[..., [50, 51, 52, 56, 57, 58]].mean(-1)
    return z[..., 33] - lips


def mouth_area(points: ArrayLike) -> Floats:
    """Measure the frontal area inside the inner lips, (…), in face heights squared."""
    p = np.asarray(points, float)
    x, y = np.moveaxis(p[..., 60:68, :2], -1, 0)
    doubled = (x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(-1)
    return np.asarray(np.abs(doubled) / 2 / face_height(p) ** 2)


def eye_opening(points: ArrayLike) -> Floats:
    """Measure lid distance over lid width, (…, 2), the image's left eye first."""
    p = np.asarray(points, float)
    eyes = []
    for a in (36, 42):
        lids = (_length(p, a + 1, a + 5) + _length(p, a + 2, a + 4)) / 2
        eyes.append(lids / _length(p, a, a + 3))
    return np.stack(eyes, axis=-1)


def brow_height(points: ArrayLike) -> Floats:
    """Measure the height of the brows above the eyes' corners, (…), along chin to nasion."""
    p = np.asarray(points, float)
    up = (p[..., NASION, :] - p[..., CHIN, :]) / _length(p, NASION, CHIN)[..., None]
    raised = p[..., 17:27, :].mean(-2) - p[..., [36, 39, 42, 45], :].mean(-2)
    return np.asarray((raised * up).sum(-1) / face_height(p))


def keep_lips_apart(head: Floats) -> Floats:
    """Move inner lips that cross onto their mid-point; heads are (N, 68, 3)."""
    out = head.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        crossed = out[:, lower, 1] < out[:, upper, 1]
        middle = (out[crossed, upper] + out[crossed, lower]) / 2
        out[crossed, upper] = out[crossed, lower] = middle
    return out


def most_closed(heads: ArrayLike, share: float) -> Floats:
    """Average the `share` of heads, (N, 68, 3), with the most closed mouths, to (68, 3)."""
    opening = mouth_opening(heads)
    return np.asarray(np.asarray(heads)[opening <= np.quantile(opening, share)].mean(0))
