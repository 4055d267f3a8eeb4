"""What a challenger gains over a champion on the frames that both were judged on.

Whole seconds are drawn again within each subject, since neighbouring frames are alike and the
people are those of the project, not a sample of others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.promotion.rules import Measure
from stages.evaluation.comparison import Estimate, blocks_of, redrawn

Floats = NDArray[np.floating[Any]]
Table = Mapping[str, NDArray[Any]]
Key = tuple[str, str, int]


@dataclass(frozen=True)
class Gain:
    """A challenger's gain, positive where it is better.

    Attributes:
        champion: the metric of the champion.
        challenger: the metric of the challenger.
        gain: their difference with its 95 % interval.
        seconds: held-out seconds that it rests on, of the subject that has fewest.
    """

    champion: float
    challenger: float
    gain: Estimate
    seconds: int


_NAN = float("nan")
_NOTHING = Gain(_NAN, _NAN, Estimate(_NAN, _NAN, _NAN), 0)


def keys(table: Table) -> list[Key]:
    """Name each row by subject, clip and frame."""
    columns = (table[name] for name in ("subject", "clip", "frame"))
    return [(str(s), str(c), int(f)) for s, c, f in zip(*columns, strict=True)]


def rows(table: Table, kept: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Take rows of a table, by mask or indices."""
    return {name: column[kept] for name, column in table.items()}


def of_answer(table: Table, answer: str) -> dict[str, NDArray[Any]]:
    """Take the rows of one answer of a table of the format SCORES."""
    return rows(table, table["answer"] == answer)


def paired(first: Table, second: Table) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Take the rows of two tables that stand for the same frames, in the second one's order."""
    places = {key: row for row, key in enumerate(keys(first))}
    both = [(places[key], row) for row, key in enumerate(keys(second)) if key in places]
    picked = np.array(both, int).reshape(-1, 2)
    return rows(first, picked[:, 0]), rows(second, picked[:, 1])


def gain(
    champion: Table, challenger: Table, subjects: Sequence[str], measure: Measure, fps: float
) -> Gain:
    """Compare two runs over paired rows; several subjects count the same, however long.

    Args:
        champion: rows of the champion.
        challenger: rows of the challenger, of the same frames in the same order.
        subjects: whose rows count.
        measure: what is compared.
        fps: frames a second of the clips.

    Returns:
        NaN where a subject has no frame in which both are known.
    """
    parts = [
        _of_subject(champion, challenger, str(name), measure, fps, seed)
        for seed, name in enumerate(subjects)
    ]
    before, after, drawn, seconds = zip(*parts, strict=True)
    if not all(seconds):
        return _NOTHING
    change = measure.sign * (np.mean(after) - np.mean(before))
    draws = measure.sign * np.mean(drawn, axis=0)
    low, high = np.quantile(draws, (0.025, 0.975))
    estimate = Estimate(float(change), float(low), float(high))
    return Gain(float(np.mean(before)), float(np.mean(after)), estimate, min(seconds))


def _of_subject(
    champion: Table, challenger: Table, name: str, measure: Measure, fps: float, seed: int
) -> tuple[float, float, Floats, int]:
    """Return both values, the difference in every draw, (2000,), and how many seconds there are."""
    own = challenger["subject"] == name
    columns = [_columns(rows(table, own), measure) for table in (champion, challenger)]
    known = np.isfinite(np.concatenate(columns)).all(axis=0)
    if not known.any():
        return _NAN, _NAN, np.empty(0), 0
    before, after = (_sums(values[:, known]) for values in columns)
    place = {column: challenger[column][own][known] for column in ("clip", "frame")}
    blocks = blocks_of(place, fps)
    draws = redrawn(np.concatenate([before, after], axis=1), blocks, seed)
    width = before.shape[1]
    change = _value(draws[:, width:]) - _value(draws[:, :width])
    totals = _value(before.sum(axis=0)), _value(after.sum(axis=0))
    return float(totals[0]), float(totals[1]), change, len(np.unique(blocks))


def _columns(table: Table, measure: Measure) -> Floats:
    """Return the measure's columns, (1 or 2, N).

    What was to follow the truth and is not there (no face seen in a rendered frame) stands at its
    own mean, where it follows nothing: leaving the frame out would make a bad render look better.
    """
    found = np.stack([np.asarray(table[column], float) for column in measure.columns])
    if len(found) == 2:
        truth, made = np.isfinite(found)
        found[1, truth & ~made] = found[1, made].mean() if made.any() else 0.0
    return found


def _sums(values: Floats) -> Floats:
    """Lay out, a row a frame, what is summed: of a mean or of a correlation."""
    one = np.ones(values.shape[1])
    if len(values) == 1:
        return np.stack([one, values[0]], axis=1)
    x, y = values
    return np.stack([one, x, y, x * x, y * y, x * y], axis=1)


def _value(sums: Floats) -> Floats:
    """Return the mean, or the correlation (0 where one is constant), of sums (…, 2 or 6)."""
    if sums.shape[-1] == 2:
        mean: Floats = sums[..., 1] / sums[..., 0]
        return mean
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    scale = np.sqrt(np.maximum(xx - x * x / n, 0) * np.maximum(yy - y * y / n, 0))
    covariance = xy - x * y / n
    known = scale > 1e-12
    correlation: Floats = np.where(known, covariance / np.where(known, scale, 1.0), 0.0)
    return correlation
