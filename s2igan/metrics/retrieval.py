"""Retrieval by similarity: average precision, hits and precision at k, and what chance gives.

Every measure looks at rankings: row q of a ranking holds the gallery in order of falling
similarity to query q. Ties stand in one order, drawn by a fixed seed. A gallery often lies class by
class, and in its own order equal items would be found with their class more often than by chance.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]
Booleans = npt.NDArray[np.bool_]
RankedMeasure = Callable[[Booleans], npt.NDArray[np.float64]]
"""From ranked relevance, ``(Q, G)`` bool, to one value per query, ``(Q,)`` float64."""

QUERIES_PER_BLOCK = 512
_PAIRS_PER_BLOCK = 2**22  # of a query and an item

_TIES = 0  # seed of their order


class Rankings:
    """The gallery in the order of every query, worked out for the queries that are asked for.

    All of them at once would take memory by the product of queries and gallery.

    Args:
        queries: ``(Q, E)``.
        gallery: ``(G, E)``.
        others: whether they are the same items, each of which searches the others alone.
    """

    def __init__(self, queries: Floats, gallery: Floats, *, others: bool = False) -> None:
        self._queries, self._columns, self._others = queries, _unit(gallery).T, others
        self.shape = len(queries), len(gallery) - others

    def __getitem__(self, queries: slice | Integers) -> npt.NDArray[np.int32]:
        """Return the ranked rows of the gallery of some queries, ``(n, G)``, or ``(n, G - 1)``."""
        chosen = np.arange(len(self._queries))[queries]
        asked = _unit(self._queries[chosen])
        # Products with equal items differ in last bits by the column; float32 does not hold those.
        order = rank((asked @ self._columns).astype(np.float32))
        if self._others:
            order = order[order != chosen[:, None]].reshape(len(order), -1)
        return order


def search(queries: Floats, gallery: Floats) -> Rankings:
    """Order the gallery of each query by falling cosine, ties as in :func:`rank`.

    Args:
        queries: ``(Q, E)``.
        gallery: ``(G, E)``.

    Returns:
        ``(Q, G)``, rows of ``gallery``.
    """
    return Rankings(queries, gallery)


def search_others(items: Floats) -> Rankings:
    """Order, for each of n items ``(n, E)``, the n - 1 others as :func:`search`, ``(n, n - 1)``."""
    return Rankings(items, items, others=True)


def query_blocks(queries: int, gallery: int) -> Iterator[slice]:
    """Cut queries into blocks whose products with the gallery fit into memory."""
    step = min(QUERIES_PER_BLOCK, max(1, _PAIRS_PER_BLOCK // max(1, gallery)))
    for start in range(0, queries, step):
        yield slice(start, start + step)


def _unit(vectors: Floats) -> npt.NDArray[np.float64]:
    """Scale rows to unit length; rows of zeros stay."""
    exact = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.maximum(lengths, np.finfo(np.float64).tiny))


def rank(similarity: npt.NDArray[np.number[Any] | np.bool_]) -> npt.NDArray[np.int32]:
    """Order the gallery of each query, most similar first, ties in an order drawn by a fixed seed.

    Args:
        similarity: ``(Q, G)``, of numbers or bool.

    Returns:
        ``(Q, G)`` int32, columns of ``similarity``; a row does not depend on the other rows.
    """
    mixed = np.random.default_rng(_TIES).permutation(similarity.shape[1]).astype(np.int32)
    order = np.empty(similarity.shape, np.int32)
    exact = np.result_type(similarity, np.float16)  # bool and unsigned integers have no negative
    for row, values in enumerate(similarity):  # row by row: no (Q, G) temporary
        order[row] = mixed[np.argsort(-values[mixed].astype(exact, copy=False), kind="stable")]
    return order


def ranked_average_precisions(ranked: Booleans) -> npt.NDArray[np.float64]:
    """Average precision of each query: mean, over its relevant items, of the precision there.

    Args:
        ranked: ``(Q, G)``, whether the item at each rank is relevant.

    Returns:
        ``(Q,)`` in (0, 1].

    Raises:
        ValueError: if a query has no relevant item; its average precision is not defined.
    """
    # One entry per relevant item, row after row. In two dimensions NumPy takes thrice the time.
    rows, positions = np.divmod(np.flatnonzero(ranked), max(1, ranked.shape[1]))
    relevant = np.bincount(rows, minlength=len(ranked))  # (Q,)
    if not relevant.all():
        raise ValueError(f"{int((relevant == 0).sum())} queries have no relevant item")
    starts = np.cumsum(relevant) - relevant
    found = np.arange(1, len(rows) + 1) - starts[rows]
    totals = np.add.reduceat(found / (positions + 1.0), starts)
    return np.asarray(totals / relevant, np.float64)


def ranked_hits(ranked: Booleans, k: int) -> npt.NDArray[np.float64]:
    """Whether one of the first ``k`` items is relevant, ``(Q,)`` of 0 and 1."""
    return np.asarray(ranked[:, :k].any(axis=1), np.float64)


def ranked_precisions(ranked: Booleans, k: int) -> npt.NDArray[np.float64]:
    """Share of relevant items among the first ``k``, ``(Q,)`` in [0, 1]."""
    return np.asarray(ranked[:, :k].mean(axis=1), np.float64)


def true_first(scores: Floats) -> npt.NDArray[np.float64]:
    """Whether the true description scores highest, as R-precision asks.

    Where others score the same, it counts as the chance that a draw among the highest gives it.

    Args:
        scores: ``(Q, 1 + m)``, the true one in the first column.

    Returns:
        ``(Q,)`` in [0, 1].

    Raises:
        ValueError: if the score of a true description is not a number.
    """
    true = scores[:, :1]
    if np.isnan(true).any():
        raise ValueError("the score of a true description is not a number")
    ties = np.count_nonzero(scores == true, axis=1)  # the true one among them
    return np.where((scores > true).any(axis=1), 0.0, 1.0 / ties)


def measure_rankings(
    order: Rankings | Integers,
    query_classes: Integers,
    gallery_classes: Integers,
    measures: Mapping[str, RankedMeasure],
    *,
    asked: Integers | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Take measures of rankings, block by block.

    Args:
        order: ``(Q, G)``, from :func:`search` or :func:`rank`.
        query_classes: ``(Q,)``; an item is relevant to a query of its class.
        gallery_classes: ``(G,)``.
        measures: by name.
        asked: ``(n,)``, which queries; None = all.

    Returns:
        Per measure ``(n,)``.
    """
    asked = np.arange(len(query_classes)) if asked is None else asked
    values = {name: np.empty(len(asked)) for name in measures}
    for block in query_blocks(len(asked), order.shape[1]):
        rows = asked[block]
        ranked = gallery_classes[order[rows]] == query_classes[rows, None]  # (block, G)
        for name, measure in measures.items():
            values[name][block] = measure(ranked)
    return values


