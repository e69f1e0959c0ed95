"""Heat maps as SVG: one file, without scripts and fonts from elsewhere.

Colours go from light to dark in one hue (ColorBrewer's Blues and Oranges, which colour-blind eyes tell apart as well as
others do), on a ground of their own, so that pages may be light or dark.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal
from xml.sax.saxutils import escape

from mteb_hybrid.errors import one_line

Form = Literal["score", "share", "distance"]
Values = Sequence[Sequence[float | None]]

_BLUES = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
_ORANGES = ("#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")
_SCALES: dict[Form, tuple[str, ...]] = {"score": _BLUES, "share": _BLUES, "distance": _ORANGES}
_NUMBER: dict[Form, str] = {"score": "{:.2f}", "share": "{:.0%}", "distance": "{:,.0f}"}
_SHADES = 48
_GROUND, _INK, _MISSING = "#ffffff", "#1a1a1a", "#d9d9d9"
_FIGURES_UP_TO = 24  # columns or rows; beyond, cells are too small for a figure
_MARGIN = 12.0
_LABEL_LIMIT = 24


@dataclass(frozen=True)
class _Layout:
    """Where things are, in units of the picture."""

    rows: int
    columns: int
    cell_width: float
    cell_height: float
    font: float
    left: float
    top: float
    title: tuple[str, ...]
    width: float
    height: float

    @property
    def with_figures(self) -> bool:
        return max(self.rows, self.columns) <= _FIGURES_UP_TO

    @property
    def right(self) -> float:
        return self.left + self.columns * self.cell_width

    @property
    def bottom(self) -> float:
        return self.top + self.rows * self.cell_height


def heat_map(
    title: str,
    row_names: Sequence[str],
    column_names: Sequence[str],
    values: Values,
    *,
    form: Form,
    row_axis: str,
    column_axis: str,
) -> str:
    """Return a heat map as the text of an SVG file.

    Up to 24 rows and columns every cell shows its figure; beyond, cells are smaller and show their colour alone.

    Args:
        title: what the picture shows.
        row_names: a name for each row.
        column_names: a name for each column.
        values: the figures, a row each; None where there is none.
        form: a score (two decimals), a share (per cent, coloured from 0 to 1) or a distance in ranks.
        row_axis: what the rows are.
        column_axis: what the columns are.

    Raises:
        ValueError: there are no cells, or not as many values as names.
    """
    if not row_names or not column_names:
        raise ValueError("a heat map needs rows and columns")
    if len(values) != len(row_names) or any(len(row) != len(column_names) for row in values):
        raise ValueError(f"values are not {len(row_names)} rows of {len(column_names)}")
    figures = [[None if value is None or not math.isfinite(value) else value for value in row] for row in values]
    rows, columns = (
        [one_line(name, _LABEL_LIMIT) for name in row_names],
        [one_line(n, _LABEL_LIMIT) for n in column_names],
    )
    layout = _layout(one_line(title, 200), rows, columns)
    low, high = _range(figures, form)
    parts = chain(
        _head(layout, one_line(title, 200), one_line(row_axis, 80), one_line(column_axis, 80)),
        _names(layout, rows, columns),
        _cells(layout, figures, form, low, high),
        _figures(layout, figures, form, low, high) if layout.with_figures else (),
        _legend(layout, form, low, high),
        ["</svg>\n"],
    )
    return "\n".join(parts)


def _layout(title: str, rows: Sequence[str], columns: Sequence[str]) -> _Layout:
    most = max(len(rows), len(columns))
    if most <= _FIGURES_UP_TO:
        cell_width, cell_height, font = 44.0, 26.0, 12.0
    else:
        cell_width = cell_height = 16.0 if most <= 60 else 9.0
        font = 11.0 if most <= 60 else 8.0
    # Names are measured by their number of characters: a little wide for most scripts.
    left = _MARGIN + 22 + max(map(len, rows)) * font * 0.66
    right = left + len(columns) * cell_width
    width = max(right + _MARGIN + 8, 420.0)
    lines = tuple(textwrap.wrap(title, max(20, int((width - 2 * _MARGIN) / 8.5)))) or ("",)
    names = _upright(columns, cell_width, font)
    top = _MARGIN + 20 * len(lines) + 22 + (max(map(len, columns)) * font * 0.66 + 4 if names else font + 6)
    height = top + len(rows) * cell_height + 58
    return _Layout(len(rows), len(columns), cell_width, cell_height, font, left, top, lines, width, height)


def _upright(names: Sequence[str], cell_width: float, font: float) -> bool:
    """Whether the columns' names must be turned by a quarter to fit."""
    return max(map(len, names)) * font * 0.66 > cell_width - 2


