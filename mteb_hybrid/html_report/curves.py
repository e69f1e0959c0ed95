"""Curves over remedies: the trade-off between settings, the share of monolingual batches, the number of pairs.

A point is the mean over seeds. Where there are three or more, it has a 95 % confidence interval of that mean by
Student's t distribution with one degree of freedom fewer than seeds; it is about seeds, and not about questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum, sqrt
from statistics import stdev

from mteb_hybrid.html_report.content import Data, Form, Picture, Value, name_to_show, stem
from mteb_hybrid.reporting.remedies import STEPS_SETTING, UNTRAINED, RemedyRow, variant_of

BATCHES = "batches"
"""The series of the three strategies of batches: they are one family over alpha."""

MEASURES: dict[str, tuple[str, Form]] = {
    "monolingual": ("monolingual MAP", "score"),
    "cross_lingual": ("cross-lingual MAP", "score"),
    "multilingual": ("multilingual MAP", "score"),
    "rank_distance": ("rank distance", "distance"),
}
"""The figures that are drawn: field of a row to title and form."""

INTERVALS_FROM = 3
"""Seeds; of fewer there is no interval."""

EXPLANATION = (
    "A point is the mean over seeds; the bars, where there are three seeds or more, are 95 % confidence intervals of "
    "that mean by Student's t distribution."
)

_ALPHA = {"mono": 1.0, "cross": 0.0}  # what these strategies of batches are by definition


@dataclass(frozen=True)
class Mean:
    """A mean over seeds, and half the width of its interval; None where there are too few."""

    value: float
    margin: float | None


@dataclass(frozen=True)
class Point:
    """One remedy in one amount of data.

    Attributes:
        series: what a line joins: the base model and the kind of remedy.
        strategy: the remedy's name.
        alpha: its setting, if it has one.
        pairs: pairs trained on, if known.
        seeds: how many rows it is the mean of.
        means: by field of a row; without those that not all rows have.
    """

    series: str
    strategy: str
    alpha: float | None
    pairs: int | None
    seeds: int
    means: dict[str, Mean]

    @property
    def name(self) -> str:
        """The remedy and its setting."""
        implied = self.strategy.split(" + ")[0] in _ALPHA
        setting = "" if self.alpha is None or implied else f" {self.alpha:g}"
        return name_to_show(self.strategy, 40) + setting


def points_of(rows: Sequence[RemedyRow]) -> list[Point]:
    """Take rows together that differ in the seed alone, and in what follows from it: the model and the steps."""
    bases = {row.base for row in rows if row.base is not None}
    groups: dict[tuple[str, str, float | None, int | None], list[RemedyRow]] = {}
    for row in rows:
        kind, strategy, alpha = _kind_of(row)
        base = row.model if row.strategy == UNTRAINED and row.base is None else row.base
        series = f"{name_to_show(base or 'base', 50)}: {name_to_show(kind, 60)}" if len(bases) > 1 else kind
        pairs = None if row.strategy == UNTRAINED else row.pairs
        groups.setdefault((name_to_show(series, 120), strategy, alpha, pairs), []).append(row)
    return [
        Point(
            series,
            strategy,
            alpha,
            pairs,
            len(members),
            {name: mean for name in MEASURES if (mean := _mean([getattr(row, name) for row in members]))},
        )
        for (series, strategy, alpha, pairs), members in groups.items()
    ]


def _kind_of(row: RemedyRow) -> tuple[str, str, float | None]:
    """What a line joins the row's remedy with, the remedy, and alpha: mono and hybrid with alpha 1 are the same."""
    if row.strategy == UNTRAINED:
        return UNTRAINED, UNTRAINED, None
    batches, *objectives = row.strategy.split(" + ")
    variant = [each] if (each := variant_of(row)) else []
    if STEPS_SETTING in (row.settings or {}):  # else they follow from the amount of data
        variant.append(f"{row.steps or 0:,} steps")
    alpha = row.alpha if row.alpha is not None else _ALPHA.get(batches)
    if batches not in {*_ALPHA, "hybrid"}:
        return ", ".join([row.strategy, *variant]), row.strategy, alpha
    same = next((name for name, value in _ALPHA.items() if value == alpha), "hybrid")
    kind, strategy = (" + ".join([each, *objectives]) for each in (BATCHES, same))
    return ", ".join([kind, *variant]), strategy, alpha


def _mean(values: Sequence[float | None]) -> Mean | None:
    from scipy.stats import t

    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    margin = None
    if len(known) >= INTERVALS_FROM:
        margin = float(t.ppf(0.975, len(known) - 1)) * stdev(known) / sqrt(len(known))
    return Mean(fsum(known) / len(known), margin)


def curve_pictures(rows: Sequence[RemedyRow]) -> Iterator[Picture]:
    """The pictures of each benchmark: trade-off, alpha and scaling, each where there are points enough for it."""
    for task in dict.fromkeys(row.task for row in rows):
        points = points_of([row for row in rows if row.task == task])
        title = name_to_show(task, 60)
        for picture in (_trade_off(title, points), _over_alpha(title, points), _over_pairs(title, points)):
            if picture is not None:
                yield picture


