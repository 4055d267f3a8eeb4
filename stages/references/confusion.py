"""Validate the key motion templates on people whom they were not learnt from.

Leave-one-person-out: templates are learnt from all other people, and each syllable of the person is
assigned to the nearest template by the distance of `retrieval.nearest`. Chance is the same with
each person's syllable classes shuffled. Ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.references.artifacts import TEMPLATES
from stages.references.retrieval import nearest

PERMUTATIONS = 200
# Learns templates of the named classes, (K, T, D), from curves, (S, T, D), and classes, (S,).
Learn = Callable[[Floats, NDArray[np.str_], Sequence[str]], Floats]
# One person's syllables: curves, (S, T, D), and classes, (S,).
Labelled = tuple[Floats, NDArray[np.str_]]
_FEWEST_SYLLABLES = 2  # of a class, to learn its template


@dataclass(frozen=True)
class Confusion:
    """Result of the validation.

    Attributes:
        counts: syllables by true class (rows) and nearest template (columns), (4, 4).
        skipped: syllables of classes that the other people lack, (4,); not in `counts`.
        chance: 2.5 % and 97.5 % quantiles of the balanced accuracy with shuffled classes.
    """

    counts: NDArray[np.int64]
    skipped: NDArray[np.int64]
    chance: tuple[float, float]

    @property
    def recalls(self) -> Floats:
        """Recall of each class, (4,); NaN for a class without syllables."""
        return recalls(self.counts)

    @property
    def accuracy(self) -> float:
        """Balanced accuracy."""
        return balanced_accuracy(self.counts)

    @property
    def expected(self) -> float:
        """Balanced accuracy of a random assignment."""
        return 1 / int((self.counts.sum(1) > 0).sum())

    @property
    def skipped_by_name(self) -> dict[str, int]:
        """Skipped syllables by class, without zeros."""
        return {n: int(count) for n, count in zip(TEMPLATES, self.skipped, strict=True) if count}


def cross_person(
    people: Sequence[Labelled], learn: Learn, weights: Floats, permutations: int = PERMUTATIONS
) -> Confusion | None:
    """Validate templates by leaving out one person at a time.

    Args:
        people: the syllables of each person.
        learn: learns templates.
        weights: of the descriptors in the distance, (D,).
        permutations: shuffles for the chance level.

    Returns:
        The confusion; None if no syllable can be tested, as with a single person.
    """
    counts, skipped = _leave_one_out(people, learn, weights)
    if not counts.any():
        return None
    rng = np.random.default_rng(0)
    shuffled = [
        balanced_accuracy(
            _leave_one_out([(x, rng.permutation(y)) for x, y in people], learn, weights)[0]
        )
        for _ in range(permutations)
    ]
    low, high = np.quantile(shuffled, [0.025, 0.975]) if shuffled else (np.nan, np.nan)
    return Confusion(counts, skipped, (float(low), float(high)))


def recalls(counts: NDArray[np.int64]) -> Floats:
    """Divide the diagonal by the sums of the rows, (4,); NaN for an empty row."""
    sums = counts.sum(1)
    return np.asarray(np.diagonal(counts) / np.where(sums > 0, sums, np.nan))


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Average the recalls of the classes with syllables."""
    return float(np.nanmean(recalls(counts)))


def provenance(confusion: Confusion) -> dict[str, Any]:
    """Return the entry of provenance.json."""
    return {
        "of": "syllables of each person, nearest among templates learnt from all other people",
        "true_class_by_nearest": {
            name: dict(zip(TEMPLATES, map(int, row), strict=True))
            for name, row in zip(TEMPLATES, confusion.counts, strict=True)
        },
        "recall": {
            name: round(float(recall), 3)
            for name, recall in zip(TEMPLATES, confusion.recalls, strict=True)
            if np.isfinite(recall)
        },
        "skipped": confusion.skipped_by_name,
        "balanced_accuracy": round(confusion.accuracy, 3),
        "chance": round(confusion.expected, 3),
        "chance_95": [round(bound, 3) for bound in confusion.chance],
    }


def table(confusion: Confusion) -> str:
    """Format a confusion as text: rows are true classes, columns nearest templates."""
    lines = ["nearest " + "".join(f"{name:>6}" for name in TEMPLATES) + "  recall"]
    for name, row, recall in zip(TEMPLATES, confusion.counts, confusion.recalls, strict=True):
        lines.append(f"{name:<8}" + "".join(f"{count:6d}" for count in row) + f"{recall:8.2f}")
    low, high = confusion.chance
    lines.append(
        f"balanced accuracy on other people {confusion.accuracy:.3f}; "
        f"chance {confusion.expected:.3f}, 95 % of shuffles {low:.3f} to {high:.3f}"
    )
    if confusion.skipped.any():
        lacking = ", ".join(f"{n} of {name}" for name, n in confusion.skipped_by_name.items())
        lines.append(f"skipped, for the other people lack the class: {lacking}")
    return "\n".join(lines)


def _leave_one_out(
    people: Sequence[Labelled], learn: Learn, weights: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the confusion, (4, 4), and the skipped syllables, (4,), over all people."""
    counts, skipped = np.zeros((4, 4), np.int64), np.zeros(4, np.int64)
    for left, (curves, classes) in enumerate(people):
        others = [person for index, person in enumerate(people) if index != left]
        if not len(classes) or not others:
            continue
        x, y = (np.concatenate([other[i] for other in others]) for i in (0, 1))
        names = [name for name in TEMPLATES if (y == name).sum() >= _FEWEST_SYLLABLES]
        tested = np.isin(classes, names) & (len(names) > 1)
        for k, name in enumerate(TEMPLATES):
            skipped[k] += int((classes[~tested] == name).sum())
        if not tested.any():
            continue
        used = np.isin(y, names)
        templates = learn(x[used], y[used], names)
        # All templates are requested, so that equal distances keep the order of the templates.
        order, _ = nearest(templates, curves[tested], weights, len(names))
        for true, first in zip(classes[tested], order[:, 0], strict=True):
            counts[TEMPLATES.index(str(true)), TEMPLATES.index(names[first])] += 1
    return counts, skipped
