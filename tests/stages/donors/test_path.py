"""The donor of each frame: the cheapest path, and its cross-fades."""

import itertools

import numpy as np
import pytest

from stages.donors import path
from stages.donors.path import choose_path, fade, nearest_donors

DONORS = np.array([[0.0], [0.01], [0.1]], np.float32)


def test_the_nearest_donors_come_first_with_their_squared_distances() -> None:
    rows, squares = nearest_donors(np.array([[0.02], [0.09]], np.float32), DONORS, 5)
    assert rows.tolist() == [[1, 0, 2], [2, 1, 0]]
    assert squares[0] == pytest.approx([1e-4, 4e-4, 64e-4], rel=1e-4)


def test_a_small_gain_is_not_worth_another_donor_and_a_large_one_is() -> None:
    shown = np.ones(5)
    near = np.array([[0.0], [0.0], [0.006], [0.0], [0.0]], np.float32)
    assert choose_path(near, DONORS, shown).tolist() == [0, 0, 0, 0, 0]
    far = np.array([[0.0], [0.0], [0.1], [0.1], [0.0]], np.float32)
    assert choose_path(far, DONORS, shown).tolist() == [0, 0, 2, 2, 0]


def test_the_path_goes_on_with_the_donor_of_the_frame_before() -> None:
    between = np.full((1, 1), 0.0045, np.float32)
    assert choose_path(between, DONORS, np.ones(1)).tolist() == [0]
    assert choose_path(between, DONORS, np.ones(1), before=1).tolist() == [1]
    assert choose_path(between, DONORS, np.zeros(1), before=1).tolist() == [0]  # hidden: free


def test_no_other_path_is_cheaper() -> None:
    rng = np.random.default_rng(3)
    queries = rng.normal(0, 0.02, (6, 2)).astype(np.float32)
    donors = rng.normal(0, 0.02, (4, 2)).astype(np.float32)
    shown = rng.uniform(0.1, 1, 6)

    def cost(chosen) -> float:
        squares = np.square(queries - donors[list(chosen)]).sum(1) * shown
        changes = np.diff(chosen) != 0
        return float(
            squares.sum() + (path._CHANGE * np.minimum(shown[1:], shown[:-1]))[changes].sum()
        )

    cheapest = min(itertools.product(range(4), repeat=6), key=cost)
    assert cost(choose_path(queries, donors, shown)) == pytest.approx(cost(cheapest), rel=1e-5)
    assert len(set(cheapest)) > 1  # the case is not trivial


def test_a_change_is_faded_over_two_frames_and_weights_sum_to_one() -> None:
    weights = fade(np.array([4, 4, 7, 7]))
    assert weights[0] == pytest.approx({4: 1.0})
    assert weights[1] == pytest.approx({4: 0.85, 7: 0.15})
    assert weights[2] == pytest.approx({4: 0.15, 7: 0.85})
    assert weights[3] == pytest.approx({7: 1.0})
    assert fade(np.array([7]), before=4)[0] == pytest.approx({4: 0.15, 7: 0.85})
