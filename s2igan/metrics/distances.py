"""Euclidean distances inside a set of vectors and from one set to another.

Of float32 vectors, a distance below some thousandths of their length is rounding, more of it on one
processor than on another; that of a vector to itself need not be 0.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating[Any]]

ROWS_PER_BLOCK = 1024


def mean_pairwise_distance(vectors: Vectors) -> float:
    """Mean Euclidean distance over all pairs of ``(n, D)`` float32 or float64 vectors.

    Raises:
        ValueError: if there are fewer than two vectors.
    """
    count = len(vectors)
    if count < 2:
        raise ValueError(f"{count} vectors make no pair")
    total = 0.0
    for start in range(0, count, ROWS_PER_BLOCK):
        others = vectors[start:]
        squares = _squared_distances(others[:ROWS_PER_BLOCK], others)  # (block, others)
        total += float(np.sqrt(squares[np.triu_indices(len(squares), 1, len(others))]).sum())
    return total / (count * (count - 1) // 2)


def nearest_distances(queries: Vectors, gallery: Vectors) -> npt.NDArray[np.float64]:
    """Euclidean distance from each query to the nearest vector of the gallery.

    Args:
        queries: ``(Q, D)`` float32 or float64.
        gallery: ``(G, D)`` likewise, not empty.

    Returns:
        ``(Q,)`` float64.
    """
    nearest = np.full(len(queries), np.inf)
    for start in range(0, len(gallery), ROWS_PER_BLOCK):
        squares = _squared_distances(queries, gallery[start : start + ROWS_PER_BLOCK])
        np.minimum(nearest, squares.min(axis=1), out=nearest)
    return np.asarray(np.sqrt(nearest), np.float64)


def _squared_distances(a: Vectors, b: Vectors) -> npt.NDArray[np.float64]:
    # The products run in the vectors' own precision; rounding can only push a square below zero.
    squares = (a * a).sum(axis=1, dtype=np.float64)[:, None] - 2.0 * (a @ b.T)
    squares += (b * b).sum(axis=1, dtype=np.float64)
    return np.asarray(np.maximum(squares, 0.0), np.float64)
