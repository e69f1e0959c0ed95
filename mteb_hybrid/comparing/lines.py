"""The comparisons of two sides: by setting and by query language, tested as two families, each with its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mteb_hybrid.comparing.differences import Difference, difference
from mteb_hybrid.comparing.holm import holm
from mteb_hybrid.comparing.pairing import check_pairs, draws_of, scores_of
from mteb_hybrid.comparing.swaps import describe_swaps, swap_p_values
from mteb_hybrid.comparing.verdict import verdict
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting


@dataclass(frozen=True)
class Part:
    """A setting of a benchmark, and the task whose results it is compared by."""

    benchmark: Benchmark
    setting: Setting
    task: str


@dataclass(frozen=True)
class Sides:
    """What is compared: two models, or several on a side that differ in the seed only.

    Attributes:
        a: the first side's results.
        b: the second side's.
        labels: what to call them, the first side's before the second's.
    """

    a: tuple[ModelResults, ...]
    b: tuple[ModelResults, ...]
    labels: tuple[str, ...]

    @property
    def runs(self) -> tuple[ModelResults, ...]:
        """The results of both."""
        return (*self.a, *self.b)


@dataclass(frozen=True, eq=False)
class Line:
    """A comparison.

    Attributes:
        part: the setting.
        language: the query language, None for all.
        difference: of the second side from the first.
        missing: what the figures are incomplete in, such as ``7 of 11 subsets``.
        p: of the paired randomisation test; adjusted: after Holm's correction over the family.
        verdict: in words.
    """

    part: Part
    language: str | None
    difference: Difference
    missing: str = ""
    p: float = 1.0
    adjusted: float = 1.0
    verdict: str = ""


@dataclass(frozen=True)
class Family:
    """Comparisons that are looked at together, and how they were tested (``9,999 random swaps, seed 0``)."""

    lines: tuple[Line, ...]
    swaps: str


def settings_family(parts: Sequence[Part], sides: Sides, margin: float) -> Family:
    """Compare two sides in each setting.

    Args:
        parts: the settings.
        sides: the models, with results of all of them.
        margin: the mean average precision that counts as none.

    Raises:
        HybridError: scores of single queries are no pairs, as `check_pairs` has it.
    """
    for part in parts:
        check_pairs(sides.runs, sides.labels, part.task, part.setting.metric)
    return _tested([_line(part, sides, None) for part in parts], margin)


def languages_family(parts: Sequence[Part], sides: Sides, margin: float) -> Family:
    """Compare two sides in each query language of each setting; arguments as of `settings_family`."""
    return _tested([_line(part, sides, tag) for part in parts for tag in _languages(part, sides)], margin)


def _languages(part: Part, sides: Sides) -> Iterator[str]:
    there = {part.setting.languages_of(subset)[0] for subset in scores_of(sides.a[0], part.task, part.setting.metric)}
    return (tag for tag in part.benchmark.languages if tag in there)


def _line(part: Part, sides: Sides, language: str | None) -> Line:
    setting = part.setting
    subsets = [
        subset
        for subset in scores_of(sides.a[0], part.task, setting.metric)
        if language in {None, setting.languages_of(subset)[0]}
    ]
    expected = part.benchmark.subset_count(setting, language)
    a, b = ([draws_of(run, part.task, subsets, setting.metric) for run in side] for side in (sides.a, sides.b))
    missing = f"{len(subsets)} of {expected} subsets" if len(subsets) < expected else ""
    return Line(part, language, difference(a, b), missing)


def _tested(lines: Sequence[Line], margin: float) -> Family:
    groups = sorted({group for line in lines for group in line.difference.groups})
    places = {group: place for place, group in enumerate(groups)}
    shares = np.zeros((len(groups), len(lines)))
    for column, line in enumerate(lines):
        shares[[places[group] for group in line.difference.groups], column] = line.difference.shares
    p_values = swap_p_values(shares).tolist()
    tested = tuple(
        replace(line, p=p, adjusted=adjusted, verdict=_verdict(line, adjusted, margin))
        for line, p, adjusted in zip(lines, p_values, holm(p_values), strict=True)
    )
    return Family(tested, describe_swaps(*shares.shape))


def _verdict(line: Line, adjusted: float, margin: float) -> str:
    if line.part.setting is Setting.LANGUAGE_BIAS:
        return verdict(line.difference, adjusted, "lower", None)
    return verdict(line.difference, adjusted, "higher", margin)
