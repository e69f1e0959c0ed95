"""Confidence by resampling parallel groups: against the standard error where a formula gives it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.reporting.resampling import DRAWS, draw_mean, margin

RNG = np.random.default_rng(7)
GROUPS = [f"g{number}" for number in range(400)]


def saved(folder: Path, subsets: dict[str, np.ndarray], groups: list[str] = GROUPS, metric: str = "map") -> Path:
    scores = QueryScores()
    for subset, values in subsets.items():
        scores.add("Task", subset, groups[: len(values)], groups[: len(values)], {metric: values})
    scores.save("Task", folder / "Task.json", "r1")
    return folder / "Task.queries.parquet"


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def test_of_one_subset_it_is_the_standard_error_of_the_mean(tmp_path: Path) -> None:
    values = RNG.random(400)
    draws = draw_mean(saved(tmp_path, {"de-de": values}), ["de-de"], "map")
    assert draws is not None
    assert draws.values.shape == (DRAWS,)
    assert draws.values.mean() == pytest.approx(values.mean(), abs=0.002)
    assert draws.figure == pytest.approx(values.mean())
    assert margin(draws) == pytest.approx(1.96 * standard_error(values), rel=0.08)


def test_parallel_questions_are_no_independent_samples(tmp_path: Path) -> None:
    values = RNG.random(400)
    path = saved(tmp_path, {"de-de": values, "en-en": values, "fr-fr": values})
    one, three = draw_mean(path, ["de-de"], "map"), draw_mean(path, ["de-de", "en-en", "fr-fr"], "map")
    assert one is not None
    assert three is not None
    np.testing.assert_allclose(one.values, three.values)
    np.testing.assert_allclose(one.shares, three.shares)


def test_subsets_that_differ_average_out(tmp_path: Path) -> None:
    path = saved(tmp_path, {"de-de": RNG.random(400), "en-en": RNG.random(400)})
    one, both = draw_mean(path, ["de-de"], "map"), draw_mean(path, ["de-de", "en-en"], "map")
    assert one is not None
    assert both is not None
    assert margin(both) == pytest.approx((margin(one) or 0) / np.sqrt(2), rel=0.15)


def test_the_draws_of_a_difference_are_the_differences_of_draws(tmp_path: Path) -> None:
    before = RNG.random(400)
    gains = np.where(np.arange(400) % 2 == 0, 0.1, 0.0)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    # the second model's file names its groups in another order, and knows one more
    second = dict(zip([*GROUPS, "more"], [*(before + gains), 0.5], strict=True))
    names = sorted(second)
    a = draw_mean(saved(tmp_path / "a", {"de-de": before}), ["de-de"], "map")
    path = saved(tmp_path / "b", {"de-de": np.array([second[name] for name in names])}, names)
    b = draw_mean(path, ["de-de"], "map")
    assert a is not None
    assert b is not None
    assert margin(b, a) == pytest.approx(1.96 * standard_error(gains), rel=0.15)
    assert (margin(b, a) or 1) < (margin(b) or 0) / 3


def test_a_draw_without_a_question_of_a_subset_leaves_its_mean_as_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path, {"de-de": np.ones(400), "sw-sw": np.ones(2)})
    draws = draw_mean(path, ["de-de", "sw-sw"], "map")
    assert draws is not None
    np.testing.assert_array_equal(draws.values, np.ones(DRAWS))


@pytest.mark.parametrize(("groups", "known"), [(9, False), (10, True)])
def test_the_subset_with_the_fewest_groups_decides_whether_there_is_an_interval(
    tmp_path: Path, groups: int, known: bool
) -> None:
    path = saved(tmp_path, {"de-de": RNG.random(400), "en-en": RNG.random(400), "sw-sw": RNG.random(groups)})
    most = draw_mean(path, ["de-de", "en-en"], "map")
    fewest = draw_mean(path, ["de-de", "sw-sw"], "map")
    assert most is not None
    assert fewest is not None
    mean = (most + fewest) / 2
    assert fewest.fewest == mean.fewest == groups
    for interval in (margin(fewest), margin(mean), margin(most, fewest), margin(fewest, most)):
        assert (interval is not None) is known
    assert margin(most) is not None


def test_what_each_group_adds_is_its_sum_over_the_size_of_its_subset(tmp_path: Path) -> None:
    scores = QueryScores()
    scores.add("Task", "de-de", ["a", "b", "c"], ["g1", "g1", "g2"], {"map": np.array([0.5, 1.0, 0.25])})
    scores.add("Task", "en-en", ["a"], ["g2"], {"map": np.array([0.75])})
    scores.save("Task", tmp_path / "Task.json", "r1")
    draws = draw_mean(tmp_path / "Task.queries.parquet", ["de-de", "en-en"], "map")
    assert draws is not None
    assert draws.groups == ("g1", "g2")
    # g1: (0.5 + 1) / 3 queries / 2 subsets; g2: (0.25 / 3 + 0.75 / 1) / 2
    np.testing.assert_allclose(draws.shares, [0.25, 5 / 12])
    assert draws.figure == pytest.approx((1.75 / 3 + 0.75) / 2)
    np.testing.assert_array_equal(draws.shares_of(["g2", "other", "g1"]), [draws.shares[1], 0.0, draws.shares[0]])


def test_sums_and_means_of_figures_are_of_all_their_groups(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = draw_mean(saved(tmp_path, {"de-de": np.array([0.25, 0.75])}), ["de-de"], "map")
    path = saved(tmp_path / "other", {"de-all": np.array([1.0, 0.0, 0.5])}, ["g1", "h", "g0"])
    other = draw_mean(path, ["de-all"], "map")
    assert one is not None
    assert other is not None
    mean = (one + other) / 2
    assert mean.groups == ("g0", "g1", "h")
    np.testing.assert_allclose(mean.shares, [(0.125 + 0.5 / 3) / 2, (0.375 + 1 / 3) / 2, 0.0])
    np.testing.assert_allclose(mean.values, (one.values + other.values) / 2)
    assert mean.figure == pytest.approx(0.5)


def test_figures_are_of_the_same_queries_or_not(tmp_path: Path) -> None:
    def queries(name: str, values: list[float], groups: list[str], revision: str = "r1") -> tuple[str, ...]:
        scores, place = QueryScores(), tmp_path / name
        place.mkdir()
        scores.add("Task", "de-de", groups, groups, {"map": np.array(values)})
        scores.save("Task", place / "Task.json", revision)
        draws = draw_mean(place / "Task.queries.parquet", ["de-de"], "map")
        assert draws is not None
        return draws.queries

    one = queries("one", [0.0, 1.0], ["g1", "g2"])
    assert queries("other order and scores", [0.5, 0.25], ["g2", "g1"]) == one
    assert queries("other groups", [0.0, 1.0], ["g1", "g3"]) != one
    assert queries("one more", [0.0, 1.0, 0.0], ["g1", "g2", "g2"]) != one
    assert queries("other data", [0.0, 1.0], ["g1", "g2"], "r2") != one


def test_a_null_is_no_score(tmp_path: Path) -> None:
    path = saved(tmp_path, {"de-de": RNG.random(400)})
    saved(tmp_path, {"de-all": RNG.random(400)}, metric="rank_distance")
    assert draw_mean(path, ["de-all"], "rank_distance") is not None
    assert draw_mean(path, ["de-de", "de-all"], "rank_distance") is None


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_without_a_whole_file_there_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Task.queries.parquet"
    assert draw_mean(path, ["de-de"], "map") is None
    path.write_bytes(content)
    assert draw_mean(path, ["de-de"], "map") is None


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = saved(tmp_path, {"de-de": np.zeros(400)})
    before = draw_mean(path, ["de-de"], "map")
    saved(tmp_path, {"de-de": np.ones(400)})
    os.utime(path, ns=(0, 10**18))
    after = draw_mean(path, ["de-de"], "map")
    assert before is not None
    assert after is not None
    assert (before.values.max(), after.values.min()) == (0.0, 1.0)
