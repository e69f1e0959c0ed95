"""Ranks from blocks against a ranking that is sorted in full: any blocks, ties, several relevant passages, -inf."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mteb_hybrid.evaluation.ranking import Ranking, Relevance, rank
from mteb_hybrid.large import streaming
from mteb_hybrid.large.streaming import StreamedRanking

Matrix = np.ndarray[Any, Any]

KINDS: dict[str, st.SearchStrategy[float]] = {
    "ties": st.sampled_from([-1.0, 0.0, 1.0]),
    "not retrieved": st.sampled_from([-np.inf, 0.0, 1.0]),
    "signed zeros": st.sampled_from([-0.0, 0.0]),
    "floats": st.floats(-8, 8, width=32),
    "one apart": st.sampled_from([1.0, float(np.nextafter(np.float32(1), np.float32(2)))]),
}


@st.composite
def problems(draw: st.DrawFn, kind: str) -> tuple[Matrix, Relevance]:
    """Similarities and which passages are relevant: one or several to each query."""
    queries, passages = draw(st.integers(1, 5)), draw(st.integers(1, 30))
    scores = draw(hnp.arrays(np.float32, (queries, passages), elements=KINDS[kind]))
    for column in draw(st.lists(st.integers(0, passages - 1), max_size=3)):  # a passage that is there twice
        scores[:, column] = scores[:, draw(st.integers(0, passages - 1))]
    ids = draw(st.lists(st.text("a1-é中", min_size=1, max_size=3), min_size=passages, max_size=passages, unique=True))
    grades = st.dictionaries(st.sampled_from(ids), st.just(1), min_size=1)
    return scores, Relevance.from_qrels({f"q{row}": draw(grades) for row in range(queries)}, _names(queries), ids)


def _names(queries: int) -> list[str]:
    return [f"q{row}" for row in range(queries)]


def streamed(scores: Matrix, relevance: Relevance, depth: int, ends: list[int]) -> Ranking:
    """The ranking of blocks that end at some columns."""
    ranking = StreamedRanking(relevance.passages, relevance.precedence, depth)
    blocks = list(zip([0, *ends], [*ends, scores.shape[1]], strict=True))
    for use in (ranking.note, ranking.count):
        for start, stop in blocks:
            use(start, scores[:, start:stop])
    return ranking.ranking()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data(), depth=st.integers(0, 32), kept=st.sampled_from([1, 2, 7, 1000]))
def test_ranks_of_blocks_are_those_of_a_full_sort(kind: str, data: st.DataObject, depth: int, kept: int) -> None:
    scores, relevance = data.draw(problems(kind))
    cuts = st.sets(st.integers(1, scores.shape[1] - 1)) if scores.shape[1] > 1 else st.just(set[int]())
    ends = sorted(data.draw(cuts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "CONFIDENCE_DEPTH", kept)  # few are kept, so that they are chosen again and again
        ranking = streamed(scores, relevance, depth, ends)
    for query, row in enumerate(scores):
        order = sorted(range(len(row)), key=lambda at: (row[at], relevance.ids[at]), reverse=True)
        relevant = {int(passage) for passage in relevance.passages[query] if passage >= 0}
        places = [place for place, passage in enumerate(order) if passage in relevant]
        padding = relevance.passages.shape[1] - len(places)
        assert ranking.ranks[query].tolist() == [place + 1 for place in places] + [0] * padding
        assert ranking.passages[query].tolist() == [order[place] for place in places] + [-1] * padding
        found = [place for place in places if row[order[place]] > -np.inf]
        assert ranking.retrieved[query].tolist() == [place in found for place in places] + [False] * padding
        assert ranking.first_rank[query] == (found[0] + 1 if found else 0)
        assert ranking.top[query].tolist() == order[:depth]
        assert ranking.top_scores[query].tolist() == row[order[:depth]].tolist()


@pytest.mark.parametrize("spread", [3, 40, 10**6])
@pytest.mark.parametrize("passages", [1, 999, 1000, 1001, 5000])
def test_everything_equals_the_ranking_of_a_whole_matrix(passages: int, spread: int) -> None:
    rng = np.random.default_rng([passages, spread])
    scores = rng.integers(0, spread, (7, passages)).astype(np.float32)
    relevant = np.stack([rng.permutation(passages)[: min(3, passages)] for _ in scores])
    relevance = Relevance(relevant, [str(number) for number in rng.permutation(passages)])
    ends = sorted(set(rng.integers(1, max(passages, 2), 9).tolist()) - {passages})
    ours, whole = streamed(scores, relevance, 20, ends), rank(scores, relevance, depth=20)
    for field in fields(Ranking):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(whole, field.name), err_msg=field.name)


def test_a_similarity_that_is_not_a_number_is_refused() -> None:
    ranking = StreamedRanking(np.array([[0]]), np.array([1, 0]), 1)
    with pytest.raises(ValueError, match="not a number"):
        ranking.count(0, np.array([[np.nan, 1]], np.float32))
