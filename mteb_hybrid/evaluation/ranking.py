"""Exact ranks of the relevant passages over the whole pool, from a similarity matrix.

Ranks start at 1, higher similarity first. Equal similarities are ordered as trec_eval orders them: compared in
single precision, the passage with the greater id first. Nothing is cut off, and no ranking is ever built: a row of
similarities is sorted once, and the rank of a relevant passage is found in it by binary search.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

CONFIDENCE_DEPTH = 1000
"""mteb computes a query's confidence from its first 1000 passages, the depth of the runs it keeps."""

_SCORES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Relevance:
    """Which passages are relevant to which query, as a padded matrix.

    Attributes:
        passages: passage rows, shape (queries, most relevant passages of a query), padded with -1 at the end.
        ids: the id of every passage; it decides ties.
    """

    passages: Ints
    ids: Sequence[str]

    @classmethod
    def from_qrels(
        cls, qrels: Mapping[str, Mapping[str, int]], query_ids: Sequence[str], passage_ids: Sequence[str]
    ) -> Relevance:
        """Build it from mteb's qrels: query id to passage id to grade; a grade above 0 is relevant."""
        row_of = {id_: row for row, id_ in enumerate(passage_ids)}
        rows = [[row_of[p] for p, grade in qrels[q].items() if grade > 0] for q in query_ids]
        passages = np.full((len(rows), max(map(len, rows), default=0)), -1)
        for query, members in enumerate(rows):
            passages[query, : len(members)] = members
        return cls(passages, passage_ids)

    @cached_property
    def precedence(self) -> Ints:
        """As ``tie_order`` gives it."""
        return tie_order(self.ids)


def tie_order(ids: Sequence[str]) -> Ints:
    """The place of each passage among equal similarities: 0 for the greatest id."""
    order = sorted(range(len(ids)), key=lambda row: ids[row], reverse=True)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


@dataclass(frozen=True)
class Ranking:
    """Where each query's relevant passages stand, and what stands first.

    All arrays have one row a query. Padding is 0 in ``ranks`` and -1 in the passage rows.

    Attributes:
        ranks: the ranks of the relevant passages, ascending; shape (queries, most relevant).
        passages: the passage row at each of those ranks.
        retrieved: whether it was retrieved: a search model may return part of the pool, whose rest counts as
            tied behind it.
        first_rank: the best rank of a relevant passage with similarities compared in the model's own precision,
            as mteb does for the reciprocal rank; 0 if none was retrieved.
        top: passage rows of the best-ranked passages, shape (queries, depth asked for).
        top_scores: their similarities.
        confidence: mteb's three confidence scores (maximum, standard deviation and lead of the first over the
            second similarity, among the first 1000), shape (queries, 3).
    """

    ranks: Ints
    passages: Ints
    retrieved: Bools
    first_rank: Ints
    top: Ints
    top_scores: Floats
    confidence: Floats

    @property
    def counts(self) -> Ints:
        """How many passages are relevant to each query."""
        counts: Ints = (self.ranks > 0).sum(axis=1)
        return counts


def rank(scores: Floats, relevance: Relevance, *, depth: int, confidence: bool = True) -> Ranking:
    """Rank all passages for each query and say where the relevant ones stand.

    Args:
        scores: similarities, shape (queries, passages); -inf where a passage was not retrieved.
        relevance: which passages are relevant; one row for each row of ``scores``.
        depth: how many of the best-ranked passages to name.
        confidence: whether mteb's confidence scores are wanted; they are 0 otherwise.

    Returns:
        The ranking of every query, in the order of the rows.

    Raises:
        ValueError: a similarity is not a number, or there is no query or no passage.
    """
    if not scores.size:
        raise ValueError("there is nothing to rank")
    rows_at_once = max(1, _SCORES_AT_ONCE // scores.shape[1])
    starts = range(0, len(scores), rows_at_once)

    def part(start: int) -> Ranking:
        rows = slice(start, start + rows_at_once)
        return _rank_rows(scores[rows], relevance, relevance.passages[rows], depth, confidence)

    return concatenate(list(_in_threads(part, starts)))


def concatenate(parts: Sequence[Ranking]) -> Ranking:
    """Join rankings of consecutive queries over the same passages."""
    columns = (field.name for field in fields(Ranking))
    return Ranking(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns})


