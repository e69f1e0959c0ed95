"""Verdicts, rule by rule."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from mteb_hybrid.comparing.differences import Difference, Seeds
from mteb_hybrid.comparing.verdict import verdict

GROUPS = tuple(f"g{number}" for number in range(1001))  # the 90 % interval is 1.6464 errors to each side
SEEDS = Seeds(0.01, 0.01, 0.01, 4.0)  # of these alone 2.13 errors


def of(gain: float, error: float | None, seeds: Seeds | None = None) -> Difference:
    return Difference(0.5, 0.5 + gain, error, GROUPS, np.zeros(1001), seeds)


@pytest.mark.parametrize(
    ("gain", "error", "p", "words"),
    [
        (0.03, 0.005, 0.001, "better"),
        (-0.03, 0.005, 0.001, "worse"),
        (0.03, 0.005, 0.05, "better"),
        (0.004, 0.001, 0.01, "better, but within 0.01"),
        (-0.004, 0.001, 0.01, "worse, but within 0.01"),
        (0.004, 0.003, 0.2, "the same within 0.01"),
        (-0.004, 0.003, 0.2, "the same within 0.01"),
        (0.004, 0.005, 0.4, "at most 0.01 worse"),
        (-0.004, 0.005, 0.4, "not decided"),
        (0.0, 0.01, 0.9, "not decided"),
        (0.03, 0.02, 0.06, "at most 0.01 worse"),  # lower end -0.003
        (0.0, None, 1.0, "not decided"),
        (0.03, None, 0.01, "better"),
    ],
)
def test_each_rule(gain: float, error: float | None, p: float, words: str) -> None:
    assert verdict(of(gain, error), p, "higher", 0.01) == words


def test_the_ends_of_the_interval_decide() -> None:
    assert verdict(of(0.0, 0.00607), 1.0, "higher", 0.01) == "the same within 0.01"  # 1.6464 * 0.00607 = 0.00999
    assert verdict(of(0.0, 0.00608), 1.0, "higher", 0.01) == "not decided"  # 0.01001
    assert verdict(of(0.0, 0.0), 1.0, "higher", 0.0) == "not decided"
    assert verdict(of(0.0, 0.00608), 1.0, "higher", 0.025) == "the same within 0.025"


@pytest.mark.parametrize(
    ("gain", "p", "better", "words"),
    [(-50.0, 0.01, "lower", "better"), (50.0, 0.01, "lower", "worse"), (0.0, 1.0, "lower", "not decided")],
)
def test_fewer_ranks_are_better(gain: float, p: float, better: Literal["higher", "lower"], words: str) -> None:
    assert verdict(of(gain, 0.001), p, better, None) == words


@pytest.mark.parametrize(
    ("gain", "error", "p", "words"),
    [
        (0.1, 0.001, 0.001, "better"),
        (0.02, 0.001, 0.001, "better, seeds leave it open"),
        (0.004, 0.001, 0.01, "better, but within 0.01, seeds leave it open"),
        (0.0, 0.001, 0.9, "the same within 0.01, seeds leave it open"),
        (0.005, 0.006, 0.5, "at most 0.01 worse, seeds leave it open"),
        (0.03, 0.03, 0.3, "not decided"),
    ],
)
def test_what_holds_for_these_seeds_need_not_for_others(gain: float, error: float, p: float, words: str) -> None:
    assert verdict(of(gain, error, SEEDS), p, "higher", 0.01) == words
