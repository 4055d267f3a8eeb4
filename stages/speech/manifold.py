"""Manifold projection: replace a feature by a weighted sum of its neighbours in a person's own.

As in Live Speech Portraits, with the small ridge of locally linear embedding: without it, the
weights of coinciding neighbours are undefined (section "Audio" of docs/method.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats32

NEIGHBOURS = 10
RIDGE = 1e-3  # share of the mean squared distance to the neighbours
_BATCH = 512  # queries per search, padded: FAISS rounds differently for other numbers


class Manifold:
    """A person's own features, onto which others are projected.

    Args:
        base: features of training spans, (M, D), M at least 1.
        neighbours: number of neighbours in a projection; M if there are fewer features.
        ridge: added to the diagonal of the neighbours' Gram matrix, as a share of the mean squared
            distance.

    Raises:
        ValueError: `base` has no row, or not two dimensions.
    """

    def __init__(self, base: Floats32, neighbours: int = NEIGHBOURS, ridge: float = RIDGE) -> None:
        if base.ndim != 2 or not len(base):
            raise ValueError(f"expected features (M, D), found {base.shape}")
        self.base = np.ascontiguousarray(base, np.float32)
        self.neighbours, self.ridge = min(neighbours, len(base)), ridge
        self.index = _index(self.base)

    def project(self, queries: Floats32) -> Floats32:
        """Replace each feature, (N, D), by its weighted neighbours."""
        return np.concatenate(
            [self._project(queries[i : i + _BATCH]) for i in range(0, len(queries), _BATCH)]
            or [np.zeros((0, self.base.shape[1]), np.float32)]
        )

    def _project(self, queries: Floats32) -> Floats32:
        filled = np.zeros((_BATCH, self.base.shape[1]), np.float32)
        filled[: len(queries)] = queries
        _, found = self.index.search(filled, self.neighbours)
        near = self.base[found[: len(queries)]]  # (N, K, D)
        weights = reconstruction_weights(filled[: len(queries)], near, self.ridge)
        return np.asarray(np.einsum("nk,nkd->nd", weights, near.astype(np.float64)), np.float32)


def reconstruction_weights(queries: Floats32, near: Floats32, ridge: float) -> NDArray[np.float64]:
    """Solve for the weights, summing to 1, that best reconstruct each query from its neighbours.

    Minimises ‖q - Σ w n‖² + λ ‖w‖² under Σ w = 1, λ = ridge · the mean of ‖q - n‖².

    Args:
        queries: (N, D).
        near: their neighbours, (N, K, D).
        ridge: at least 0; with 0, coinciding neighbours make the system singular.

    Returns:
        Weights, (N, K), in float64.
    """
    away = near.astype(np.float64) - queries.astype(np.float64)[:, None]  # (N, K, D)
    gram = np.einsum("nid,njd->nij", away, away)
    spread = np.trace(gram, axis1=1, axis2=2) / near.shape[1]
    diagonal = np.arange(near.shape[1])
    gram[:, diagonal, diagonal] += np.where(spread > 0, ridge * spread, 1.0)[:, None]
    raw = np.linalg.solve(gram, np.ones((*gram.shape[:2], 1)))[..., 0]
    weights: NDArray[np.float64] = raw / raw.sum(1, keepdims=True)
    return weights


def _index(base: Floats32) -> Any:
    import faiss

    index: Any = faiss.IndexFlatL2(base.shape[1])
    if faiss.get_num_gpus() > 0 and hasattr(faiss, "StandardGpuResources"):
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    index.add(base)
    return index