def _in_threads(work: Callable[[int], Ranking], starts: Sequence[int]) -> Iterator[Ranking]:
    # numpy releases the interpreter lock while it sorts and sums, so threads scale
    if len(starts) == 1:
        yield work(starts[0])
        return
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        yield from pool.map(work, starts)


def _rank_rows(scores: Floats, relevance: Relevance, passages: Ints, depth: int, confidence: bool) -> Ranking:
    single = scores.astype(np.float32, copy=False)
    ascending = np.sort(single, axis=1)
    if np.isnan(ascending[:, -1]).any():  # numpy sorts NaN to the end
        raise ValueError("a similarity is not a number (NaN)")
    ranks = _ranks(single, ascending, relevance, passages)
    precise = single is scores or scores.dtype.itemsize <= 4
    in_full = ascending if precise else np.sort(scores, axis=1)
    full_ranks = ranks if precise else _ranks(scores, in_full, relevance, passages)
    found = passages >= 0
    retrieved = found & (np.take_along_axis(single, np.maximum(passages, 0), axis=1) > -np.inf)
    thresholds = ascending[:, -min(depth, single.shape[1])] if depth else single[:, 0]
    top = _top(single, thresholds, relevance.precedence, min(depth, single.shape[1]))
    return arrange(
        ranks,
        passages,
        retrieved,
        full_ranks,
        top=top,
        top_scores=np.take_along_axis(scores, top, axis=1),
        confidence=confidence_of(in_full) if confidence else np.zeros((len(scores), 3)),
    )


def arrange(
    ranks: Ints,
    passages: Ints,
    retrieved: Bools,
    full_ranks: Ints,
    *,
    top: Ints,
    top_scores: Floats,
    confidence: Floats,
) -> Ranking:
    """Put the relevant passages of each query into the order of their ranks.

    Args:
        ranks: of the relevant passages, in any order, 0 where ``passages`` is -1; shape (queries, most relevant).
        passages: their rows, likewise.
        retrieved: whether they were retrieved, likewise.
        full_ranks: their ranks with similarities in the model's own precision, likewise.
        top: as in ``Ranking``.
        top_scores: likewise.
        confidence: likewise.
    """
    last = np.iinfo(np.int64).max
    order = np.argsort(np.where(passages >= 0, ranks, last), axis=1, kind="stable")
    first = np.where(retrieved, full_ranks, last).min(axis=1, initial=last)
    return Ranking(
        ranks=np.take_along_axis(ranks, order, axis=1),
        passages=np.take_along_axis(passages, order, axis=1),
        retrieved=np.take_along_axis(retrieved, order, axis=1),
        first_rank=np.where(retrieved.any(axis=1), first, 0),
        top=top,
        top_scores=top_scores,
        confidence=confidence,
    )


@dataclass(frozen=True)
class Sought:
    """Passages whose ranks are sought, some for each query; all arrays are of shape (queries, most relevant).

    Attributes:
        scores: their similarities; NaN in the padding.
        places: their places among equal similarities, as ``tie_order`` gives them.
    """

    scores: Floats
    places: Ints

    def ahead(self, scores: Floats, ascending: Floats, precedence: Ints, inside: Bools) -> Ints:
        """How many of some passages rank ahead of each of these.

        Args:
            scores: similarities of the passages, shape (queries, passages); none is NaN.
            ascending: the same, each row sorted.
            precedence: the passages' places among equal similarities, shape (passages,).
            inside: whether a passage sought is one of them.

        Returns:
            Their numbers; any number in the padding.
        """
        not_ahead = _not_ahead(ascending, self.scores)
        ahead: Ints = scores.shape[1] - not_ahead
        next_below = np.take_along_axis(ascending, np.maximum(not_ahead - 1 - inside, 0), axis=1)
        tied = (not_ahead > inside) & (next_below == self.scores)
        for row, place in np.argwhere(tied):  # equal similarities: the greater id first
            equal = np.flatnonzero(scores[row] == self.scores[row, place])
            ahead[row, place] += np.count_nonzero(precedence[equal] < self.places[row, place])
        return ahead


