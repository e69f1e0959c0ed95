"""Exact ranks from similarities that come a block of passages at a time, and are never all there.

The blocks come twice. First the similarities of each query's relevant passages are noted; then, in every block, what
ranks ahead of them is counted, and the best-ranked passages are kept. Both times a similarity must be the same to the
last bit: only then is a passage told from what ties with it. Ranks and ties are those of ``evaluation.ranking``.
"""

from __future__ import annotations

import numpy as np

from mteb_hybrid.evaluation.ranking import CONFIDENCE_DEPTH, Floats, Ints, Ranking, Sought, arrange, confidence_of


class StreamedRanking:
    """The ranking of some queries, while the similarities to the passages come in.

    Args:
        relevant: passage numbers, shape (queries, most relevant passages of a query), padded with -1 at the end.
        order: the place of each passage among equal similarities, as ``tie_order`` gives it, shape (passages,).
        depth: how many of the best-ranked passages to name.
    """

    def __init__(self, relevant: Ints, order: Ints, depth: int) -> None:
        self._relevant, self._order = relevant, order
        self._own = np.full(relevant.shape, np.nan, np.float32)
        self._places = np.where(relevant >= 0, order[np.maximum(relevant, 0)], -1)
        self._ahead = np.zeros(relevant.shape, np.int64)
        self._depth = min(depth, len(order))
        self._best = BestRanked(len(relevant), max(self._depth, min(CONFIDENCE_DEPTH, len(order))), order)

    def __len__(self) -> int:
        return len(self._relevant)

    def note(self, start: int, scores: Floats) -> None:
        """Note the similarities of relevant passages: the first time of a block.

        Args:
            start: the number of the block's first passage.
            scores: similarities in single precision, shape (queries, passages of the block).
        """
        rows, columns = np.nonzero(self._inside(start, scores.shape[1]))
        self._own[rows, columns] = scores[rows, self._relevant[rows, columns] - start]

    def count(self, start: int, scores: Floats) -> None:
        """Count what is ahead of relevant passages, and keep what is best: the second time of a block.

        Args:
            start: as for ``note``.
            scores: as for ``note``, and the same.

        Raises:
            ValueError: a similarity is not a number.
        """
        ascending = np.sort(scores, axis=1)
        if np.isnan(ascending[:, -1]).any():  # numpy sorts NaN to the end
            raise ValueError("a similarity is not a number (NaN)")
        stop = start + scores.shape[1]
        inside = self._inside(start, scores.shape[1])
        self._ahead += Sought(self._own, self._places).ahead(scores, ascending, self._order[start:stop], inside)
        self._best.add(start, scores, ascending[:, -1])

    def ranking(self) -> Ranking:
        """The ranking, when every block has come twice."""
        found = self._relevant >= 0
        ranks = np.where(found, self._ahead + 1, 0)
        passages, scores = self._best.sorted()
        return arrange(
            ranks,
            self._relevant,
            found & (self._own > -np.inf),
            ranks,
            top=passages[:, : self._depth],
            top_scores=scores[:, : self._depth],
            confidence=confidence_of(np.ascontiguousarray(scores[:, ::-1])),
        )

    def _inside(self, start: int, passages: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return (self._relevant >= start) & (self._relevant < start + passages)


class BestRanked:
    """The best-ranked passages of some queries so far.

    What may be among them is put behind them, and they are chosen anew when there is no more room: of passages in any
    order, each query chooses some fifteen times in ten million.

    Args:
        queries: how many.
        depth: how many passages of each, at most those there are.
        order: the place of each passage among equal similarities.
    """

    def __init__(self, queries: int, depth: int, order: Ints) -> None:
        self._order, self._depth = order, depth
        self._scores = np.empty((queries, 2 * depth), np.float32)
        self._passages = np.empty((queries, 2 * depth), np.int64)
        self._filled = np.zeros(queries, np.int64)
        self._least = np.full(queries, -np.inf, np.float32)

    def add(self, start: int, scores: Floats, highest: Floats) -> None:
        """Add a block.

        Args:
            start: the number of its first passage.
            scores: similarities, shape (queries, passages of the block).
            highest: the highest of each query, shape (queries,).
        """
        for query in np.flatnonzero(highest >= self._least).tolist():
            found = np.flatnonzero(scores[query] >= self._least[query])
            filled = self._filled[query]
            if filled + len(found) <= self._scores.shape[1]:
                self._scores[query, filled : filled + len(found)] = scores[query, found]
                self._passages[query, filled : filled + len(found)] = found + start
                self._filled[query] += len(found)
            else:
                self._choose(query, scores[query, found], found + start)

    def sorted(self) -> tuple[Ints, Floats]:
        """The best-ranked passages, the best first, and their similarities; shapes (queries, depth)."""
        passages = np.empty((len(self._filled), self._depth), np.int64)
        scores = np.empty((len(self._filled), self._depth), np.float32)
        for query, filled in enumerate(self._filled):
            chosen = self._best(self._scores[query, :filled], self._passages[query, :filled])
            passages[query], scores[query] = self._passages[query, chosen], self._scores[query, chosen]
        return passages, scores

    def _choose(self, query: int, scores: Floats, passages: Ints) -> None:
        filled = self._filled[query]
        every = np.concatenate([self._scores[query, :filled], scores])
        numbers = np.concatenate([self._passages[query, :filled], passages])
        chosen = self._best(every, numbers)
        self._scores[query, : self._depth], self._passages[query, : self._depth] = every[chosen], numbers[chosen]
        self._filled[query] = self._depth
        self._least[query] = every[chosen[-1]]

    def _best(self, scores: Floats, passages: Ints) -> Ints:
        """Where the best-ranked are, the best first; the place among equals is looked up of equals alone."""
        least = np.partition(scores, len(scores) - self._depth)[len(scores) - self._depth]
        at = np.flatnonzero(scores >= least)
        at = at[np.argsort(-scores[at], kind="stable")]
        equal = scores[at[1:]] == scores[at[:-1]]
        tied = np.concatenate([[False], equal]) | np.concatenate([equal, [False]])
        if tied.any():
            places = np.zeros(len(at), np.int64)
            places[tied] = self._order[passages[at[tied]]]
            at = at[np.lexsort((places, -scores[at]))]
        chosen: Ints = at[: self._depth]
        return chosen
