"""The paired randomisation test: against scipy, R and ranx on the same numbers, and where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from mteb_hybrid.comparing.swaps import describe_swaps, is_exact, swap_count, swap_p_values

# R's data set `sleep`: hours more of sleep of ten patients by each of two drugs (Student 1908).
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def one(contributions: np.ndarray, swaps: int | None = None) -> float:
    (p,) = swap_p_values(contributions[:, None], swaps)
    return float(p)


def test_the_exact_test_is_that_of_r() -> None:
    # R 4.2.2: d <- with(sleep, extra[group == 2] - extra[group == 1])
    # s <- as.matrix(expand.grid(rep(list(c(-1, 1)), 10)))
    # mean(abs(s %*% d) >= abs(sum(d)) - 1e-9)    [1] 0.00390625
    assert one(SLEEP_2 - SLEEP_1) == 0.00390625


def test_the_random_test_is_that_of_ranx() -> None:
    # ranx 0.3.21, fisher_randomization_test(a, b, n_permutations=1000000, random_seed=42): (0.221235, False)
    number = np.arange(60)
    a = (number * 37 % 61) / 61
    b = (number * 37 % 61) / 61 * 0.9 + (number * 23 % 59) / 59 * 0.12
    assert one((b - a) / 60, 99_999) == pytest.approx(0.221235, abs=0.005)


@settings(max_examples=25)
@given(st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=9), st.integers(0, 1000))
def test_the_exact_test_is_that_of_scipy(contributions: list[float], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(contributions)
    reference = permutation_test(
        (shuffled,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert one(shuffled) == pytest.approx(reference.pvalue)


def test_the_random_test_is_that_of_scipy() -> None:
    contributions = np.random.default_rng(5).normal(0.15, 1, 100)
    reference = permutation_test(
        (contributions,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True, rng=1
    )
    assert one(contributions) == pytest.approx(reference.pvalue, abs=0.015)


def test_all_differences_at_once_are_each_by_itself() -> None:
    contributions = np.random.default_rng(6).normal(0.1, 1, (80, 3))
    together = swap_p_values(contributions)
    assert together.tolist() == [one(column) for column in contributions.T]
    np.testing.assert_array_equal(swap_p_values(-contributions), together)


@pytest.mark.parametrize("groups", [8, 80])
def test_pairs_of_figures_are_their_differences(groups: int) -> None:
    figures = np.random.default_rng(7).normal(0.5, 0.1, (groups, 4)) / groups
    figures[:, 3] = figures[:, 0] + 1e-9 / groups  # as near as models can be
    figures[:, 2] = figures[:, 1]
    pairs = [(0, 1), (3, 1), (0, 3), (1, 2)]
    differences = np.stack([figures[:, one] - figures[:, other] for one, other in pairs], axis=1)
    found = swap_p_values(figures, 9_999, pairs)
    assert found.tolist() == swap_p_values(differences, 9_999).tolist()
    assert found[3] == 1


def test_to_swap_a_group_is_to_change_the_sign_of_what_it_adds() -> None:
    random = np.random.default_rng(8)
    group = random.integers(0, 12, 60)
    subset = np.repeat([0, 1, 2], [10, 20, 30])
    a, b = random.random((2, 60))
    swapped = random.random(12) < 0.5

    def macro_mean(scores: np.ndarray) -> float:
        return float(np.mean([scores[subset == each].mean() for each in range(3)]))

    sizes = np.array([10, 20, 30])
    contributions = np.bincount(group, (b - a) / sizes[subset] / 3, 12)
    assert contributions.sum() == pytest.approx(macro_mean(b) - macro_mean(a))
    rows = swapped[group]
    difference = macro_mean(np.where(rows, a, b)) - macro_mean(np.where(rows, b, a))
    assert difference == pytest.approx(np.where(swapped, -contributions, contributions).sum())


def test_a_p_value_is_never_zero() -> None:
    assert one(np.ones(200)) == 1 / 10_000
    assert one(np.ones(200), 99) == 0.01
    assert one(np.ones(5)) == 2 / 32


def test_models_that_score_the_same_do_not_differ() -> None:
    assert one(np.zeros(300)) == 1.0
    assert one(np.zeros(3)) == 1.0


def test_how_many_swaps_there_are() -> None:
    assert (swap_count(1), swap_count(99), swap_count(488)) == (9_999, 9_999, 48_799)
    assert is_exact(14, 9_999)
    assert not is_exact(15, 9_999)
    assert not is_exact(2_000, 9_999)
    assert describe_swaps(10, 4) == "all 512 ways to swap"
    assert describe_swaps(1190, 4) == "9,999 random swaps, seed 0"


def test_five_of_a_hundred_alarms_are_false_at_the_five_per_cent_level() -> None:
    # 1,200 comparisons of models that are equally good, over 120 groups whose queries go together; at 5 % the share of
    # false alarms has a standard error of 0.0063. Queries by themselves would give far more than that.
    random = np.random.default_rng(11)
    groups = random.normal(0, 1, (120, 1_200))
    queries = groups[:, None, :] + 0.3 * random.normal(0, 1, (120, 5, 1_200))
    by_groups = swap_p_values(queries.sum(axis=1) / 600, 999)
    assert (by_groups <= 0.05).mean() == pytest.approx(0.05, abs=0.02)
    by_queries = swap_p_values(queries[:, :, :200].reshape(600, 200) / 600, 999)
    assert (by_queries <= 0.05).mean() > 0.25
