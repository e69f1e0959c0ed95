"""Ranks against a ranking that is sorted in full, as trec_eval sorts it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mteb._evaluators.retrieval_metrics import confidence_scores

from mteb_hybrid.evaluation import ranking as ranking_module
from mteb_hybrid.evaluation.ranking import Ranking, Relevance, concatenate, rank

Matrix = np.ndarray[Any, Any]

NEAR_ONE = [1.0, 1 + 1e-12, 1 + 2e-12, 1 - 1e-12, 2.0]  # doubles that single precision cannot tell from 1, and 2
TIES = st.sampled_from([-1.0, 0.0, 1.0])
KINDS: dict[str, tuple[Any, st.SearchStrategy[float]]] = {
    "ties": (np.float32, TIES),
    "not retrieved": (np.float64, TIES | st.just(-np.inf)),
    "floats": (np.float32, st.floats(-8, 8, width=32)),
    "half precision": (np.float16, st.floats(-2, 2, width=16)),
    "doubles": (np.float64, st.floats(-8, 8)),
    "near ties": (np.float64, st.sampled_from(NEAR_ONE)),
}


@st.composite
def problems(draw: st.DrawFn, kind: str) -> tuple[Matrix, Relevance]:
    """Similarities and which passages are relevant: any number of them, none for some queries."""
    dtype, elements = KINDS[kind]
    queries, passages = draw(st.integers(1, 6)), draw(st.integers(1, 14))
    scores = draw(hnp.arrays(dtype, (queries, passages), elements=elements))
    ids = draw(st.lists(st.text("a1-é中", min_size=1, max_size=3), min_size=passages, max_size=passages, unique=True))
    grades = st.dictionaries(st.sampled_from(ids), st.integers(0, 2))
    qrels = {f"q{row}": draw(grades) for row in range(queries)}
    return scores, Relevance.from_qrels(qrels, list(qrels), ids)


def sorted_rows(scores: Matrix, ids: Any) -> list[int]:
    """The whole ranking of one query."""
    return sorted(range(len(ids)), key=lambda row: (scores[row], ids[row]), reverse=True)


def assert_ranked_as_sorted(scores: Matrix, relevance: Relevance, ranking: Ranking, depth: int) -> None:
    for query, row in enumerate(scores):
        order = sorted_rows(row.astype(np.float32), relevance.ids)
        in_full = sorted_rows(row, relevance.ids)
        relevant = {int(passage) for passage in relevance.passages[query] if passage >= 0}
        places = [place for place, passage in enumerate(order) if passage in relevant]
        padding = relevance.passages.shape[1] - len(places)
        assert ranking.ranks[query].tolist() == [place + 1 for place in places] + [0] * padding
        assert ranking.passages[query].tolist() == [order[place] for place in places] + [-1] * padding
        retrieved = [bool(row[order[place]] > -np.inf) for place in places]
        assert ranking.retrieved[query].tolist() == retrieved + [False] * padding
        first = [in_full.index(passage) + 1 for passage in relevant if row[passage] > -np.inf]
        assert ranking.first_rank[query] == min(first, default=0)
        assert ranking.top[query].tolist() == order[:depth]
        assert ranking.top_scores[query].tolist() == row[order[:depth]].tolist()
        assert ranking.counts[query] == (relevance.passages[query] >= 0).sum() == len(relevant)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(data=st.data(), depth=st.integers(0, 16), at_once=st.sampled_from([1, 30, 2**20]))
def test_ranks_are_those_of_a_full_sort(kind: str, data: st.DataObject, depth: int, at_once: int) -> None:
    scores, relevance = data.draw(problems(kind))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_module, "_SCORES_AT_ONCE", at_once)
        ranking = rank(scores, relevance, depth=depth)
    assert_ranked_as_sorted(scores, relevance, ranking, depth)
    assert ranking.top.shape == (len(scores), min(depth, scores.shape[1]))


def test_equal_similarities_put_the_greater_id_first() -> None:
    ids = ("de-1", "zh-1", "de-10", "en-1")
    ranking = rank(np.zeros((1, 4), np.float32), Relevance(np.array([[0, 1, 2, 3]]), ids), depth=4)
    assert [ids[row] for row in ranking.top[0]] == ["zh-1", "en-1", "de-10", "de-1"]
    assert ranking.passages.tolist() == ranking.top.tolist()
    assert ranking.ranks.tolist() == [[1, 2, 3, 4]]


def test_doubles_tie_in_single_precision_but_not_for_the_reciprocal_rank() -> None:
    relevant_is_ahead = np.array([[1 + 1e-12, 1.0]])
    ranking = rank(relevant_is_ahead, Relevance(np.array([[0]]), ("a", "b")), depth=0)
    assert ranking.ranks.tolist() == [[2]]
    assert ranking.first_rank.tolist() == [1]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_was_not_retrieved_stands_behind_and_is_no_first() -> None:
    scores = np.array([[-np.inf, -3.0, -np.inf], [-np.inf, -np.inf, -np.inf]])
    ranking = rank(scores, Relevance(np.array([[0, 1], [2, -1]]), ("a", "b", "c")), depth=2)
    assert ranking.ranks.tolist() == [[1, 3], [1, 0]]
    assert ranking.retrieved.tolist() == [[True, False], [False, False]]
    assert ranking.first_rank.tolist() == [1, 0]
    assert ranking.confidence.tolist() == [[-3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_similarity_that_overflowed_is_retrieved() -> None:
    ranking = rank(np.array([[np.inf, 1.0, 2.0]], np.float32), Relevance(np.array([[0]]), "abc"), depth=0)
    assert ranking.ranks.tolist() == [[1]]
    assert ranking.retrieved.tolist() == [[True]]
    assert ranking.first_rank.tolist() == [1]


def test_parts_in_threads_give_the_same_as_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (101, 50)).astype(np.float64)
    relevance = Relevance(np.stack([rng.permutation(50)[:4] for _ in scores]), [f"{row:02d}" for row in range(50)])
    whole = rank(scores, relevance, depth=7)
    monkeypatch.setattr(ranking_module, "_SCORES_AT_ONCE", 150)
    parts = rank(scores, relevance, depth=7)
    for field in fields(Ranking):
        np.testing.assert_array_equal(getattr(parts, field.name), getattr(whole, field.name), err_msg=field.name)


def test_rankings_of_consecutive_queries_are_joined() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 3.0, 1.0]])
    passages = np.array([[0], [0], [2]])
    parts = [rank(scores[s], Relevance(passages[s], "abc"), depth=2) for s in (slice(0, 1), slice(1, 3))]
    whole = rank(scores, Relevance(passages, "abc"), depth=2)
    joined = concatenate(parts)
    assert joined.ranks.tolist() == [[3], [1], [3]]
    for field in fields(Ranking):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(whole, field.name), err_msg=field.name)


@pytest.mark.parametrize("passages", [1, 2, 30, 1100])
def test_confidence_is_that_of_the_first_1000(passages: int) -> None:
    scores = np.random.default_rng(passages).normal(size=(3, passages)).astype(np.float32)
    ranking = rank(scores, Relevance(np.zeros((3, 1), np.int64), [str(row) for row in range(passages)]), depth=0)
    for row, confidence in zip(scores, ranking.confidence, strict=True):
        expected = confidence_scores(sorted(row.tolist(), reverse=True)[:1000])
        assert confidence == pytest.approx(list(expected.values()), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 2])
def test_a_similarity_that_is_not_a_number_is_refused(dtype: Any, place: int) -> None:
    scores = np.array([[1, 2, 3], [1, 2, 3]], dtype=dtype)
    scores[1, place] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        rank(scores, Relevance(np.array([[0], [0]]), "abc"), depth=1)


def test_no_passages_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to rank"):
        rank(np.empty((2, 0)), Relevance(np.full((2, 1), -1), ()), depth=1)


def test_relevance_of_qrels_is_padded_at_the_end_and_leaves_out_grade_0() -> None:
    qrels = {"q2": {"a": 1, "c": 2}, "q1": {"b": 1, "a": 0}, "q3": {"a": 0}}
    relevance = Relevance.from_qrels(qrels, ["q1", "q2", "q3"], ["a", "b", "c"])
    assert relevance.passages.tolist() == [[1, -1], [0, 2], [-1, -1]]
    assert (relevance.passages >= 0).sum(axis=1).tolist() == [1, 2, 0]
    assert relevance.precedence.tolist() == [2, 1, 0]
