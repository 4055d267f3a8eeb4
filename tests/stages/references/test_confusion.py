"""Leave-one-person-out validation, on syllables with known classes."""

import numpy as np
import pytest

from stages.base.arrays import Floats
from stages.references import confusion
from stages.references.artifacts import TEMPLATES
from stages.references.learn_templates import learn_classes

WEIGHTS = np.array([1.0, 0.0])
LEVELS = {"None": 0.5, "M": 0.1, "R": 0.9, "O": 0.3}


def means(curves: Floats, kinds: np.ndarray, names: list[str]) -> Floats:
    """Learn bare means, which a hand can compute."""
    return np.stack([curves[kinds == name].mean(0) for name in names])


def person(values: list[float], kinds: list[str]) -> confusion.Labelled:
    """Speak syllables that hold one value in the first descriptor, noise in the second."""
    curves = np.zeros((len(values), 3, 2))
    curves[:, :, 0] = np.array(values)[:, None]
    curves[:, :, 1] = np.random.default_rng(len(values)).uniform(0, 1, (len(values), 3))
    return curves, np.array(kinds)


def separable(seed: int, each: int = 6) -> confusion.Labelled:
    """Speak every class at a level of its own, all 12 descriptors."""
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.array(TEMPLATES), each)
    curves = random.uniform(0.45, 0.55, (len(kinds), 5, 12))
    curves[:, :, 0] = np.array([LEVELS[str(kind)] for kind in kinds])[:, None]
    curves[:, :, 0] += random.uniform(-0.02, 0.02, (len(kinds), 1))
    return curves, kinds


def test_separable_syllables_are_classified_perfectly() -> None:
    found = confusion.cross_person(
        [separable(seed) for seed in range(3)],
        learn_classes,
        np.array([1.0] + [0.01] * 11),
        permutations=20,
    )
    assert found is not None
    np.testing.assert_array_equal(found.counts, 18 * np.eye(4))
    assert confusion.balanced_accuracy(found.counts) == 1.0
    assert found.chance[1] < 0.6


def test_the_confusion_is_the_one_computed_by_hand() -> None:
    a = person([0.5, 0.5, 0.1, 0.1, 0.9, 0.9, 0.3, 0.3], list(np.repeat(TEMPLATES, 2)))
    # Nearest to a's means: 0.65 None, 0.45 None (an M!), 0.05 M, 0.75 R, 0.25 O, 0.19 M (an O!).
    b = person([0.65, 0.45, 0.05, 0.75, 0.25, 0.19], ["None", "M", "M", "R", "O", "O"])
    found = confusion.cross_person([a, b], means, WEIGHTS, permutations=0)
    assert found is not None
    # b has one None and one R, so a's are skipped; b's means of M and O are 0.25 and 0.22: a's Ms,
    # at 0.1, lie nearer to O, and a's Os, at 0.3, nearer to M.
    assert found.skipped.tolist() == [2, 0, 2, 0]
    expected = [[1, 0, 0, 0], [1, 1, 0, 2], [0, 0, 1, 0], [0, 1 + 2, 0, 1]]
    assert found.counts.tolist() == expected
    np.testing.assert_allclose(confusion.recalls(found.counts), [1, 1 / 4, 1, 1 / 4])
    assert confusion.balanced_accuracy(found.counts) == pytest.approx(0.625)


def test_noise_is_within_the_shuffles_and_the_shuffles_are_around_a_quarter() -> None:
    random = np.random.default_rng(5)
    people = [
        (random.uniform(0, 1, (40, 3, 2)), random.permutation(np.repeat(np.array(TEMPLATES), 10)))
        for _ in range(4)
    ]
    found = confusion.cross_person(people, means, WEIGHTS)
    assert found is not None
    low, high = found.chance
    assert low < 0.25 < high
    assert high - low < 0.2
    assert low <= confusion.balanced_accuracy(found.counts) <= high
    again = confusion.cross_person(people, means, WEIGHTS)
    assert again is not None
    assert again.chance == found.chance


def test_classes_that_the_others_lack_are_skipped_and_reported() -> None:
    kinds = ["None", "None", "R", "R"]
    a = person([0.5, 0.5, 0.9, 0.9, 0.1], [*kinds, "M"])
    b = person([0.5, 0.5, 0.9, 0.9, 0.3, 0.3], [*kinds, "O", "O"])
    found = confusion.cross_person([a, b], means, WEIGHTS, permutations=3)
    assert found is not None
    assert found.skipped.tolist() == [0, 1, 0, 2]
    assert found.counts.sum() == 8
    entry = confusion.provenance(found)
    assert entry["skipped"] == {"M": 1, "O": 2}
    assert entry["recall"] == {"None": 1.0, "R": 1.0}
    assert entry["chance"] == 0.5
    assert "skipped, for the other people lack the class: 1 of M, 2 of O" in confusion.table(found)


def test_one_person_has_no_confusion() -> None:
    assert confusion.cross_person([separable(0)], means, np.ones(12)) is None


def test_the_table_shows_counts_recalls_and_chance() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1], [1, 0, 0, 3]])
    found = confusion.Confusion(counts, np.zeros(4, np.int64), (0.1, 0.4))
    lines = confusion.table(found).splitlines()
    assert lines[1].split() == ["None", "3", "1", "0", "0", "0.75"]
    assert lines[3].split() == ["R", "0", "0", "1", "1", "0.50"]
    assert lines[-1] == (
        "balanced accuracy on other people 0.750; chance 0.250, 95 % of shuffles 0.100 to 0.400"
    )
