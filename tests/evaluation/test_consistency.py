"""Mean rank correlation by hand, and against scipy on any similarities."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mteb_hybrid.evaluation.consistency import mean_rank_correlation, subset_scores
from mteb_hybrid.evaluation.ranking import tie_order

IDS = [f"{row:03d}" for row in range(8)]


def consistency(
    scores: list[list[float]], groups: str, k: int, rows_at_once: int = 100, languages: str = "abcdefghijkl"
) -> list[float]:
    """The rows' values; by default each is in a language of its own."""
    matrix = np.array(scores)
    given_ids = tie_order(IDS[: matrix.shape[1]])
    versions = list(zip(groups, languages, strict=False))
    found = mean_rank_correlation(lambda rows: matrix[rows], versions, given_ids, rows_at_once=rows_at_once, depths=[k])
    return found[f"mrc_at_{k}"].tolist()


def test_by_hand() -> None:
    """The best two are passages 0, 1 and 1, 2: their union in both orders is 3 2 1 and 1 3 2, whose differences are
    2, -1, -1: 1 - 6 * 6 / (3 * 8) = -0.5."""
    assert consistency([[0.9, 0.8, 0.7, 0.1], [0.2, 0.9, 0.8, 0.1]], "qq", 2) == pytest.approx([-0.5, -0.5])


def test_the_same_similarities_are_wholly_consistent_and_opposite_ones_not_at_all() -> None:
    assert consistency([[0.1, 0.5, 0.3], [0.2, 0.9, 0.4], [3, 1, 2]], "aab", 3)[:2] == pytest.approx([1, 1])
    assert consistency([[0.1, 0.5, 0.3], [0.9, 0.2, 0.4]], "aa", 3) == pytest.approx([-1, -1])


def test_what_is_not_among_the_best_does_not_count() -> None:
    first, second = [9, 8, 1, 2, 3], [9, 8, 3, 2, 1]
    assert consistency([first, second], "qq", 2) == pytest.approx([1, 1])
    assert consistency([first, second], "qq", 5)[0] < 1


def test_a_version_is_compared_with_each_other_one() -> None:
    scores = [[3, 2, 1], [3, 2, 1], [1, 2, 3]]
    assert consistency(scores, "qqq", 3) == pytest.approx([0, 0, -1])


def test_versions_in_one_language_are_not_compared() -> None:
    assert np.isnan(consistency([[3, 2, 1], [1, 2, 3]], "qq", 3, languages="ee")).all()
    # the first agrees with one of the English ones and not with the other, and with the French one: (0 + 1) / 2
    scores = [[3, 2, 1], [3, 2, 1], [1, 2, 3], [3, 2, 1]]
    assert consistency(scores, "qqqq", 3, languages="deef") == pytest.approx([0.5, 1, -1, 0.5])


def test_without_another_version_or_a_difference_there_is_no_value() -> None:
    values = consistency([[3, 2, 1], [3, 2, 1], [1, 2, 3], [1, 1, 1], [1, 2, 3]], "aabcc", 3)
    assert values[:2] == pytest.approx([1, 1])
    assert np.isnan(values[2:]).all()
    assert subset_scores({"mrc_at_3": np.array(values)}) == {"mrc_at_3": pytest.approx(1)}
    assert np.isnan(subset_scores({"mrc_at_3": np.array([np.nan])})["mrc_at_3"])


def test_pairs_of_versions_copy_no_rows_of_similarities() -> None:
    scores = np.random.default_rng(7).standard_normal((40, 20_000))
    versions = [("q", str(language)) for language in range(40)]
    tracemalloc.start()
    try:
        mean_rank_correlation(lambda rows: scores[rows], versions, np.arange(20_000), rows_at_once=40)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * scores.nbytes, "the 780 pairs have 1,560 rows"


@given(data=st.data(), passages=st.integers(2, 8), k=st.integers(1, 10), rows_at_once=st.integers(1, 20))
def test_as_scipy_computes_it(data: st.DataObject, passages: int, k: int, rows_at_once: int) -> None:
    groups = data.draw(st.text("abcd", min_size=1, max_size=12))
    row = st.lists(st.integers(0, 6), min_size=passages, max_size=passages)  # few values, so that some are equal
    scores = np.array([data.draw(row) for _ in groups], dtype=np.float32)
    languages = data.draw(st.text("xyz", min_size=len(groups), max_size=len(groups)))
    found = consistency(scores.tolist(), groups, k, rows_at_once, languages)
    alike = Counter(zip(groups, languages, strict=True))
    best = [  # the greater id first among equals
        set(sorted(range(passages), key=lambda passage: (values[passage], passage), reverse=True)[:k])
        for values in scores
    ]
    expected: dict[int, list[tuple[float, float]]] = {row: [] for row in range(len(groups))}
    for a, b in combinations(range(len(groups)), 2):
        if groups[a] == groups[b] and languages[a] != languages[b]:
            union = sorted(best[a] | best[b])
            first, second = scores[a, union], scores[b, union]
            if len(set(first)) > 1 and len(set(second)) > 1:
                for side, other in ((a, b), (b, a)):
                    weight = 1 / alike[groups[other], languages[other]]
                    expected[side].append((float(spearmanr(first, second).statistic), weight))
    for row_, values in expected.items():
        of_row, weights = np.array(values).reshape(-1, 2).T
        mean = np.average(of_row, weights=weights) if values else np.nan
        assert found[row_] == pytest.approx(mean, abs=1e-9, nan_ok=True)
