"""The pictures over models and remedies, drawn with matplotlib; see ``draw`` for the colours."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mteb_hybrid.html_report.content import Form, name_to_show
from mteb_hybrid.html_report.curves import MEASURES, Mean, Point
from mteb_hybrid.html_report.draw import BLUE, GREEN, PURPLE, VERMILION, logarithmic, new_plot, plain_axes
from mteb_hybrid.reporting.remedies import UNTRAINED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

# Series differ in colour, in the form of their points and in their lines.
_SERIES = tuple(
    (colour, marker, line)
    for line in ("-", "--", ":")
    for colour, marker in ((BLUE, "o"), (VERMILION, "D"), (GREEN, "s"), (PURPLE, "^"))
)
_TOLD_APART_UP_TO = 4  # series of one point: their lines are not seen

_TICKS_UP_TO = 7
_LABEL_LIMIT = 40  # characters on a line of the legend
_NAME_LIMIT = 64  # characters beside the overview


@dataclass(frozen=True)
class Line:
    """A model, or a publication, in the overview.

    Attributes:
        label: its name.
        is_published: whether its figures come from a publication.
        means: a figure for each panel; None where there is none.
    """

    label: str
    is_published: bool
    means: tuple[Mean | None, ...]


def overview(lines: Sequence[Line], panels: Sequence[tuple[str, Form]], ink: str, ground: str) -> Plot:
    """Dots with intervals: a line for each model, a panel for each figure."""
    names = [name_to_show(line.label, _NAME_LIMIT) for line in lines]
    plot = new_plot(6.6 + 0.065 * max(map(len, names)), 0.9 + 0.235 * len(lines))
    grid = plot.subplots(1, len(panels), sharey=True, squeeze=False).ravel()
    for place, (axes, (title, form)) in enumerate(zip(grid, panels, strict=True)):
        for row, line in enumerate(lines):
            mean = line.means[place]
            if mean is None:
                continue
            colour, marker, face = (ink, "o", "none") if line.is_published else (BLUE, "D", BLUE)
            axes.errorbar(
                mean.value,
                row,
                xerr=mean.margin,
                fmt=marker,
                color=colour,
                markersize=5,
                markerfacecolor=face,
                markeredgewidth=1.1,
                elinewidth=1.6,
                alpha=0.75 if line.is_published else None,
            )
        axes.set_title(f"{title} {'←' if form == 'distance' else '→'}")
        axes.set_ylim(len(lines) - 0.4, -0.6)
        _few_ticks(axes)
        plain_axes(axes, ink)
    grid[0].set_yticks(range(len(lines)), names)
    return plot


def _few_ticks(axes: Axes) -> None:
    """Few figures below an axis, with as many decimals as say where they stand."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.margins(x=0.12)
    places = axes.get_xticks()
    step = float(places[1] - places[0])
    axes.xaxis.set_major_formatter(f"{{x:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}}")


def trade_off(points: Sequence[Point], ink: str, ground: str) -> Plot:
    """Multilingual against monolingual MAP: what the legend leaves open is written at the points."""
    plot = new_plot(7.2, 4.8)
    axes = plot.add_subplot()
    styles = _styles(points)
    alike = len(styles) > _TOLD_APART_UP_TO
    for series, (colour, marker, line) in styles:
        members = [point for point in points if point.series == series]
        members.sort(key=lambda point: (point.pairs or 0, -1.0 if point.alpha is None else point.alpha))
        untrained = members[0].strategy == UNTRAINED
        x, y = ([point.means[name] for point in members] for name in ("monolingual", "multilingual"))
        axes.errorbar(
            [mean.value for mean in x],
            [mean.value for mean in y],
            xerr=[mean.margin or 0 for mean in x],
            yerr=[mean.margin or 0 for mean in y],
            color=ink if untrained else colour,
            marker="*" if untrained else marker,
            markersize=11 if untrained else 6,
            linestyle=line,
            linewidth=1.3,
            elinewidth=1.1,
            label=series,
        )
        for point in members:
            place = (point.means["monolingual"].value, point.means["multilingual"].value)
            setting = "" if point.alpha is None else f"{point.alpha:g}"
            name = point.name if alike and len(members) == 1 else setting
            axes.annotate(name, place, xytext=(6, 5), textcoords="offset points", color=ink, fontsize=7.5)
    axes.set_xlabel("monolingual MAP")
    axes.set_ylabel("multilingual MAP")
    axes.margins(0.14)
    plain_axes(axes, ink)
    _legend(plot, axes, ink)
    return plot


def curve_panels(
    points: Sequence[Point],
    untrained: Sequence[Point],
    measures: Sequence[str],
    axis: str,
    at: Callable[[Point], float | None],
    in_logarithms: bool,
    ink: str,
    ground: str,
) -> Plot:
    """A panel for each figure, a line for each series."""
    plot = new_plot(8.6, 0.7 + 2.45 * math.ceil(len(measures) / 2))
    grid = plot.subplots(math.ceil(len(measures) / 2), min(2, len(measures)), squeeze=False).ravel()
    places = sorted({place for point in points if (place := at(point)) is not None})
    ticks = places if len(places) <= _TICKS_UP_TO else []
    for axes, measure in zip(grid, measures, strict=False):
        for point in untrained:
            if measure in point.means:
                axes.axhline(point.means[measure].value, color=ink, linestyle=(0, (5, 3)), linewidth=1, alpha=0.7)
        for series, (colour, marker, line) in _styles(points):
            members = [point for point in points if point.series == series and measure in point.means]
            axes.errorbar(
                [at(point) for point in members],
                [point.means[measure].value for point in members],
                yerr=[point.means[measure].margin or 0 for point in members],
                color=colour,
                marker=marker,
                markersize=5,
                linestyle=line,
                linewidth=1.5,
                elinewidth=1.2,
                capsize=2.5,
                label=series,
            )
        axes.set_title(MEASURES[measure][0])
        axes.set_xlabel(axis)
        if in_logarithms:
            logarithmic(axes, places[0], places[-1], ticks)
        elif ticks:
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        if MEASURES[measure][1] == "distance":
            axes.yaxis.set_major_formatter("{x:,.0f}")
        plain_axes(axes, ink)
    for axes in grid[len(measures) :]:
        axes.set_axis_off()
    _legend(plot, grid[0], ink)
    return plot


def _styles(points: Sequence[Point]) -> list[tuple[str, tuple[str, str, str]]]:
    names = list(dict.fromkeys(point.series for point in points))
    return [(name, _SERIES[place % len(_SERIES)]) for place, name in enumerate(names)]


def _legend(plot: Plot, axes: Axes, ink: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        shown = [textwrap.fill(name_to_show(label, 3 * _LABEL_LIMIT), _LABEL_LIMIT) for label in labels]
        plot.legend(handles, shown, loc="outside lower left", ncols=min(3, len(labels)), labelcolor=ink)
