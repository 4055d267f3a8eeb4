"""How well the key motion templates hold for people whom they were not measured on.

Every person in turn is left out: templates are learnt from all others, and each of the person's
syllables goes to the template that lies nearest, in the distance of `retrieval.nearest`. Beside
the share that goes to its own class stands chance: the same with the classes of each person's
syllables shuffled among them. Ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.face.arrays import Floats
from stages.references.artifacts import TEMPLATES
from stages.references.retrieval import nearest

PERMUTATIONS = 200
# Templates of the named classes, (K, T, D), from curves of syllables, (S, T, D), and classes, (S,).
Learn = Callable[[Floats, NDArray[np.str_], Sequence[str]], Floats]
# One person's syllables: curves, (S, T, D), and classes, (S,).
Spoken = tuple[Floats, NDArray[np.str_]]
_FEWEST = 2  # syllables of a class that templates can be learnt from


@dataclass(frozen=True)
class Confusion:
    """Where syllables of people lie whom the templates were not measured on.

    Args:
        counts: syllables by true class (rows) and nearest template (columns), (4, 4).
        skipped: syllables of each class that the other people lack, (4,); not in `counts`.
        chance: balanced accuracy of shuffled classes, its 2.5 % and 97.5 % quantiles.
    """

    counts: NDArray[np.int64]
    skipped: NDArray[np.int64]
    chance: tuple[float, float]


def cross_person(
    people: Sequence[Spoken],
    learn: Learn,
    weights: Floats,
    permutations: int = PERMUTATIONS,
) -> Confusion | None:
    """Count over people where their syllables lie among templates learnt from the others.

    Args:
        people: each one's syllables.
        learn: how templates are learnt.
        weights: of the descriptors in the distance, (D,).
        permutations: shuffles that chance is measured on.

    Returns:
        The confusion; None where nobody's syllables can be tested (a single person).
    """
    counts, skipped = _left_out(people, learn, weights)
    if not counts.any():
        return None
    random = np.random.default_rng(0)
    by_chance = [
        balanced_accuracy(_left_out(_shuffled(people, random), learn, weights)[0])
        for _ in range(permutations)
    ]
    low, high = np.quantile(by_chance, [0.025, 0.975]) if by_chance else (np.nan, np.nan)
    return Confusion(counts, skipped, (float(low), float(high)))


def recalls(counts: NDArray[np.int64]) -> Floats:
    """Divide the diagonal by the rows' sums, (4,); NaN for a class without syllables."""
    sums = counts.sum(1)
    return np.asarray(np.diagonal(counts) / np.where(sums > 0, sums, np.nan))


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Average the recalls of the classes that have syllables."""
    return float(np.nanmean(recalls(counts)))


def story(confusion: Confusion) -> dict[str, Any]:
    """Lay a confusion out for provenance.json."""
    rates = recalls(confusion.counts)
    tested = confusion.counts.sum(1) > 0
    return {
        "of": "syllables of each person, nearest among templates learnt from all other people",
        "true_class_by_nearest": {
            name: dict(zip(TEMPLATES, map(int, row), strict=True))
            for name, row in zip(TEMPLATES, confusion.counts, strict=True)
        },
        "recall": {
            name: round(float(rate), 3)
            for name, rate, known in zip(TEMPLATES, rates, tested, strict=True)
            if known
        },
        "skipped": {
            name: int(count)
            for name, count in zip(TEMPLATES, confusion.skipped, strict=True)
            if count
        },
        "balanced_accuracy": round(balanced_accuracy(confusion.counts), 3),
        "chance": round(1 / int(tested.sum()), 3),
        "chance_95": [round(bound, 3) for bound in confusion.chance],
    }


def table(confusion: Confusion) -> str:
    """Write a confusion as lines for people: rows are true classes, columns nearest templates."""
    lines = ["nearest " + "".join(f"{name:>6}" for name in TEMPLATES) + "  recall"]
    for name, row, rate in zip(TEMPLATES, confusion.counts, recalls(confusion.counts), strict=True):
        lines.append(f"{name:<8}" + "".join(f"{count:6d}" for count in row) + f"{rate:8.2f}")
    low, high = confusion.chance
    accuracy = balanced_accuracy(confusion.counts)
    fair = 1 / int((confusion.counts.sum(1) > 0).sum())
    lines.append(
        f"balanced accuracy on other people {accuracy:.3f}; chance {fair:.3f}, "
        f"95 % of shuffles {low:.3f} to {high:.3f}"
    )
    if confusion.skipped.any():
        lacking = (
            f"{count} of {name}"
            for name, count in zip(TEMPLATES, confusion.skipped, strict=True)
            if count
        )
        lines.append(f"skipped, for the other people lack the class: {', '.join(lacking)}")
    return "\n".join(lines)


def _left_out(
    people: Sequence[Spoken], learn: Learn, weights: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count one leave-one-person-out round: confusion, (4, 4), and skipped syllables, (4,)."""
    counts, skipped = np.zeros((4, 4), np.int64), np.zeros(4, np.int64)
    for left, (curves, kinds) in enumerate(people):
        others = [person for index, person in enumerate(people) if index != left]
        if not len(kinds) or not others:
            continue
        known, theirs = (np.concatenate([other[i] for other in others]) for i in (0, 1))
        places = [k for k, name in enumerate(TEMPLATES) if (theirs == name).sum() >= _FEWEST]
        names = [TEMPLATES[k] for k in places]
        told = np.isin(kinds, names) & (len(names) > 1)
        for k, name in enumerate(TEMPLATES):
            skipped[k] += int((kinds[~told] == name).sum())
        if not told.any():
            continue
        used = np.isin(theirs, names)
        templates = learn(known[used], theirs[used], names)
        # All of them are asked for, so that templates that lie equally near come in their order.
        found, _ = nearest(templates, curves[told], weights, len(names))
        for kind, place in zip(kinds[told], found[:, 0], strict=True):
            counts[TEMPLATES.index(str(kind)), places[place]] += 1
    return counts, skipped


def _shuffled(people: Sequence[Spoken], random: np.random.Generator) -> list[Spoken]:
    return [(curves, random.permutation(kinds)) for curves, kinds in people]
