"""The pictures by language, drawn with matplotlib.

Every function takes the data, then a colour for lines and letters (``ink``) and one for what parts surfaces
(``ground``), so that the same picture fits a light page, a dark page and a paper. Other colours stand out on each:
ColorBrewer's Blues, and the blue and vermilion that colour-blind eyes tell apart (after Okabe and Ito 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

from mteb_hybrid.errors import HybridError
from mteb_hybrid.html_report.content import Form
from mteb_hybrid.html_report.ranks import OTHERS, RankSpread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

BLUE, VERMILION, GREEN, PURPLE = "#3f80c4", "#d1600a", "#12906d", "#b25a9c"

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same measures everywhere
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "auto",
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "svg.hashsalt": "mteb-hybrid",
    "path.simplify": False,
}

_FIGURES_UP_TO = 24  # rows or columns; beyond, cells are too small for a figure
_MISSING = "#b8b8b8"
_CELL: dict[str, str] = {"score": "{:.2f}", "share": "{:.0%}"}

P = ParamSpec("P")


def check_matplotlib() -> None:
    """Say what to install where matplotlib is missing.

    Raises:
        HybridError: it is.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise HybridError("a report needs matplotlib; install it with pip install 'mteb-hybrid[report]'") from None


def drawn(draw: Callable[[str, str], Plot], ink: str, ground: str) -> Plot:
    """Draw a picture in the style of the report."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return draw(ink, ground)


def new_plot(width: float, height: float) -> Plot:
    """An empty picture, its size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain_axes(axes: Axes, ink: str) -> None:
    """Two axes in ink, without ticks, and pale lines across."""
    axes.tick_params(colors=ink, which="both", length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(ink)
        spine.set_alpha(0.45)
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    axes.title.set_color(ink)
    axes.grid(True, color=ink, alpha=0.13, linewidth=0.7)


def logarithmic(axes: Axes, low: float, high: float, places: Sequence[float] = ()) -> None:
    """Make the horizontal axis logarithmic, with figures written out: at places, or at 1, 10, 100, 1,000."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(low * 0.8, high * 1.25)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = list(places) or [10.0**power for power in range(first, last + 1)]
    ticks = [tick for tick in ticks if low * 0.8 <= tick <= high * 1.25]
    if len(ticks) < 2:  # less than a decade
        ticks = sorted({low, high})
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels([f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks])


def heat_map(
    names: Sequence[str],
    values: Sequence[Sequence[float | None]],
    form: Form,
    span: tuple[float, float],
    ink: str,
    ground: str,
) -> Plot:
    """A heat map, a row for each query language and a column for each passage language.

    Args:
        names: the languages.
        values: a row for each query language; None where there is no figure.
        form: ``score`` or ``share``.
        span: what the lightest and the darkest colour stand for.
        ink: of letters.
        ground: of the lines between cells.
    """
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    low, high = span
    norm = Normalize(low, high if high > low else low + 1e-9)
    colours = colormaps["Blues"].with_extremes(bad=_MISSING)
    table = np.ma.masked_invalid([[math.nan if value is None else value for value in row] for row in values])
    size, few = len(names), len(names) <= _FIGURES_UP_TO
    cell = min(0.2, max(7.2 / size, 0.08))  # inches; a name fits beside each
    width, height = (1.6 + 0.5 * size, 1.1 + 0.32 * size) if few else (1.6 + cell * size, 1.1 + cell * size)
    plot = new_plot(max(width, 4.2), max(height, 2.0))
    axes = plot.add_subplot()
    if few:
        mesh: Any = axes.pcolormesh(table, cmap=colours, norm=norm, edgecolors=ground, linewidth=1.2)
        axes.set_aspect("auto")
        axes.invert_yaxis()
    else:
        mesh = axes.imshow(table, cmap=colours, norm=norm, interpolation="nearest", extent=(0, size, size, 0))
    for row, line in enumerate(values if few else ()):
        for column, value in enumerate(line):
            colour = "#000000" if value is None else _letters_on(colours(norm(value)))
            text = "–" if value is None else _CELL[form].format(value)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=colour, fontsize=8)
    places = [place + 0.5 for place in range(size)]
    axes.set_xticks(places, names, rotation=0 if few and max(map(len, names)) < 6 else 90)
    axes.set_yticks(places, names)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("language of the passages")
    axes.set_ylabel("language of the query")
    plain_axes(axes, ink)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not few:
        axes.tick_params(labelsize=min(8.0, 70 * cell))
    _colour_bar(plot, axes, mesh, form, ink, aspect=22 if few else 60)
    return plot


def _colour_bar(plot: Plot, axes: Axes, mesh: Any, form: Form, ink: str, aspect: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    form_of = FuncFormatter(lambda value, _: _CELL[form].format(value))
    bar: Any = plot.colorbar(mesh, ax=axes, shrink=0.85, aspect=aspect, pad=0.025, format=form_of, ticks=MaxNLocator(5))
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=ink, length=0)


def _letters_on(colour: Sequence[float]) -> str:
    """Black or white, whichever is read better: WCAG 2's contrast is then 4.5 or more on any colour."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05
    return "#000000" if light / 0.05 >= 1.05 / light else "#ffffff"


def rank_panels(spreads: Sequence[RankSpread], greatest: float, ink: str, ground: str) -> Plot:
    """Small multiples of ranks, a panel for each query language; one panel where other languages are pooled."""
    queries = list(dict.fromkeys(each.query for each in spreads))
    if any(each.answer == OTHERS for each in spreads):
        plot = new_plot(7.2, 1.2 + (0.24 if len(queries) <= 40 else 0.16) * len(queries))
        axes = plot.add_subplot()
        _rank_lines(axes, spreads, [each.query for each in spreads], ink, greatest, shift=0.19)
        axes.set_ylabel("language of the query")
        axes.set_xlabel("rank of the answer")
    else:
        columns = min(3 if len(queries) < 10 else 4, len(queries))
        rows = math.ceil(len(queries) / columns)
        tall = max(sum(each.query == query for each in spreads) for query in queries)
        plot = new_plot(max(2.3 * columns, 4.2), rows * (0.55 + 0.15 * tall) + 0.5)
        grid = plot.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        for axes, query in zip(grid, queries, strict=False):
            of_query = [each for each in spreads if each.query == query]
            _rank_lines(axes, of_query, [each.answer for each in of_query], ink, greatest)
            axes.set_title(f"queries in {name_of(query)}")
            axes.tick_params(labelbottom=True, labelsize=7.5)
        for axes in grid[len(queries) :]:
            axes.set_axis_off()
        plot.supxlabel("rank of the answer", color=ink, fontsize=8.5)
    _rank_legend(plot, ink)
    return plot


def name_of(tag: str) -> str:
    """A language's tag as it is shown."""
    from mteb_hybrid.html_report.content import name_to_show

    return name_to_show(tag, 24)


def _rank_lines(
    axes: Axes, spreads: Sequence[RankSpread], names: Sequence[str], ink: str, greatest: float, shift: float = 0
) -> None:
    rows = {name: place for place, name in enumerate(dict.fromkeys(names))}
    for own, colour in ((True, VERMILION), (False, BLUE)):
        chosen = [(each, rows[name]) for each, name in zip(spreads, names, strict=True) if each.is_own is own]
        if not chosen:
            continue
        places = [place + (-shift if own else shift) for _, place in chosen]
        low, first, median, third, high = zip(*(each.quantiles for each, _ in chosen), strict=True)
        axes.hlines(places, low, high, colors=colour, linewidth=0.9)
        axes.hlines(places, first, third, colors=colour, linewidth=3.6)
        marker = "D" if own else "o"
        axes.plot(median, places, marker, color=colour, markersize=4.6, markeredgecolor=ink, markeredgewidth=0.9)
    axes.set_yticks(range(len(rows)), [name_of(name) for name in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    logarithmic(axes, 1, max(greatest, 10))
    plain_axes(axes, ink)


def _rank_legend(plot: Plot, ink: str) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4.6, linewidth=3, markeredgecolor=ink, label=label)
        for colour, marker, label in (
            (VERMILION, "D", "answer in the query's language"),
            (BLUE, "o", "answer in another language"),
        )
    ]
    plot.legend(handles=handles, loc="outside upper left", ncols=2, labelcolor=ink, borderpad=0)