def chance_by_permutation(
    order: Rankings | Integers,
    query_classes: Integers,
    gallery_classes: Integers,
    measures: Mapping[str, RankedMeasure],
    *,
    permute: Literal["queries", "gallery", "both"],
    permutations: int,
    seed: int,
    groups: Integers | None = None,
    asked: Integers | None = None,
) -> dict[str, float]:
    """What measures give when the descriptions are dealt out anew, similarities unchanged.

    Args:
        order: ``(Q, G)``, from :func:`search` or :func:`rank`.
        query_classes: ``(Q,)``; an item is relevant to a query of its class.
        gallery_classes: ``(G,)``; more than ``order`` ranks where no query ranks itself.
        measures: by name.
        permute: which side the descriptions are on; both, by one permutation, where the items
            search each other: of the n of a class each then finds n - 1, and those that are alone
            are left out.
        permutations: number of random permutations.
        seed: of the permutations.
        groups: number of each item on the permuted side; items of one number are of one class and
            are dealt another together, since they are alike whatever describes them. None = each
            by itself.
        asked: ``(n,)``, which queries; None = all.

    Returns:
        Per measure, the mean over queries and permutations.

    Raises:
        ValueError: if ``permute`` names no side.
    """
    if permute not in ("queries", "gallery", "both"):
        raise ValueError(f"permute is {permute!r}, not queries, gallery or both")
    rng = np.random.default_rng(seed)
    query_classes, gallery_classes = _numbered(query_classes, gallery_classes)
    permuted = query_classes if permute == "queries" else gallery_classes
    if groups is None:
        groups = np.arange(len(permuted))
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    dealt = [rng.permutation(permuted[first])[members] for _ in range(permutations)]
    asked = np.arange(len(query_classes)) if asked is None else asked
    totals = {name: np.zeros(permutations) for name in measures}
    counts = np.zeros(permutations)
    for block in query_blocks(len(asked), order.shape[1]):
        rows = asked[block]
        ranking = order[rows]  # (block, G)
        for number, classes in enumerate(dealt):
            queries = query_classes if permute == "gallery" else classes
            gallery = gallery_classes if permute == "queries" else classes
            ranked = gallery.take(ranking) == queries[rows, None]
            if permute == "both":
                ranked = ranked[ranked.any(axis=1)]
            counts[number] += len(ranked)
            for name, measure in measures.items():
                totals[name][number] += measure(ranked).sum()
    return {name: float((total / counts).mean()) for name, total in totals.items()}


def _numbered(queries: Integers, gallery: Integers) -> list[npt.NDArray[np.int32]]:
    # All permutations are held at once, and looked up for every pair: in half the bytes.
    _, numbers = np.unique(np.concatenate([queries, gallery]), return_inverse=True)
    return np.split(numbers.astype(np.int32), [len(queries)])
