"""Principal components of standardised columns, scaled together."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from stages.speech.principal_components import Moments, fit_components


def moments(rows: np.ndarray, pieces: int = 3) -> Moments:
    found = Moments(rows.shape[1])
    for piece in np.array_split(rows, pieces):
        found.add(piece)
    return found


def some_rows(seed: int = 0) -> np.ndarray:
    """Return rows of three sources in eight columns, one of them a hundred times as large."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(500, 8))
    rows[:, 2] *= 100
    return rows + np.arange(8)


def test_mean_and_covariance_are_numpys() -> None:
    rows = some_rows()
    found = moments(rows)
    np.testing.assert_allclose(found.mean, rows.mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), rtol=1e-9, atol=1e-9)


def test_components_are_the_singular_vectors_of_standardised_rows() -> None:
    rows = some_rows()
    found = fit_components(moments(rows), 3)
    standard = (rows - rows.mean(0)) / rows.std(0)
    _, sizes, vectors = np.linalg.svd(standard, full_matrices=False)
    expected = standard @ vectors[:3].T
    projected = (rows - found.mean) @ found.matrix
    ratio = projected / expected
    np.testing.assert_allclose(np.abs(ratio), np.abs(ratio[0, 0]), rtol=1e-6)
    np.testing.assert_allclose(found.explained, np.cumsum(sizes[:3] ** 2) / (sizes**2).sum())


def test_the_mean_variance_of_the_projections_is_1_and_their_order_is_kept() -> None:
    rows = some_rows()
    found = fit_components(moments(rows), 4)
    variances = ((rows - found.mean) @ found.matrix).var(0)
    assert variances.mean() == pytest.approx(1.0)
    assert (np.diff(variances) < 0).all()


def test_a_constant_column_counts_for_nothing() -> None:
    rows = some_rows()
    rows[:, 5] = 7.0
    found = fit_components(moments(rows), 2)
    assert np.isfinite(found.matrix).all()
    assert not found.matrix[5].any()


def test_fewer_rows_than_components_give_finite_numbers() -> None:
    found = fit_components(moments(some_rows()[:4]), 8)
    assert np.isfinite(found.matrix).all()
    assert found.explained[-1] == pytest.approx(1.0)


def test_signs_and_bytes_do_not_depend_on_the_number_of_threads() -> None:
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(fit_components(moments(some_rows()), 4).matrix)
    np.testing.assert_array_equal(*found)
    assert (found[0][np.abs(found[0] * some_rows().std(0)[:, None]).argmax(0), range(4)] > 0).all()
