"""Shoulders follow the head's translation by a factor of the person's own.

Source: LSP moves them by half of it; fitting the factor to the person is ours.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stages.base.face.arrays import Floats

USUAL_FACTOR = 0.5  # LSP's
_FEWEST = 50  # frames that a fit needs


def head_shift(translation: ArrayLike, rest: ArrayLike, focal: float) -> Floats:
    """Project the head's translation from its rest, (N, 3) face heights, to pixels, (N, 2)."""
    t, rest_t = np.asarray(translation, float), np.asarray(rest, float)
    moved: Floats = focal * (t[:, :2] - rest_t[:2]) / rest_t[2]
    return moved


def fit_factor(shifts: Sequence[Floats], shoulders: Sequence[Floats]) -> float:
    """Fit the factor between head and shoulders, least squares about each clip's means.

    Args:
        shifts: per clip the head's shift, (N, 2), px.
        shoulders: per clip the shoulders, (N, 18, 2), px.

    Returns:
        The factor, kept within 0 and 1; LSP's half where there is too little to fit.
    """
    x = [s - s.mean(0) for s in shifts if len(s)]
    y = [(s - s.mean(0)).mean(1) for s in shoulders if len(s)]
    total = sum(float((a**2).sum()) for a in x)
    if sum(len(a) for a in x) < _FEWEST or total <= 0:
        return USUAL_FACTOR
    product = sum(float((a * b).sum()) for a, b in zip(x, y, strict=True))
    return float(np.clip(product / total, 0.0, 1.0))


def place_shoulders(mean: Floats, shifts: Floats, factor: float) -> Floats:
    """Move mean shoulders, (18, 2) px, by a share of the head's shifts, (N, 2) px."""
    return mean + factor * shifts[:, None]
