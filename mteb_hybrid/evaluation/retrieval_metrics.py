"""The metrics mteb reports for retrieval, under its names and equal to its figures, and unbounded MAP.

mteb scores each query with trec_eval and rounds most means to five decimals; both are reproduced. Given the ranks
of the relevant passages everything is a few array operations over all queries and cut-offs at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mteb_hybrid.evaluation.ranking import Floats, Ranking

_CONFIDENCES = ("max", "std", "diff1")
_ABSTENTION_RATES = np.linspace(0, 1, 11)[:-1]


def average_precision(ranking: Ranking) -> Floats:
    """Average precision of each query over the whole ranking: (1/R) * sum_k k / r_k (PROTOCOL section 3).

    A relevant passage that was not retrieved adds nothing.

    Returns:
        Shape (queries,), in [0, 1].
    """
    total: Floats = (_precision_at_relevant(ranking) * ranking.retrieved).sum(axis=1)
    return total / _counts(ranking)


def retrieval_scores(ranking: Ranking, k_values: Sequence[int], *, abstention: bool = True) -> dict[str, float]:
    """All scores mteb reports for a retrieval task, and ``map``, the unbounded mean average precision.

    Args:
        ranking: where the relevant passages of each query stand.
        k_values: the cut-offs; 1 among them.
        abstention: whether to report the nAUC scores, which are more than half of them.

    Returns:
        Score name to value; the nAUC scores may be NaN, as in mteb, when all queries score the same.
    """
    per_query = _at_cut_offs(ranking, k_values)
    means = {f"{metric}_at_{k}": _mean(values) for (metric, k), values in per_query.items()}
    rounded = {name: value if name.startswith("mrr") else round(value, 5) for name, value in means.items()}
    curves = {key: values for key, values in per_query.items() if key[0] != "hit_rate"}
    return {
        **rounded,
        "accuracy": rounded["recall_at_1"],
        **(_abstention(curves, ranking.confidence) if abstention else {}),
        "map": _mean(average_precision(ranking)),
    }


def _mean(values: Floats) -> float:
    # by Python's sum, as in mteb (from 3.12 it adds more exactly): the five-decimal rounding then falls the same way
    added: float = sum(values.tolist())
    return added / len(values)


def _counts(ranking: Ranking) -> Floats:
    return np.maximum(ranking.counts, 1).astype(np.float64)


def _precision_at_relevant(ranking: Ranking) -> Floats:
    """k / r_k for the k-th best relevant passage of each query, 0 in the padding."""
    places = np.arange(1, ranking.ranks.shape[1] + 1)
    return np.where(ranking.ranks > 0, places / np.maximum(ranking.ranks, 1), 0.0)


def _at_cut_offs(ranking: Ranking, k_values: Sequence[int]) -> dict[tuple[str, int], Floats]:
    """Per-query values, keyed by metric and cut-off, in the order in which mteb reports them."""
    counts = _counts(ranking)
    gains = np.where(ranking.ranks > 0, 1 / np.log2(np.maximum(ranking.ranks, 1) + 1), 0.0)
    most = ranking.ranks.shape[1]
    ideal = np.concatenate([[0.0], np.add.accumulate(1 / np.log2(np.arange(most) + 2))])
    precisions = _precision_at_relevant(ranking)
    values: dict[tuple[str, int], Floats] = {}
    for k in k_values:
        within = ranking.retrieved & (ranking.ranks <= k)
        hits = within.sum(axis=1)
        best = ideal[np.minimum(ranking.counts, k)]
        found = (ranking.first_rank > 0) & (ranking.first_rank <= k)
        values["ndcg", k] = _in_order(gains * within) / np.where(best > 0, best, 1.0)
        values["map", k] = _in_order(precisions * within) / counts
        values["recall", k] = hits / counts
        values["precision", k] = hits / k
        values["mrr", k] = np.where(found, 1 / np.maximum(ranking.first_rank, 1), 0.0)
        values["hit_rate", k] = (hits > 0).astype(np.float64)
    metrics = ("ndcg", "map", "recall", "precision", "mrr", "hit_rate")
    return {(metric, k): values[metric, k] for metric in metrics for k in k_values}


def _in_order(values: Floats) -> Floats:
    """Row sums, added from left to right as trec_eval does."""
    return np.add.accumulate(values, axis=1)[:, -1]


def _abstention(curves: dict[tuple[str, int], Floats], confidence: Floats) -> dict[str, float]:
    """Normalised area under the abstention curve of each metric and confidence (arXiv 2402.12997)."""
    metrics = np.stack(list(curves.values()))
    oracle = _abstention_curve(np.concatenate([_mean_of_ties(np.sort(row)[None], np.sort(row)) for row in metrics]))
    areas = []
    for column in confidence.T:
        order = np.argsort(column, kind="stable")
        areas.append(
            _normalised_area(_abstention_curve(_mean_of_ties(np.take(metrics, order, axis=1), column[order])), oracle)
        )
    return {
        f"nauc_{metric}_at_{k}_{name}": float(area[row])
        for row, (metric, k) in enumerate(curves)
        for name, area in zip(_CONFIDENCES, areas, strict=True)
    }


def _mean_of_ties(metrics: Floats, confidence: Floats) -> Floats:
    """Give equally confident queries their mean metric.

    Args:
        metrics: one row a metric, queries in ascending confidence; shape (metrics, queries).
        confidence: the queries' confidence, ascending.
    """
    starts = np.flatnonzero(np.r_[True, confidence[1:] != confidence[:-1]])
    if len(starts) == len(confidence):
        return metrics
    sizes = np.diff(np.r_[starts, len(confidence)])
    means: Floats = np.repeat(np.add.reduceat(metrics, starts, axis=1) / sizes, sizes, axis=1)
    return means


def _abstention_curve(metrics: Floats) -> Floats:
    """Mean metric when the least confident share of the queries is left out, at each abstention rate.

    Returns:
        Shape (metrics, abstention rates).
    """
    queries = metrics.shape[1]
    kept = [min(round(rate * queries), queries - 1) for rate in _ABSTENTION_RATES]
    return np.stack([metrics[:, first:].mean(axis=1) for first in kept], axis=1)


def _normalised_area(curves: Floats, oracle: Floats) -> Floats:
    """Scale each curve's area so that no use of confidence is 0 and the oracle is 1; NaN where they agree."""
    flat = oracle[:, 0] * (_ABSTENTION_RATES[-1] - _ABSTENTION_RATES[0])
    best = np.trapezoid(oracle, _ABSTENTION_RATES, axis=1)
    area = np.trapezoid(curves, _ABSTENTION_RATES, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(best == flat, np.nan, (area - flat) / (best - flat))
