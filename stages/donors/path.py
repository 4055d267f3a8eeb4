"""Choose a donor for every frame: close in shape, with few changes of donor.

Ours. The path minimises the squared distances of shapes plus a cost of every change of donor, by
Viterbi's algorithm over the nearest donors of each frame.
"""

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats, Floats32

_NEAREST = 32  # donors a frame that the path may take
_CHANGE = 1e-4  # cost of another donor, squared face heights
_FADE = (0.15, 0.7, 0.15)  # weights of the donors of the frame before, of this one, of the next

Indices = NDArray[np.int64]


def nearest_donors(queries: Floats32, donors: Floats32, count: int) -> tuple[Indices, Floats]:
    """Search the donors nearest to each query: exact L2 (FAISS IndexFlatL2).

    Args:
        queries: descriptors of frames, (N, D).
        donors: descriptors of donors, (M, D).
        count: results for each frame, at most M.

    Returns:
        Indices into `donors` and squared distances, (N, count), nearest first.
    """
    import faiss

    index = faiss.IndexFlatL2(donors.shape[1])
    index.add(np.ascontiguousarray(donors))
    squares, rows = index.search(np.ascontiguousarray(queries), min(count, len(donors)))
    return rows.astype(np.int64), np.maximum(squares, 0).astype(np.float64)


def choose_path(
    queries: Floats32, donors: Floats32, strengths: Floats, before: int | None = None
) -> Indices:
    """Choose a donor for each frame.

    Args:
        queries: descriptors of frames, (N, D), in order of time.
        donors: descriptors of donors, (M, D).
        strengths: how far donors show in each frame, (N,), 0 to 1: a change that does not show
            costs nothing.
        before: donor of the frame before the first, if there is one.

    Returns:
        Indices into `donors`, (N,).
    """
    rows, squares = nearest_donors(queries, donors, _NEAREST)
    cost = np.full((len(queries), len(donors)), np.inf)
    np.put_along_axis(cost, rows, squares, axis=1)
    # A frame in which a donor hardly shows hardly counts.
    cost *= np.maximum(strengths, 1e-3)[:, None]
    change = _CHANGE * np.minimum(strengths, np.r_[strengths[:1], strengths[:-1]])
    came_from = np.zeros(cost.shape, np.int64)
    total = cost[0] if before is None else cost[0] + change[0] * (np.arange(len(donors)) != before)
    own = np.arange(len(donors))
    for frame in range(1, len(cost)):
        best = int(np.argmin(total))
        switched = total[best] + change[frame]
        stays = total <= switched
        came_from[frame] = np.where(stays, own, best)
        total = np.where(stays, total, switched) + cost[frame]
    path = np.zeros(len(cost), np.int64)
    path[-1] = int(np.argmin(total))
    for frame in range(len(cost) - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path


def fade(path: Indices, before: int | None = None) -> list[dict[int, float]]:
    """Return the weights of the donors of each frame, which cross-fade where the path changes."""
    first = int(path[0]) if before is None else before
    longer = np.r_[first, path, path[-1]]
    weights: list[dict[int, float]] = []
    for frame in range(len(path)):
        shares: dict[int, float] = {}
        for offset, weight in enumerate(_FADE):
            donor = int(longer[frame + offset])
            shares[donor] = shares.get(donor, 0.0) + weight
        weights.append(shares)
    return weights
