"""Fit similarity transforms to pairs of 2D points."""

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats


def fit_similarity(source: ArrayLike, target: ArrayLike) -> Floats:
    """Fit scale, rotation and translation from source to target, least squares (Umeyama).

    Args:
        source: points, (…, N, 2).
        target: the same points after the transform, (…, N, 2).

    Returns:
        Transforms [sR | t], (…, 2, 3), never a mirror.
    """
    src, dst = np.asarray(source, float), np.asarray(target, float)
    ms, md = src.mean(-2, keepdims=True), dst.mean(-2, keepdims=True)
    s, d = src - ms, dst - md
    norm = (s**2).sum((-1, -2))
    a = (s * d).sum((-1, -2)) / norm
    b = (s[..., 0] * d[..., 1] - s[..., 1] * d[..., 0]).sum(-1) / norm
    sR = np.stack([np.stack([a, -b], axis=-1), np.stack([b, a], axis=-1)], axis=-2)
    shift = np.swapaxes(md, -1, -2) - sR @ np.swapaxes(ms, -1, -2)
    return np.concatenate([sR, shift], axis=-1)