def _trade_off(task: str, points: Sequence[Point]) -> Picture | None:
    from mteb_hybrid.html_report.draw_curves import trade_off

    usual = _usual_amount(points)
    shown = [
        point
        for point in points
        if {"monolingual", "multilingual"} <= point.means.keys() and point.pairs in {usual, None}
    ]
    if len(shown) < 2:
        return None
    best = max(shown, key=lambda point: point.means["multilingual"].value)
    return Picture(
        stem("trade-off", task),
        f"{task}: multilingual against monolingual MAP{_of_amount(usual)}",
        "Each point is a remedy with its setting; up and to the right is better. Points of one kind are joined in the "
        f"order of alpha. The greatest multilingual MAP is {best.means['multilingual'].value:.3f}, of {best.name}, "
        f"with a monolingual MAP of {best.means['monolingual'].value:.3f}.",
        _data(shown),
        partial(trade_off, shown),
    )


def _over_alpha(task: str, points: Sequence[Point]) -> Picture | None:
    usual = _usual_amount(points)
    with_alpha = [point for point in points if point.alpha is not None and point.pairs in {usual, None}]
    shown = _in_lines(with_alpha, lambda point: point.alpha)
    untrained = [point for point in points if point.strategy == UNTRAINED]
    return _panels(
        stem("alpha", task),
        f"{task}: figures by alpha, the share of monolingual batches or a remedy's own setting{_of_amount(usual)}",
        "alpha",
        shown,
        untrained,
        lambda point: point.alpha,
        False,
    )


def _over_pairs(task: str, points: Sequence[Point]) -> Picture | None:
    named = [
        Point(f"{point.series}, {point.name}", point.strategy, point.alpha, point.pairs, point.seeds, point.means)
        for point in points
        if point.pairs
    ]
    shown = _in_lines(named, lambda point: point.pairs)
    untrained = [point for point in points if point.strategy == UNTRAINED]
    return _panels(
        stem("scaling", task),
        f"{task}: figures by the number of pairs trained on",
        "pairs trained on",
        shown,
        untrained,
        lambda point: point.pairs,
        True,
    )


def _usual_amount(points: Sequence[Point]) -> int | None:
    """The number of pairs that most points have, the greatest of several: a curve over alpha is about alpha alone."""
    amounts = [point.pairs for point in points if point.pairs is not None]
    return max(amounts, key=lambda each: (amounts.count(each), each), default=None)


def _of_amount(pairs: int | None) -> str:
    return "" if pairs is None else f", trained on {pairs:,} pairs"


def _in_lines(points: Sequence[Point], at: Callable[[Point], float | None]) -> list[Point]:
    """The points of series that have several places, in the order of these."""
    places: dict[str, set[float | None]] = {}
    for point in points:
        places.setdefault(point.series, set()).add(at(point))
    lines = [point for point in points if len(places[point.series]) > 1]
    order = list(places)
    return sorted(lines, key=lambda point: (order.index(point.series), at(point) or 0.0))


def _panels(
    name: str,
    title: str,
    axis: str,
    points: Sequence[Point],
    untrained: Sequence[Point],
    at: Callable[[Point], float | None],
    logarithmic: bool,
) -> Picture | None:
    from mteb_hybrid.html_report.draw_curves import curve_panels

    if not points:
        return None
    measures = [each for each in MEASURES if any(each in point.means for point in points)]
    return Picture(
        name,
        title,
        f"A panel for each of {', '.join(MEASURES[each][0] for each in measures)}; along the bottom: {axis}. "
        + ("The dashed line is the untrained model. " if untrained else "")
        + " ".join(_ends(points, measures, at, axis)),
        _data([*untrained, *points]),
        partial(curve_panels, list(points), list(untrained), measures, axis, at, logarithmic),
    )


def _ends(
    points: Sequence[Point], measures: Sequence[str], at: Callable[[Point], float | None], axis: str
) -> Iterator[str]:
    """What the ends of the first series are, in words."""
    series = [point for point in points if point.series == points[0].series]
    first, last = series[0], series[-1]
    for measure in measures:
        if measure in first.means and measure in last.means:
            number = "{:,.1f}" if measure == "rank_distance" else "{:.3f}"
            ends = [number.format(each.means[measure].value) for each in (first, last)]
            places = [f"{at(each):,g}" for each in (first, last)]
            title = MEASURES[measure][0]
            yield f"{title[0].upper()}{title[1:]} goes from {ends[0]} ({places[0]}) to {ends[1]} ({places[1]})."


def _data(points: Sequence[Point]) -> Data:
    columns: list[tuple[str, Form]] = [
        ("series", "text"),
        ("strategy", "text"),
        ("alpha", "number"),
        ("pairs", "count"),
    ]
    columns.append(("seeds", "count"))
    for title, form in MEASURES.values():
        columns += [(title, form), (f"{title}, ±", form)]
    rows: list[tuple[Value, ...]] = []
    for point in points:
        figures: list[Value] = []
        for name in MEASURES:
            mean = point.means.get(name)
            figures += [mean.value, mean.margin] if mean else [None, None]
        strategy = name_to_show(point.strategy, 40)
        rows.append((point.series, strategy, point.alpha, point.pairs, point.seeds, *figures))
    return Data(tuple(columns), tuple(rows))