def _range(figures: Values, form: Form) -> tuple[float, float]:
    """What the lightest and the darkest colour stand for."""
    if form == "share":
        return 0.0, 1.0
    found = [value for row in figures for value in row if value is not None]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _head(layout: _Layout, title: str, row_axis: str, column_axis: str) -> Iterator[str]:
    width, height = _number(layout.width), _number(layout.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{_number(layout.font)}" fill="{_INK}">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f"<desc>Rows: {escape(row_axis)}. Columns: {escape(column_axis)}.</desc>"
    yield f'<rect width="{width}" height="{height}" rx="6" fill="{_GROUND}"/>'
    for place, line in enumerate(layout.title):
        yield _text(_MARGIN, _MARGIN + 15 + 20 * place, line, 'font-size="15" font-weight="600"')
    middle = (layout.left + layout.right) / 2
    top = _MARGIN + 20 * len(layout.title) + 14
    yield _text(max(middle, layout.left), top, column_axis, 'text-anchor="middle" font-size="12"')
    x, y = _number(_MARGIN + 10), _number((layout.top + layout.bottom) / 2)
    yield _text(0, 0, row_axis, f'text-anchor="middle" font-size="12" transform="translate({x} {y}) rotate(-90)"')


def _names(layout: _Layout, rows: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(rows):
        y = layout.top + (place + 0.5) * layout.cell_height + layout.font * 0.35
        yield _text(layout.left - 5, y, name, 'text-anchor="end"')
    upright = _upright(columns, layout.cell_width, layout.font)
    for place, name in enumerate(columns):
        x, y = layout.left + (place + 0.5) * layout.cell_width, layout.top - 6
        if upright:
            turned = f'transform="translate({_number(x + layout.font * 0.35)} {_number(y)}) rotate(-90)"'
            yield _text(0, 0, name, turned)
        else:
            yield _text(x, y, name, 'text-anchor="middle"')


def _cells(layout: _Layout, figures: Values, form: Form, low: float, high: float) -> Iterator[str]:
    """One path for each shade, which keeps a picture of 122 languages small."""
    paths: dict[str, list[str]] = {}
    width, height = _number(layout.cell_width), _number(layout.cell_height)
    for row, line in enumerate(figures):
        y = _number(layout.top + row * layout.cell_height)
        for column, value in enumerate(line):
            shade = _MISSING if value is None else _shade(value, form, low, high)
            x = _number(layout.left + column * layout.cell_width)
            paths.setdefault(shade, []).append(f"M{x} {y}h{width}v{height}h-{width}z")
    # A thin line in the ground's colour parts the cells.
    stroke = f' stroke="{_GROUND}" stroke-width="{"1" if layout.with_figures else "0.4"}"'
    for shade, cells in sorted(paths.items()):
        yield f'<path fill="{shade}"{stroke} d="{"".join(cells)}"/>'


def _figures(layout: _Layout, figures: Values, form: Form, low: float, high: float) -> Iterator[str]:
    for row, line in enumerate(figures):
        y = layout.top + (row + 0.5) * layout.cell_height + layout.font * 0.35
        for column, value in enumerate(line):
            x = layout.left + (column + 0.5) * layout.cell_width
            shade = _MISSING if value is None else _shade(value, form, low, high)
            shown = "–" if value is None else _NUMBER[form].format(value)
            yield _text(x, y, shown, f'text-anchor="middle" fill="{_ink(shade)}"')


def _legend(layout: _Layout, form: Form, low: float, high: float) -> Iterator[str]:
    """The colours from least to most, with what they stand for."""
    y, step = layout.bottom + 18, 160 / _SHADES
    x = layout.left + 46
    for place in range(_SHADES):
        fill = f'height="12" fill="{_colour(_SCALES[form], (place + 0.5) / _SHADES)}"'
        yield f'<rect x="{_number(x + place * step)}" y="{_number(y)}" width="{_number(step + 0.3)}" {fill}/>'
    yield _text(x - 5, y + 10, _NUMBER[form].format(low), 'text-anchor="end" font-size="12"')
    yield _text(x + 165, y + 10, _NUMBER[form].format(high), 'font-size="12"')


def _shade(value: float, form: Form, low: float, high: float) -> str:
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return _colour(_SCALES[form], (min(int(share * _SHADES), _SHADES - 1) + 0.5) / _SHADES)


def _colour(scale: Sequence[str], share: float) -> str:
    """The colour at a share of the way along a scale, between its two nearest."""
    place = share * (len(scale) - 1)
    first = min(int(place), len(scale) - 2)
    mixed = (a + (b - a) * (place - first) for a, b in zip(_rgb(scale[first]), _rgb(scale[first + 1]), strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _ink(ground: str) -> str:
    """Black or white, whichever is read better on a colour: WCAG 2's contrast is then 4.5 or more on any."""
    light = _luminance(ground) + 0.05
    return "#000000" if light / 0.05 >= 1.05 / light else "#ffffff"


def _luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    parts = [part / 255 for part in _rgb(colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{_number(x)}" y="{_number(y)}" {attributes}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
