"""Which passages are known to answer a query, so that they are no negatives of it, in whatever language.

Rows say the same if they share a group or a passage in any language; and whatever says the same as one of these does
too. A query is answered by the passages of all rows whose query it is, in any language, and by what says the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.mining.corpus import Numbers


class KnownPositives:
    """Tells for each row which passages answer its query. It takes some 20 bytes a row.

    Args:
        rows: how many there are.
        queries: a column of numbers of queries for each language, shape (rows,); -1 where a row has none.
        passages: the same of passages, and of groups.
    """

    def __init__(self, rows: int, queries: Iterable[Numbers], passages: Iterable[Numbers]) -> None:
        self._passages = join_rows(rows, passages)
        self._queries = join_rows(rows, queries)
        self._pairs = np.unique(self._keys(self._queries, self._passages))

    def meanings(self, numbers: Numbers, count: int) -> Numbers:
        """What each distinct passage of a language says: the same number, the same said, shape (count,).

        Args:
            numbers: of the passages by row, -1 for none.
            count: of distinct passages.
        """
        meanings = np.empty(count, np.int32)
        there = np.flatnonzero(numbers >= 0)
        meanings[numbers[there]] = self._passages[there]
        return meanings

    def answer(self, rows: NDArray[np.int64], meanings: Numbers) -> NDArray[np.bool_]:
        """Whether passages answer the queries of rows.

        Args:
            rows: shape (n,).
            meanings: of some passages for each, shape (n, k).
        """
        keys = self._keys(self._queries[rows][:, None], meanings)
        at = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        known: NDArray[np.bool_] = self._pairs[at] == keys
        return known

    def _keys(self, queries: Numbers, passages: Numbers) -> NDArray[np.int64]:
        return queries.astype(np.int64) * len(self._passages) + passages


def join_rows(rows: int, columns: Iterable[Numbers]) -> Numbers:
    """A number for each row, the same for rows that share a number in any column, or that one of these shares one with.

    Args:
        rows: how many there are.
        columns: each of shape (rows,); -1 is shared by nobody.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = np.arange(rows, dtype=np.int32)
    for column in columns:
        there = np.flatnonzero(column >= 0)
        first = np.empty(int(column.max(initial=-1)) + 1, np.int32)
        first[column[there[::-1]]] = joined[there[::-1]]  # the last that is written is the first row's
        one, other = joined[there], first[column[there]]
        apart = one != other
        if apart.any():
            edges = (one[apart], other[apart])
            graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(rows, rows))
            joined = connected_components(graph, directed=False)[1].astype(np.int32)[joined]
    return joined
