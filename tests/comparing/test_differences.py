"""Differences with what they may be off by: over questions, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mteb_hybrid.comparing.differences import Difference, Seeds, difference
from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.reporting.resampling import DRAWS, Draws, draw_mean

T_99 = 1.984217  # R 4.2.2: qt(.975, 99)


def kept(folder: Path, name: str, subsets: Mapping[str, np.ndarray]) -> Path:
    scores = QueryScores()
    for subset, values in subsets.items():
        ids = [f"g{number}" for number in range(len(values))]
        scores.add(name, subset, ids, ids, {"map": values})
    scores.save(name, folder / f"{name}.json", "r1")
    return folder / f"{name}.queries.parquet"


def draws(path: Path, subset: str) -> Draws:
    found = draw_mean(path, [subset], "map")
    assert found is not None
    return found


def certain(figure: float, groups: int = 20) -> Draws:
    """A figure that is the same whatever the questions."""
    names = tuple(f"g{number}" for number in range(groups))
    return Draws(np.full(DRAWS, figure), names, np.full(groups, figure / groups), ("q",), groups)


def test_over_questions_it_is_the_paired_t_interval(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    before = random.random(100)
    gains = random.normal(0.05, 0.1, 100)
    path = kept(tmp_path, "Task", {"de-de": before, "en-en": before + gains})
    found = difference([draws(path, "de-de")], [draws(path, "en-en")])
    assert found.a == pytest.approx(before.mean())
    assert found.value == pytest.approx(gains.mean(), abs=1e-6)
    assert found.shares.sum() == pytest.approx(found.value)
    assert found.error is not None
    assert found.error == pytest.approx(gains.std(ddof=1) / 10, rel=0.08)
    assert found.margin() == pytest.approx(T_99 * found.error)
    narrower = found.margin(0.9)
    assert narrower == pytest.approx(1.660391 * found.error)  # qt(.95, 99)
    assert found.seeds is None
    assert found.margin_with_seeds() is None


def test_of_a_hundred_intervals_95_hold_the_truth(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    truth, rounds = 0.02, 600
    zero = np.zeros(60)
    subsets = {f"s{number}": random.normal(truth, 0.1, 60) for number in range(rounds)}
    path = kept(tmp_path, "Task", {"zero": zero, **subsets})
    base = draws(path, "zero")
    found = [difference([base], [draws(path, subset)]) for subset in subsets]
    for level in (0.95, 0.9):
        held = np.mean([abs(each.value - truth) <= (each.margin(level) or 0.0) for each in found])
        assert held == pytest.approx(level, abs=0.03)  # its standard error is 0.009 and 0.012


def test_a_few_groups_give_no_interval() -> None:
    few = difference([certain(0.5, 9)], [certain(0.6, 9)])
    assert (few.error, few.margin(), few.margin_with_seeds()) == (None, None, None)
    assert difference([certain(0.5, 10)], [certain(0.6, 10)]).margin() == pytest.approx(0.0)


def test_several_seeds_count_by_their_mean(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    subsets = {name: random.random(50) for name in ("a1", "a2", "a3", "b")}
    path = kept(tmp_path, "Task", subsets)
    seeds = [draws(path, name) for name in ("a1", "a2", "a3")]
    found = difference(seeds, [draws(path, "b")])
    mean = np.mean([subsets[name] for name in ("a1", "a2", "a3")], axis=0)
    assert found.a == pytest.approx(mean.mean())
    by_group = dict(zip((f"g{number}" for number in range(50)), (subsets["b"] - mean) / 50, strict=True))
    np.testing.assert_allclose(found.shares, [by_group[group] for group in found.groups], atol=1e-7)
    assert found.error == pytest.approx((subsets["b"] - mean).std(ddof=1) / np.sqrt(50), rel=0.12)


def test_seeds_are_kept_apart_from_questions() -> None:
    found = difference([certain(0.5), certain(0.6), certain(0.55)], [certain(0.7)])
    assert found.seeds is not None
    assert found.margin() == pytest.approx(0.0)
    assert found.seeds.a == pytest.approx(0.05)  # of 0.5, 0.6 and 0.55
    assert found.seeds.b is None
    assert found.seeds.error == pytest.approx(0.05 / np.sqrt(3))
    assert found.margin_with_seeds() == pytest.approx(4.302653 * 0.05 / np.sqrt(3))  # qt(.975, 2)


def test_over_seeds_alone_it_is_welchs_interval_as_in_r() -> None:
    # R 4.2.2, with(sleep, t.test(extra[group == 2], extra[group == 1])): df = 17.77647352, stderr 0.8490910172,
    # 95 percent confidence interval -0.2054832307 3.3654832307
    one = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
    two = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
    found = difference([certain(each) for each in one], [certain(each) for each in two])
    assert found.seeds is not None
    assert found.seeds.freedom == pytest.approx(17.77647352)
    assert found.seeds.error == pytest.approx(0.8490910172)
    width = found.margin_with_seeds()
    assert width is not None
    assert (found.value - width, found.value + width) == pytest.approx((-0.2054832307, 3.3654832307))


def test_variances_of_questions_and_seeds_add_up() -> None:
    groups = tuple(f"g{number}" for number in range(11))
    both = Difference(0.5, 0.6, 0.03, groups, np.full(11, 0.1 / 11), Seeds(0.04, None, 0.04, 2.0))
    # The error is sqrt(.03^2 + .04^2) = .05. R 4.2.2: qt(.975, .05^4 / (.03^4 / 10 + .04^4 / 2))    2.640780743
    assert both.margin_with_seeds() == pytest.approx(2.640780743 * 0.05)


def test_seeds_that_give_the_same_add_nothing() -> None:
    found = difference([certain(0.5), certain(0.5)], [certain(0.6), certain(0.6)])
    assert found.seeds == Seeds(0.0, 0.0, 0.0, float("inf"))
    assert found.margin_with_seeds() == pytest.approx(0.0)
