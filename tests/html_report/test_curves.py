"""Means and intervals over seeds, by hand, and which curves there are."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from mteb_hybrid.html_report.curves import BATCHES, Mean, Point, curve_pictures, points_of
from mteb_hybrid.html_report.draw_curves import Line, overview, trade_off
from mteb_hybrid.reporting.remedies import RemedyRow
from tests.html_report.made import rows


def row(strategy: str, **more: Any) -> RemedyRow:
    values = {"task": "Toy", "model": "m", "strategy": strategy, "monolingual": 0.8, "multilingual": 0.5}
    return RemedyRow.model_validate(values | more)


def by_name(points: list[Point]) -> dict[tuple[str, int | None], Point]:
    return {(point.name, point.pairs): point for point in points}


def test_the_mean_over_three_seeds_has_a_t_interval() -> None:
    point = by_name(points_of(rows()))["hybrid 0.5", 1000]
    assert point.seeds == 3
    assert point.means["multilingual"].value == pytest.approx(0.57 + 0.01)
    # 0.57, 0.58, 0.59: standard deviation 0.01; t at 97.5 % with 2 degrees of freedom is 4.302653
    assert point.means["multilingual"].margin == pytest.approx(4.302653 * 0.01 / sqrt(3), rel=1e-6)
    assert point.means["cross_lingual"].margin == 0


def test_fewer_seeds_have_no_interval() -> None:
    two = points_of([row("hybrid", alpha=0.5, seed=seed, multilingual=0.5 + seed / 10) for seed in range(2)])
    assert [(point.seeds, point.means["multilingual"].margin) for point in two] == [(2, None)]
    assert two[0].means["multilingual"].value == pytest.approx(0.55)


def test_strategies_of_batches_are_one_series_over_alpha() -> None:
    points = points_of([row("mono"), row("cross"), row("hybrid", alpha=0.25), row("hybrid", alpha=1.0, seed=2)])
    assert {point.series for point in points} == {BATCHES}
    assert [(point.name, point.alpha, point.seeds) for point in points] == [
        ("mono", 1.0, 2),  # hybrid with alpha 1 is the same
        ("cross", 0.0, 1),
        ("hybrid 0.25", 0.25, 1),
    ]


def test_batches_with_an_objective_or_other_settings_are_series_of_their_own() -> None:
    slow = {"seed": 1, "training.learning_rate": 1e-5}
    points = points_of(
        [
            row("mono + keep"),
            row("hybrid + keep", alpha=0.25),
            row("hybrid + keep", alpha=0.25, settings={"seed": 2, "batches.alpha": 0.25}),
            row("hybrid", alpha=0.25, settings=slow),
            row("bilingual + keep", alpha=0.25),
        ]
    )
    assert [(point.series, point.name, point.alpha, point.seeds) for point in points] == [
        ("batches + keep", "mono + keep", 1.0, 1),
        ("batches + keep", "hybrid + keep 0.25", 0.25, 2),
        ("batches, training.learning_rate=1e-05", "hybrid 0.25", 0.25, 1),
        ("bilingual + keep", "bilingual + keep 0.25", 0.25, 1),
    ]


def test_steps_that_a_grid_varies_are_series_and_amounts_of_data_are_not() -> None:
    points = points_of(
        [
            row("hybrid", steps=100, settings={"training.max_steps": 100}),
            row("hybrid", steps=200, settings={"training.max_steps": 200}),
            row("mono", steps=5, pairs=50, settings={"data[0].rows": 50}),
            row("mono", steps=9, pairs=90, settings={"data[0].rows": 90}),
        ]
    )
    assert [point.series for point in points] == ["batches, 100 steps", "batches, 200 steps", BATCHES, BATCHES]


def test_bases_are_series_of_their_own() -> None:
    points = points_of([row("mono", base="small"), row("mono", base="large"), row("untrained", model="small")])
    assert [point.series for point in points] == ["small: batches", "large: batches", "small: untrained"]


def test_a_figure_that_a_seed_lacks_is_left_out() -> None:
    points = points_of([row("shift", seed=0, rank_distance=3.0), row("shift", seed=1)])
    assert "rank_distance" not in points[0].means and "monolingual" in points[0].means


def test_there_is_a_picture_of_each_kind() -> None:
    pictures = {picture.name: picture for picture in curve_pictures(rows())}
    assert list(pictures) == ["trade-off-toy", "alpha-toy", "scaling-toy"]
    alpha = pictures["alpha-toy"].data
    names = [name for name, _ in alpha.columns]
    assert [(line[names.index("alpha")], line[names.index("pairs")]) for line in alpha.rows] == [
        (None, None),  # untrained
        (0.0, 8000),
        (0.5, 8000),
        (1.0, 8000),
    ]
    assert "8,000 pairs" in pictures["trade-off-toy"].title
    assert "Multilingual MAP goes from 0.590 (0) to 0.550 (1)." in pictures["alpha-toy"].description


def test_one_amount_of_data_scales_nothing_and_one_remedy_trades_nothing() -> None:
    assert [picture.name for picture in curve_pictures(rows([1000]))] == ["trade-off-toy", "alpha-toy"]
    assert not list(curve_pictures([row("hybrid", alpha=0.5)]))


def words_of(points: list[Point]) -> tuple[list[str], list[str]]:
    """What the trade-off has at its points, and in its legend."""
    pytest.importorskip("matplotlib")
    plot = trade_off(points, "black", "white")
    legend = [text.get_text().replace("\n", " ") for text in plot.legends[0].get_texts()]
    return [text.get_text() for text in plot.axes[0].texts], legend


def test_the_trade_off_tells_alpha_at_the_points_and_the_rest_in_its_legend() -> None:
    averaged = {"batches.alpha": [0.25, 0.5], "training.learning_rate": 1e-5}
    at_points, legend = words_of(
        points_of(
            [
                row("untrained"),
                row("hybrid + distillation", alpha=0.25),
                row("mono + distillation"),
                row("hybrid + distillation averaged", settings=averaged),
            ]
        )
    )
    assert at_points == ["", "0.25", "1", ""]
    assert legend[:2] == ["untrained", "batches + distillation"]
    assert "training.learning_rate=1e-05" in legend[2]


def test_points_of_more_series_than_have_signs_of_their_own_are_named() -> None:
    at_points, _ = words_of(points_of([row(name) for name in ("untrained", "centering", "lir", "distill", "merged")]))
    assert at_points == ["untrained", "centering", "lir", "distill", "merged"]


@pytest.mark.parametrize(
    "span", [(0.755, 0.829), (0.79, 0.791), (0.2, 0.9), (221.1, 1214.3), (3.0, 60_000.0), (0.5, 0.5)]
)
def test_figures_below_the_overview_say_where_they_stand(span: tuple[float, float]) -> None:
    pytest.importorskip("matplotlib")
    lines = [Line(str(value), False, (Mean(value, None),)) for value in span]
    (axes,) = overview(lines, [("MAP", "score")], "#000000", "#ffffff").axes
    form, places = axes.xaxis.get_major_formatter(), [float(place) for place in axes.get_xticks()]
    assert 2 <= len(places) <= 7
    assert [float(form(place).replace(",", "").replace("\N{MINUS SIGN}", "-")) for place in places] == pytest.approx(
        places
    )
