"""Measures computed from the scores of single frames: a mean or a correlation, and its interval.

The interval comes from a block bootstrap over whole seconds, as in `comparison`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.experiments.comparison import Estimate, resample_blocks, seconds_of
from pipeline.experiments.measures import Framewise

Floats = NDArray[np.floating[Any]]
Table = Mapping[str, NDArray[Any]]


def interval(rows: Table, measure: Framewise, fps: float) -> Estimate | None:
    """Return a measure of one subject's rows with its 95 % interval over seconds.

    Args:
        rows: of the measure's table, of one subject.
        measure: the metric.
        fps: frames per second of the clips.

    Returns:
        None where the table lacks its columns, or no frame has a value.
    """
    if not {*measure.columns} <= {*rows}:
        return None
    values = columns_of(rows, measure)
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        return None
    terms = summands(values[:, known])
    seconds = seconds_of({name: rows[name][known] for name in ("clip", "frame")}, fps)
    low, high = np.quantile(statistic(resample_blocks(terms, seconds)), (0.025, 0.975))
    return Estimate(float(statistic(terms.sum(axis=0))), float(low), float(high))


def columns_of(table: Table, measure: Framewise) -> Floats:
    """Return the measure's columns, (1 or 2, N).

    A missing value of the generated curve (no face in a rendered frame) becomes the curve's mean,
    which has no correlation: without the frame, a bad render would look better.
    """
    values = np.stack([np.asarray(table[column], float) for column in measure.columns])
    if len(values) == 2:
        truth, generated = np.isfinite(values)
        mean = values[1, generated].mean() if generated.any() else 0.0
        values[1, truth & ~generated] = mean
    return values


def summands(values: Floats) -> Floats:
    """Return, a row per frame, the terms of the sums of a mean, (N, 2), or correlation, (N, 6)."""
    ones = np.ones(values.shape[1])
    if len(values) == 1:
        return np.stack([ones, values[0]], axis=1)
    x, y = values
    return np.stack([ones, x, y, x * x, y * y, x * y], axis=1)


def statistic(sums: Floats) -> Floats:
    """Return the mean, or the correlation (0 where one side is constant), of sums (…, 2 or 6)."""
    if sums.shape[-1] == 2:
        mean: Floats = sums[..., 1] / sums[..., 0]
        return mean
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    scale = np.sqrt(np.maximum(xx - x * x / n, 0) * np.maximum(yy - y * y / n, 0))
    known = scale > 1e-12
    correlation: Floats = np.where(known, (xy - x * y / n) / np.where(known, scale, 1.0), 0.0)
    return correlation
