"""Scores against mteb's own, computed by mteb from its own run format, and average precision by hand."""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
import pytest
from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores, make_score_dict

from mteb_hybrid.evaluation.ranking import Relevance, rank
from mteb_hybrid.evaluation.retrieval_metrics import average_precision, retrieval_scores

Matrix = np.ndarray[Any, Any]
Qrels = dict[str, dict[str, int]]
K = (1, 3, 5, 10, 20, 100, 1000)
SIZES = [  # queries, passages, the most relevant passages of a query
    pytest.param(40, 1300, 1, id="one relevant"),
    pytest.param(40, 1300, 5, id="several relevant"),
    pytest.param(30, 1100, 30, id="more relevant than many cut-offs"),
    pytest.param(30, 400, 3, id="fewer than 1000 passages"),
    pytest.param(30, 12, 3, id="fewer than 20 passages"),
    pytest.param(1, 60, 2, id="one query"),
    pytest.param(1, 1, 1, id="one query and one passage"),
    pytest.param(2, 1000, 1, id="just 1000 passages"),
]
KINDS = ["floats", "doubles", "whole numbers", "constant", "negative"]


def similarities(kind: str, shape: tuple[int, int]) -> Matrix:
    rng = np.random.default_rng(sum(shape))
    match kind:
        case "floats":
            return rng.normal(size=shape).astype(np.float32)
        case "doubles":
            return rng.normal(size=shape)
        case "whole numbers":
            return rng.integers(0, 12, shape).astype(np.float32)
        case "negative":
            return -rng.integers(1, 5, shape).astype(np.float64)
    return np.full(shape, 0.1, np.float32)


def qrels_of(queries: int, passages: int, most: int) -> tuple[Qrels, list[str]]:
    rng = np.random.default_rng(queries)
    ids = [f"{rng.choice(['de', 'en', 'zh'])}-{row:03d}" for row in range(passages)]
    counts = rng.integers(1, min(most, passages) + 1, queries)
    chosen = [rng.choice(passages, count, replace=False) for count in counts]
    return {f"q{row}": {ids[passage]: 1 for passage in members} for row, members in enumerate(chosen)}, ids


def mteb_scores(scores: Matrix, qrels: Qrels, ids: list[str]) -> dict[str, float]:
    """What mteb reports: a run of the first 1000, in the order of mteb's heap, scored by mteb."""
    run: dict[str, dict[str, float]] = {}
    for query, row in zip(qrels, scores.tolist(), strict=True):
        found = [(score, id_) for score, id_ in zip(row, ids, strict=True) if score > -np.inf]
        heap: list[tuple[float, str]] = []
        for item in sorted(found, reverse=True)[:1000]:
            heapq.heappush(heap, item)
        run[query] = {id_: score for score, id_ in heap}
    _, ndcg, map_, recall, precision, naucs, mrr, naucs_mrr, hit_rate = calculate_retrieval_scores(run, qrels, K)
    made: dict[str, float] = make_score_dict(
        ndcg=ndcg,
        _map=map_,
        recall=recall,
        precision=precision,
        mrr=mrr,
        naucs=naucs,
        naucs_mrr=naucs_mrr,
        hit_rate=hit_rate,
        task_scores={},
    )
    return made


def our_scores(scores: Matrix, qrels: Qrels, ids: list[str]) -> dict[str, float]:
    return retrieval_scores(rank(scores, Relevance.from_qrels(qrels, list(qrels), ids), depth=0), K)


def assert_equal_to_mteb(scores: Matrix, qrels: Qrels, ids: list[str]) -> None:
    ours, theirs = our_scores(scores, qrels, ids), mteb_scores(scores, qrels, ids)
    assert set(ours) == {*theirs, "map"}
    different = {
        name: (ours[name], value)
        for name, value in theirs.items()
        if not (abs(ours[name] - value) <= 1e-9 or (math.isnan(ours[name]) and math.isnan(value)))
    }
    assert not different


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning:mteb.*")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("queries", "passages", "most"), SIZES)
def test_every_score_equals_mteb(kind: str, queries: int, passages: int, most: int) -> None:
    qrels, ids = qrels_of(queries, passages, most)
    assert_equal_to_mteb(similarities(kind, (queries, passages)), qrels, ids)


@pytest.mark.parametrize("kind", ["floats", "whole numbers"])
@pytest.mark.parametrize("returned", [3, 50, 1050])
def test_every_score_equals_mteb_when_a_search_model_returned_only_some(kind: str, returned: int) -> None:
    qrels, ids = qrels_of(30, 1200, 4)
    scores = similarities(kind, (30, 1200)).astype(np.float64)
    rng = np.random.default_rng(1)
    for query, row in zip(qrels, scores, strict=True):
        row[[ids.index(id_) for id_ in qrels[query]][:1]] += 3  # so that some relevant ones are found
        kept = rng.integers(1, returned + 1)
        row[np.argsort(-row)[kept:]] = -np.inf
    assert our_scores(scores, qrels, ids)["recall_at_100"] > 0
    assert_equal_to_mteb(scores, qrels, ids)


def test_every_score_equals_mteb_when_nothing_was_found_for_a_query() -> None:
    qrels, ids = qrels_of(6, 30, 2)
    scores = similarities("doubles", (6, 30))
    scores[2] = -np.inf
    assert_equal_to_mteb(scores, qrels, ids)


def average_precision_at(ranks: list[int], passages: int, *, not_retrieved: int = 0) -> float:
    """Average precision of one query whose relevant passages stand at these ranks, out of so many passages."""
    scores = -np.arange(1.0, passages + 1)[None]
    scores[0, passages - not_retrieved :] = -np.inf
    relevance = Relevance(np.array([[place - 1 for place in ranks]]), [f"{row:05d}" for row in range(passages)])
    return float(average_precision(rank(scores, relevance, depth=0))[0])


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1], 1),
        ([4], 1 / 4),
        ([1, 2, 3], 1),
        ([1, 3], (1 + 2 / 3) / 2),
        ([3, 1], (1 + 2 / 3) / 2),
        ([2, 5, 10], (1 / 2 + 2 / 5 + 3 / 10) / 3),
        ([1, 1500], (1 + 2 / 1500) / 2),
        ([2000], 1 / 2000),
    ],
)
def test_average_precision_by_hand_over_the_whole_ranking(ranks: list[int], expected: float) -> None:
    assert average_precision_at(ranks, 2000) == pytest.approx(expected, abs=1e-15)


def test_relevant_passages_that_were_not_retrieved_add_nothing() -> None:
    assert average_precision_at([1, 9, 10], 10, not_retrieved=2) == pytest.approx(1 / 3)
    assert average_precision_at([9], 10, not_retrieved=2) == 0


def test_map_is_the_mean_of_the_queries_and_unlike_map_at_1000_sees_every_rank() -> None:
    scores = -np.arange(1.0, 1201)[None].repeat(2, axis=0)
    ids = [f"{row:04d}" for row in range(1200)]
    found = our_scores(scores, {"q1": {"0001": 1}, "q2": {"1199": 1, "0000": 1}}, ids)
    assert found["map"] == pytest.approx((1 / 2 + (1 + 2 / 1200) / 2) / 2, abs=1e-15)
    assert found["map_at_1000"] == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_a_query_with_fewer_relevant_passages_than_another_is_not_thinned_by_padding() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    relevance = Relevance(np.array([[0, 1, 2], [1, -1, -1]]), "cba")
    assert average_precision(rank(scores, relevance, depth=0)).tolist() == [1.0, 0.5]
