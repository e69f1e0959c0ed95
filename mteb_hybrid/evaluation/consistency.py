"""Consistency: whether the language a question is asked in changes what is found (PROTOCOL section 3, ``mrc_at_k``).

All language versions of a question are ranked side by side, a block of questions at a time, so that no similarity is
computed twice and memory is bounded; pairs of languages cost a few comparisons each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

from mteb_hybrid.data.collection import TextTable
from mteb_hybrid.evaluation.dense import SIMILARITIES_AT_ONCE, DenseScorer
from mteb_hybrid.evaluation.encodings import join, take_rows
from mteb_hybrid.evaluation.ranking import Bools, Floats, Ints, best_ranked, tie_order

CONSISTENCY_DEPTHS = (10, 20)

_PAIRS_AT_ONCE = 2**12


@dataclass(frozen=True)
class QueryConsistency:
    """How consistent the queries of one language are with their versions in the others.

    Attributes:
        row_of: the row of each query id.
        scores: ``mrc_at_k`` to values, shape (queries,).
    """

    row_of: Mapping[str, int]
    scores: Mapping[str, Floats]


def query_consistency(
    scorer: DenseScorer,
    tables: Mapping[str, TextTable],
    queries: Sequence[Any],
    passage_ids: Sequence[str],
    corpus: Any,
) -> dict[str, QueryConsistency]:
    """The consistency of all queries of a collection over its pool.

    Args:
        scorer: gives similarities.
        tables: the queries of each language.
        queries: their embeddings, an array a language.
        passage_ids: the ids of the pool, which decide ties.
        corpus: its embeddings.

    Returns:
        Language to the consistency of its queries.
    """
    every = reduce(join, queries)
    values = mean_rank_correlation(
        lambda rows: scorer.similarity(take_rows(every, rows.tolist()), corpus),
        [(group, language) for language, table in tables.items() for (group,) in table.groups],
        tie_order(passage_ids),
        rows_at_once=max(1, SIMILARITIES_AT_ONCE // 4 // len(passage_ids)),  # they are copied while the best are found
    )
    consistency: dict[str, QueryConsistency] = {}
    start = 0
    for language, table in tables.items():
        rows = slice(start, start + len(table))
        row_of = {id_: row for row, id_ in enumerate(table.ids)}
        consistency[language] = QueryConsistency(row_of, {name: column[rows] for name, column in values.items()})
        start = rows.stop
    return consistency


def mean_rank_correlation(
    similarities: Callable[[Ints], Floats],
    versions: Sequence[tuple[str, str]],
    precedence: Ints,
    *,
    rows_at_once: int,
    depths: Sequence[int] = CONSISTENCY_DEPTHS,
) -> dict[str, Floats]:
    """How alike the language versions of a question rank the pool (arXiv 2509.06195).

    For two versions: Spearman's correlation of their similarities over the union of their best k passages. A version's
    value is the mean over the other languages, within which it is the mean over the versions that there are.

    Args:
        similarities: gives the similarities of some queries, by their numbers, to the whole pool: shape (queries asked
            for, passages).
        versions: the question that each query is a version of, and its language.
        precedence: the place of each passage among equal similarities.
        rows_at_once: queries to have similarities of at a time; more if a question has more versions.
        depths: the k.

    Returns:
        ``mrc_at_k`` to values in [-1, 1], shape (queries,); higher is more consistent. NaN for a query without a
        version in another language, or whose similarities to all those passages are equal.
    """
    depth = max(depths)
    totals = {k: np.zeros(len(versions)) for k in depths}
    counts = {k: np.zeros(len(versions)) for k in depths}
    alike = Counter(versions)
    shares = np.array([1 / alike[version] for version in versions])
    languages = np.unique([language for _, language in versions], return_inverse=True)[1]
    for members in _blocks(versions, rows_at_once):
        rows = np.concatenate([np.array(each) for each in members])
        scores = similarities(rows)
        best = best_ranked(scores, precedence, min(depth, scores.shape[1]))
        for every in _pairs(members):
            first, second = languages[rows[every.T]]
            pairs = every[first != second]
            for k in depths:
                values = _correlations(scores, best[:, :k], pairs)
                defined = ~np.isnan(values)
                one, other = rows[pairs[defined].T]
                for side, weights in ((one, shares[other]), (other, shares[one])):
                    np.add.at(totals[k], side, values[defined] * weights)
                    np.add.at(counts[k], side, weights)
    with np.errstate(invalid="ignore"):
        return {f"mrc_at_{k}": totals[k] / counts[k] for k in depths}


def _blocks(versions: Sequence[tuple[str, str]], rows_at_once: int) -> Iterator[list[list[int]]]:
    """The questions in several languages, as the numbers of their versions, so many versions at a time."""
    rows: dict[str, list[int]] = {}
    for row, (group, _) in enumerate(versions):
        rows.setdefault(group, []).append(row)
    block: list[list[int]] = []
    size = 0
    for members in rows.values():
        if len({versions[row] for row in members}) < 2:
            continue
        if block and size + len(members) > rows_at_once:
            yield block
            block, size = [], 0
        block.append(members)
        size += len(members)
    if block:
        yield block


def _pairs(members: Sequence[Sequence[int]]) -> Iterator[Ints]:
    """All pairs of versions of one question, as places in the block; shape (at most so many, 2)."""
    pairs: list[tuple[int, int]] = []
    start = 0
    for rows in members:
        pairs += combinations(range(start, start + len(rows)), 2)
        start += len(rows)
        while len(pairs) >= _PAIRS_AT_ONCE:
            yield np.array(pairs[:_PAIRS_AT_ONCE])
            pairs = pairs[_PAIRS_AT_ONCE:]
    if pairs:
        yield np.array(pairs)


def _correlations(scores: Floats, best: Ints, pairs: Ints) -> Floats:
    """Spearman's correlation of each pair of rows over the union of their best columns; NaN where a row is constant."""
    first, second = pairs.T
    columns = np.sort(np.concatenate([best[first], best[second]], axis=1), axis=1)
    counted = np.ones(columns.shape, dtype=bool)
    counted[:, 1:] = columns[:, 1:] != columns[:, :-1]  # what both have counts once
    ranks = [_midranks(scores[side[:, None], columns], counted) for side in (first, second)]
    sizes = counted.sum(axis=1, keepdims=True)
    a, b = (np.where(counted, values - values.sum(axis=1, keepdims=True) / sizes, 0.0) for values in ranks)
    with np.errstate(invalid="ignore"):
        correlation: Floats = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return correlation


def _midranks(values: Floats, counted: Bools) -> Floats:
    """Ranks from 1 among the counted values of a row, equal values at their mean rank; 0 where not counted."""
    known = np.where(counted, values, np.nan)  # sorted to the end, and equal to nothing
    order = np.argsort(known, axis=1)
    ascending = np.take_along_axis(known, order, axis=1)
    places = np.arange(1, values.shape[1] + 1)
    new = np.ones(values.shape, dtype=bool)
    new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    # of equal values the last stands before the next new one
    ends = np.where(np.roll(new, -1, axis=1) | (places == len(places)), places, len(places))
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2, axis=1)
    return np.where(counted, ranks, 0.0)


def subset_scores(of_queries: Mapping[str, Floats]) -> dict[str, float]:
    """The means over queries, of those that have a value; NaN if none has."""
    return {
        name: float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
        for name, values in of_queries.items()
    }