def _ranks(scores: Floats, ascending: Floats, relevance: Relevance, passages: Ints) -> Ints:
    """The rank of each relevant passage, 0 where ``passages`` is padding."""
    found, rows = passages >= 0, np.maximum(passages, 0)
    own = np.where(found, np.take_along_axis(scores, rows, axis=1), np.nan)
    ahead = Sought(own, relevance.precedence[rows]).ahead(scores, ascending, relevance.precedence, found)
    return np.where(found, ahead + 1, 0)


def _not_ahead(ascending: Floats, values: Floats) -> Ints:
    """How many entries of its row each value is not below: a binary search in all rows at once."""
    width = ascending.shape[1]
    flat, offsets = ascending.ravel(), np.arange(len(ascending))[:, None] * width
    low = np.zeros(values.shape, dtype=np.int64)
    high = np.full(values.shape, width)
    for _ in range(width.bit_length()):  # each step halves what is left, at most to nothing
        middle = (low + high) // 2
        probe = flat[offsets + np.minimum(middle, width - 1)]
        right = (probe <= values) & (low < high)
        low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
    return low


def best_ranked(scores: Floats, precedence: Ints, depth: int) -> Ints:
    """The passages that rank best for each query, ties broken as everywhere here.

    Args:
        scores: similarities, shape (queries, passages); none is NaN.
        precedence: as ``tie_order`` gives it.
        depth: how many passages, at most those there are.

    Returns:
        Their rows, best first, shape (queries, depth).
    """
    single = scores.astype(np.float32, copy=False)
    column = single.shape[1] - depth
    return _top(single, np.partition(single, column, axis=1)[:, column], precedence, depth)


def _top(scores: Floats, thresholds: Floats, precedence: Ints, depth: int) -> Ints:
    """The passage rows of the ``depth`` best-ranked passages, of which the last scores as ``thresholds`` say."""
    top = np.empty((len(scores), depth), dtype=np.int64)
    if not depth:
        return top
    for row, threshold in enumerate(thresholds):
        best = np.flatnonzero(scores[row] >= threshold)
        order = np.argsort(-scores[row, best], kind="stable")
        ranked = scores[row, best[order]]
        if (ranked[1:] == ranked[:-1]).any():
            order = np.lexsort((precedence[best], -scores[row, best]))
        top[row] = best[order[:depth]]
    return top


def confidence_of(ascending: Floats) -> Floats:
    """mteb's confidence scores of each query (arXiv 2402.12997).

    Args:
        ascending: similarities of each query, sorted; the last 1000 of a row are enough.

    Returns:
        Shape (queries, 3), as in ``Ranking``.
    """
    head = ascending[:, -CONFIDENCE_DEPTH:]
    confidence = np.zeros((len(head), 3))
    confidence[:, 0] = head[:, -1]
    # rows stay contiguous in memory, so that numpy sums them as it sums mteb's lists
    with np.errstate(invalid="ignore"):  # -inf is mended below
        confidence[:, 1] = np.take(head, _heap_order(head.shape[1]), axis=1).astype(np.float64, order="C").std(axis=1)
        if head.shape[1] > 1:
            confidence[:, 2] = head[:, -1].astype(np.float64) - head[:, -2]
    for row in np.flatnonzero(np.isneginf(head[:, 0])):  # a search model that returned only some passages
        returned = head[row][np.isfinite(head[row])].astype(np.float64)
        lead = returned[-1] - returned[-2] if len(returned) > 1 else 0.0
        confidence[row] = (returned[-1], returned.std(), lead) if len(returned) else 0.0
    return confidence


@lru_cache(maxsize=64)
def _heap_order(size: int) -> Ints:
    """The order in which mteb's heap of the best passages holds values that were sorted ascending.

    Sums in floating point depend on their order, and where all queries score alike mteb's nAUC divides one
    rounding error by another: only the very same order gives the same figure.
    """
    heap: list[int] = []
    for value in reversed(range(size)):  # mteb pushes the best first
        heapq.heappush(heap, value)
    return np.array(heap)
