"""Manifold projection against cases computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.speech.manifold import Manifold, reconstruction_weights


def array(*rows) -> np.ndarray:
    return np.array(rows, np.float32)


def test_a_point_between_two_neighbours_is_made_of_both():
    # q = 0.25 between 0 and 1: w = (0.75, 0.25), as Σw n = q and Σw = 1 ask.
    weights = reconstruction_weights(array([0.25]), array([0.0], [1.0])[None], ridge=0.0 + 1e-9)
    assert weights[0] == pytest.approx([0.75, 0.25], abs=1e-6)


def test_the_ridge_gives_the_weights_computed_by_hand():
    # away = (-0.25, 0.75): gram [[.0625, -.1875], [-.1875, .5625]], its trace / K = .3125.
    # With ridge 0.8 both diagonals grow by 0.25: [[.3125, -.1875], [-.1875, .8125]].
    # Solved for (1, 1): (1.0, 0.5) · 1 / .21875, so w = (2/3, 1/3).
    weights = reconstruction_weights(array([0.25]), array([0.0], [1.0])[None], ridge=0.8)
    assert weights[0] == pytest.approx([2 / 3, 1 / 3])


def test_a_point_off_the_manifold_falls_onto_the_line_of_its_neighbours():
    found = Manifold(array([0.0, 0.0], [1.0, 0.0]), ridge=1e-6).project(array([0.5, 3.0]))
    assert found[0] == pytest.approx([0.5, 0.0], abs=1e-3)


def test_neighbours_that_coincide_share_the_weight():
    near = np.ones((1, 10, 4), np.float32)
    for query in (np.zeros((1, 4), np.float32), near[:, 0]):
        assert reconstruction_weights(query, near, 1e-3)[0] == pytest.approx([0.1] * 10)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), copies=st.integers(1, 12), scale=st.floats(1e-3, 1e3))
def test_weights_sum_to_one_and_stay_finite(seed, copies, scale):
    rng = np.random.default_rng(seed)
    base = np.repeat(scale * rng.normal(size=(20, 8)), copies, axis=0).astype(np.float32)
    queries = (scale * rng.normal(size=(5, 8))).astype(np.float32)
    near = base[rng.integers(0, len(base), (5, 10))]
    weights = reconstruction_weights(queries, near, 1e-3)
    assert np.isfinite(weights).all()
    assert weights.sum(1) == pytest.approx(1.0)
    assert np.abs(Manifold(base).project(queries)).max() < 100 * scale


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_point_of_the_base_stays_near_itself(seed):
    base = np.random.default_rng(seed).normal(size=(200, 16)).astype(np.float32)
    moved = np.linalg.norm(Manifold(base, ridge=1e-4).project(base[:20]) - base[:20], axis=1)
    assert moved.max() < 0.05 * np.linalg.norm(base, axis=1).mean()


def test_a_base_smaller_than_the_neighbourhood_is_used_whole():
    assert Manifold(array([0.0], [1.0])).project(array([0.3])).shape == (1, 1)


def test_an_empty_base_is_refused():
    with pytest.raises(ValueError, match="expected features"):
        Manifold(np.zeros((0, 4), np.float32))


def test_a_query_gives_the_same_bytes_alone_and_among_others():
    rng = np.random.default_rng(5)
    base = rng.normal(size=(900, 64)).astype(np.float32)
    queries = rng.normal(size=(700, 64)).astype(np.float32)
    manifold = Manifold(base)
    whole = manifold.project(queries)
    assert (manifold.project(queries) == whole).all()
    assert np.abs(manifold.project(queries[:3]) - whole[:3]).max() < 1e-6
    assert manifold.project(queries[:0]).shape == (0, 64)
