"""Fit the principal components of Whisper's activations to the speech of a project.

Columns are standardised first, because a few of a transformer's columns are a hundred times as
large as the others. The components are scaled together, not one by one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from stages.base.arrays import AnyFloats, Floats

_SMALLEST = 1e-6  # standard deviation of a column that varies


class Moments:
    """Mean and covariance of rows, added block by block."""

    def __init__(self, width: int) -> None:
        self.count, self.sums, self.products = 0, np.zeros(width), np.zeros((width, width))

    def add(self, rows: AnyFloats) -> None:
        """Add rows, (N, width)."""
        values = np.asarray(rows, np.float64)
        self.count += len(values)
        self.sums += values.sum(0)
        with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
            self.products += values.T @ values

    @property
    def mean(self) -> Floats:
        """Mean of the rows, (width,)."""
        mean: Floats = self.sums / self.count
        return mean

    @property
    def covariance(self) -> Floats:
        """Covariance of the rows, (width, width)."""
        covariance: Floats = self.products / self.count - np.outer(self.mean, self.mean)
        return covariance


@dataclass(frozen=True)
class Components:
    """A projection of activations, (x - mean) @ matrix.

    Attributes:
        mean: (width,).
        matrix: (width, K), such that the projections' mean variance over the K is 1.
        explained: share of the standardised columns' variance in the first 1 to K, (K,).
    """

    mean: Floats
    matrix: Floats
    explained: Floats

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what a model file stores."""
        mean, matrix = (torch.from_numpy(a.astype(np.float32)) for a in (self.mean, self.matrix))
        return {"mean": mean, "components": matrix}


def fit_components(moments: Moments, count: int) -> Components:
    """Return the first principal components of standardised columns.

    Args:
        moments: of the rows.
        count: number of components K, at most the rows' width.
    """
    covariance = moments.covariance
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(scale > _SMALLEST, scale, np.inf)  # a constant column counts for nothing
    with threadpool_limits(1, user_api="blas"):
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1][:, :count]
    largest = np.abs(vectors).argmax(0)  # an eigenvector's sign is arbitrary
    vectors = vectors * np.sign(vectors[largest, np.arange(count)])
    variance = max(float(values[:count].mean()), 1e-12)
    return Components(
        mean=moments.mean,
        matrix=vectors / scale[:, None] / np.sqrt(variance),
        explained=np.cumsum(values[:count]) / max(float(values.sum()), 1e-12),
    )
