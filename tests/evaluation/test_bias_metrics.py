"""Language bias by hand, and the probability of equal expected rank against scipy and the package ``peer_measure``.

A pool is written as the languages of its passages, best-ranked first, a letter a passage: a capital is relevant, and
what stands behind a bar was not retrieved.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import erfc, exp, isnan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kruskal

from mteb_hybrid.evaluation.bias_metrics import Pool, bias_scores, language_ranks, peer
from mteb_hybrid.evaluation.ranking import Ranking, Relevance, rank


def pool_of(*orders: str, query_language: str = "e") -> tuple[Ranking, Pool]:
    """One query an order; all orders are of the same passages."""
    letters = sorted(orders[0].lower().replace("|", ""))
    languages = sorted(set(letters))
    scores = np.full((len(orders), len(letters)), -np.inf)
    relevant: list[list[int]] = []
    for query, order in enumerate(orders):
        assert sorted(order.lower().replace("|", "")) == letters
        free = {language: letters.index(language) for language in languages}
        relevant.append([])
        for place, letter in enumerate(order.replace("|", "")):
            row = free[letter.lower()]
            free[letter.lower()] += 1
            if letter.isupper():
                relevant[-1].append(row)
            if place < (order + "|").index("|"):
                scores[query, row] = -place
    most = max(map(len, relevant))
    padded = np.array([rows + [-1] * (most - len(rows)) for rows in relevant])
    of_passage = np.array([languages.index(letter) for letter in letters])
    own = languages.index(query_language) if query_language in languages else -1
    ids = [f"{row:04d}" for row in range(len(letters))]
    return rank(scores, Relevance(padded, ids), depth=12), Pool(languages, of_passage, own)


def bias(*orders: str, query_language: str = "e") -> dict[str, Any]:
    return dict(bias_scores(*pool_of(*orders, query_language=query_language)))


def test_the_best_rank_of_an_answer_in_each_language() -> None:
    ranks = language_ranks(*pool_of("zEdEDe", "EeDezd", "dze|EDe"))
    assert {language: places.tolist() for language, places in ranks.items()} == {
        "d": [5, 3, 6],  # what was not retrieved stands behind, in the order of ties: the greater id first
        "e": [2, 1, 5],
        "z": [0, 0, 0],  # in the pool, without an answer
    }


@pytest.mark.parametrize(
    ("orders", "distance", "closeness", "worst"),
    [
        (["EDZee"], 2, 1 - 2 / 4, 3),
        (["eEdDz"], 2, 1 - 2 / 4, 4),
        (["EeedD"], 4, 0, 5),
        (["eeDdz"], 0, 1, 3),
        (["EDzee", "EeezD", "eeDez"], (1 + 4 + 0) / 3, 1 - (5 / 3) / 4, (2 + 5 + 3) / 3),
        (["D"], 0, 1, 1),
    ],
)
def test_rank_distance_closeness_and_worst_rank(
    orders: list[str], distance: float, closeness: float, worst: float
) -> None:
    scores = bias(*orders)
    assert scores["rank_distance"] == pytest.approx(distance)
    assert scores["rank_closeness"] == pytest.approx(closeness)
    assert scores["worst_rank"] == pytest.approx(worst)


@pytest.mark.parametrize(
    ("orders", "query_language", "first", "top1"),
    [
        (["EDz"], "e", 1, 1),
        (["eDE"], "e", 0, 1),
        (["zED"], "e", 1, 0),
        (["EDze", "eDEz", "zEDe", "DzEe"], "e", 2 / 4, 2 / 4),
        (["EDz"], "x", 0, 0),
    ],
)
def test_query_language_first_and_on_top(orders: list[str], query_language: str, first: float, top1: float) -> None:
    scores = bias(*orders, query_language=query_language)
    assert scores["query_language_first"] == pytest.approx(first)
    assert scores["top1_query_language"] == pytest.approx(top1)


def test_language_shares_among_the_first_10_and_their_distance_from_the_pool() -> None:
    """The pool is half e, a quarter d, a quarter z; the first ten are 7 e, 2 d, 1 z and 5 e, 5 d."""
    scores = bias("eeeeeeEddz" + "dddeeezzzz", "eeeeEddddd" + "eeeeezzzzz")
    assert scores["language_share_at_10"] == pytest.approx({"d": 7 / 20, "e": 12 / 20, "z": 1 / 20})
    assert scores["language_share_distance_at_10"] == pytest.approx((0.10 + 0.10 + 0.20) / 2)


def test_language_shares_of_a_pool_of_fewer_than_10_are_those_of_the_pool() -> None:
    scores = bias("Ede", "deE")
    assert scores["language_share_at_10"] == pytest.approx({"d": 1 / 3, "e": 2 / 3})
    assert scores["language_share_distance_at_10"] == pytest.approx(0)


def test_target_languages_recall_leaves_out_the_query_language() -> None:
    other = "x" * 8
    scores = bias("ED" + other + "Z" + other + "e", "zDe" + other + "E" + other)
    assert scores["tlr_at_10"] == pytest.approx((1 / 2 + 1) / 2)
    assert scores["tlr_at_20"] == pytest.approx(1)


def test_target_languages_recall_is_over_the_queries_that_have_a_target() -> None:
    assert bias("EeD", "Eed")["tlr_at_10"] == 1
    assert isnan(bias("Eed", "eEd")["tlr_at_10"])
    assert bias("e|DE")["tlr_at_10"] == 0  # not retrieved


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # ranks 1, 2 against 3, 4: H = 12 / (4 * 5) * (3^2 / 2 + 7^2 / 2) - 3 * 5 = 2.4, one degree of freedom
        ("EEDDe", erfc(sqrt(2.4 / 2))),
        # passages that are not relevant change nothing
        ("EeEeeDeeeD", erfc(sqrt(2.4 / 2))),
        # 1, 4 against 2, 3: equal mean ranks
        ("EDDE", 1),
        # 1, 2 against two that tie at 3.5: H = 3 * 4 / 4.5
        ("EE" + 30 * "z" + "DD", erfc(sqrt(8 / 3 / 2))),
        # three languages, two degrees of freedom: H = 12 / (6 * 7) * (3^2 + 7^2 + 11^2) / 2 - 3 * 7 = 32 / 7
        ("EEDDZZ", exp(-32 / 7 / 2)),
        # rank 20 is within the cut-off: 1, 2 against 3, 4
        ("EED" + 16 * "e" + "D" + 9 * "e", erfc(sqrt(2.4 / 2))),
        # rank 20 is, rank 21 is not, but nothing ties with it
        ("EED" + 17 * "e" + "D" + 9 * "e", erfc(sqrt(2.4 / 2))),
        # all tie
        (20 * "e" + "EEDD", 1),
        # one group
        ("EeEd", 1),
        # one relevant passage
        ("Eed", 1),
    ],
)
def test_peer_by_hand(order: str, expected: float) -> None:
    assert bias(order)["peer_at_20"] == pytest.approx(expected, abs=1e-12)


def test_peer_is_the_mean_over_queries_and_100_looks_deeper_than_20() -> None:
    deep = 20 * "z" + "EEDD"
    scores = bias(deep, "EDDE" + 20 * "z")
    assert scores["peer_at_20"] == pytest.approx(1)
    assert scores["peer_at_100"] == pytest.approx((erfc(sqrt(2.4 / 2)) + 1) / 2)


def test_peer_ties_what_was_not_retrieved() -> None:
    """1, 2 against two that tie at 3.5, each in a language: H = 3 * 4 / 4.5, two degrees of freedom."""
    assert bias("EE|DeZ")["peer_at_20"] == pytest.approx(exp(-8 / 3 / 2))


def relevant_ranks(most: int = 60) -> st.SearchStrategy[list[tuple[int, int]]]:
    """The (rank, language) of each relevant passage of a query, by rank."""
    passages = st.tuples(st.integers(1, most), st.integers(0, 3))
    return st.lists(passages, min_size=1, max_size=12, unique_by=lambda passage: passage[0]).map(sorted)


def by_language(passages: Iterable[tuple[int, int]], k: int) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for place, language in passages:
        groups.setdefault(language, []).append(min(place, k + 1))
    return list(groups.values())


@settings(max_examples=150)
@given(queries=st.lists(relevant_ranks(), min_size=1, max_size=5), k=st.integers(1, 60))
def test_peer_is_scipys_kruskal_wallis_of_the_cut_off_ranks(queries: list[list[tuple[int, int]]], k: int) -> None:
    most = max(map(len, queries))
    padded = np.array([passages + [(0, -1)] * (most - len(passages)) for passages in queries])
    found = peer(padded[:, :, 0], padded[:, :, 1], k)
    for passages, value in zip(queries, found, strict=True):
        groups = by_language(passages, k)
        alike = len(groups) == 1 or len({place for group in groups for place in group}) == 1
        assert value == pytest.approx(1.0 if alike else kruskal(*groups).pvalue, abs=1e-9)


@given(ranks=st.lists(st.integers(1, 10_000), min_size=2, max_size=11, unique=True), data=st.data())
def test_with_one_relevant_passage_per_language_peer_says_only_whether_all_tie(
    ranks: list[int], data: st.DataObject
) -> None:
    """Groups of one have no spread within: the statistic is their number less one, whatever the ranks.

    Without a cut-off that is the value of every query. With one, all may tie, and then it is 1.
    """
    ranks.sort()
    languages = np.array([data.draw(st.permutations(range(len(ranks))))])
    constant = chi2.sf(len(ranks) - 1, len(ranks) - 1)
    assert peer(np.array([ranks]), languages, 10_000)[0] == pytest.approx(constant)
    k = data.draw(st.integers(1, 10_000))
    assert peer(np.array([ranks]), languages, k)[0] == pytest.approx(1 if ranks[0] > k else constant)


# The package ``peer_measure`` (0.0.1) departs from the test that its paper names in two ways.
# It puts the ranks in the whole pool into the Kruskal-Wallis formula, where the test takes ranks among the relevant
# passages: (N - 1) * (sum of squares between the groups) / (total sum of squares) is the tie-corrected statistic of
# ranks 1 to N alone, and else depends on how many irrelevant passages lie in between.
# And it places what is not among the first k at (2 N + u + 1) / 2, with N the number of relevant passages and u of
# those below k, meant to be behind the last rank found: its largest rank is guarded by ``.all() is None``, which is
# never so, and the count of relevant passages stands in for it. So they may stand ahead of what was found.


def package_peer(order: str, k: int) -> float:
    """What the package makes of an order; its provider asks ir_measures for a function of older releases."""
    package = pytest.importorskip("peer_measure", reason="compares with the package peer_measure")
    run = [(f"{place}{letter}", float(-place)) for place, letter in enumerate(order)]
    languages = {passage: passage[-1].lower() for passage, _ in run}
    grades = {passage: int(passage[-1].isupper()) for passage, _ in run}
    evaluator = package.PEEREvaluator([], {}, {}, {0: languages})
    groups = evaluator.assign_rels_langs_ranks(0, k, grades, run)[1]
    return float(package.kruskal(*groups.values())[1])


@settings(max_examples=40)
@given(order=st.permutations("EEEDDZZZZ"), gap=st.integers(0, 3))
def test_peer_agrees_with_the_package_at_even_distances(order: list[str], gap: int) -> None:
    """Ranks at even distances are ranks 1 to N but for scale and place, to which the formula is blind."""
    passages = (gap * "e").join(order)
    assert bias(passages)["peer_at_100"] == pytest.approx(package_peer(passages, 100), abs=1e-12)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param("eEeeeDeeeeeeeZ", id="one a language"),
        pytest.param("eEeeeDeeeeeee" + 20 * "d" + "ZX", id="one a language, two below the cut-off"),
        pytest.param(20 * "e" + "EEDDD", id="all below the cut-off"),
        pytest.param("eEedE", id="one language"),
    ],
)
def test_peer_agrees_with_the_package_where_distances_do_not_matter(order: str) -> None:
    assert bias(order)["peer_at_20"] == pytest.approx(package_peer(order, 20), abs=1e-12)


def test_peer_differs_from_the_package_when_irrelevant_passages_lie_in_between() -> None:
    order = "EED" + 96 * "e" + "D"  # ranks 1, 2 against 3, 100
    assert bias(order)["peer_at_100"] == pytest.approx(erfc(sqrt(2.4 / 2)))
    assert package_peer(order, 100) == pytest.approx(erfc(sqrt(3 * 2500 / 7205 / 2)))


def test_peer_differs_from_the_package_on_passages_below_the_cut_off() -> None:
    order = "EE" + 9 * "e" + "DD" + 20 * "e" + "ZZ"  # 1, 2 against 12, 13 against two that are below 20
    assert bias(order)["peer_at_20"] == pytest.approx(exp(-80 / 17 / 2))  # ranks 1, 2; 3, 4; 5.5, 5.5
    kruskal_of_package = pytest.importorskip("peer_measure").kruskal
    ahead_of_what_was_found = kruskal_of_package([1, 2], [12, 13], [7.5, 7.5])[1]
    assert package_peer(order, 20) == pytest.approx(ahead_of_what_was_found)
    assert package_peer(order, 20) == pytest.approx(exp(-5 * (364 / 3) / (367 / 3) / 2))


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_peer_is_a_number_where_the_place_the_package_takes_is_that_of_a_passage_found() -> None:
    order = "eeE" + 20 * "e" + "D"  # found at 3, and the package places the other at (2 * 2 + 1 + 1) / 2 = 3
    assert isnan(package_peer(order, 20))
    assert bias(order)["peer_at_20"] == pytest.approx(chi2.sf(1, 1))
