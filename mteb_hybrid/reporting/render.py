"""Tables in a form to show: terminal, Markdown, CSV, LaTeX.

Labels and titles come from files, so every form takes them as text alone: control characters are replaced,
and what the form would read as markup is escaped.
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Literal, get_args

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.footnotes import INCOMPLETE_MARK, SIGNIFICANT_MARK
from mteb_hybrid.reporting.tables import Column, Measure, Row, Table

Format = Literal["terminal", "markdown", "csv", "latex"]

_NUMBER = {
    "score": "{:.3f}",
    "distance": "{:.1f}",
    "share": "{:.1%}",
    "score difference": "{:+.3f}",
    "distance difference": "{:+.1f}",
    "p": "{:.3f}",
}
_COLUMNS_AT_MOST = 24
_LEAST_P = 0.001  # what three decimals show
_ARROW = {"higher": " ↑", "lower": " ↓", None: ""}
_LATEX_ARROW = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", None: ""}
_CHANGE = {"score": "{:+.3f}", "distance": "{:+.1f}", "share": "{:+.1%}"}
_MISSING = "–"


def render(tables: Iterable[Table], format: Format = "terminal", width: int | None = None) -> str:
    """Return tables as text, without a line end after the last line.

    Scores have three decimals, distances and percentages one; CSV holds one figure a line, unrounded. Bold is shown
    in Markdown and LaTeX. A table of more than 24 languages has a row for each of them, and a column for each model,
    except in CSV.

    Args:
        tables: the tables, one below the other.
        format: the form.
        width: of the terminal, in characters: what is wider is shown in parts, some columns each; None parts nothing.

    Raises:
        HybridError: there is no such form.
    """
    if format not in get_args(Format):
        raise HybridError(f"no table format {one_line(format, 40)!r}; choose one of {', '.join(get_args(Format))}")
    if format == "csv":
        return _csv(tables)
    forms: dict[str, Callable[[Table], str]] = {
        "terminal": partial(_terminal, width=width),
        "markdown": _markdown,
        "latex": _latex,
    }
    return "\n\n".join(forms[format](_turned(table) if _is_wide(table) else table) for table in tables)


def _is_wide(table: Table) -> bool:
    return len(table.columns) > _COLUMNS_AT_MOST and len({column.measure for column in table.columns}) == 1


def _turned(table: Table) -> Table:
    """The table with its rows as columns."""
    measure = table.columns[0].measure
    rows = tuple(
        Row(
            column.title,
            tuple(row.cells[place] for row in table.rows),
            frozenset(at for at, row in enumerate(table.rows) if place in row.significant),
            frozenset(at for at, row in enumerate(table.rows) if place in row.bold),
        )
        for place, column in enumerate(table.columns)
    )
    columns = tuple(Column(row.label, measure) for row in table.rows)
    return replace(table, columns=columns, rows=rows, rows_are="language")


def _plain(text: str) -> str:
    """The text on one line and whole; only the length of error messages is bounded."""
    return one_line(text, limit=len(text))


def _number(cell: Cell, measure: Measure) -> str:
    if measure.form == "words":
        return _plain(cell.note)
    if cell.value is None:
        return _MISSING
    form, plus_minus = measure.form, f" ±{_NUMBER[measure.form].replace('+', '')}"
    if form == "p" and cell.value < _LEAST_P:
        return f"<{_LEAST_P}"
    number = _NUMBER[form].format(cell.value)
    number += "" if cell.margin is None else plus_minus.format(cell.margin)
    if cell.change is not None:
        of_change = "" if cell.change_margin is None else plus_minus.format(cell.change_margin)
        number += f" ({_CHANGE[form].format(cell.change)}{of_change})"
    return number + (INCOMPLETE_MARK if cell.note else "")


def _numbers(table: Table) -> list[tuple[str, list[str]]]:
    """The label and the figures of each row, as text."""
    return [(_plain(row.label), _row_numbers(row, table.columns)) for row in table.rows]


def _row_numbers(row: Row, columns: Sequence[Column]) -> list[str]:
    numbers = (_number(cell, column.measure) for cell, column in zip(row.cells, columns, strict=True))
    return [number + (SIGNIFICANT_MARK if place in row.significant else "") for place, number in enumerate(numbers)]


def _notes(table: Table) -> tuple[str, ...]:
    """Of a form that has bold."""
    return (*table.notes, *([table.bold_note] if table.bold_note else []))


def _with_bold(table: Table, escape: Callable[[str], str], bold: Callable[[str], str]) -> list[tuple[str, list[str]]]:
    """The label and the figures of each row, the figures escaped, and set in bold where they stand out."""

    def cells(row: Row, numbers: Iterable[str]) -> list[str]:
        return [bold(escape(each)) if at in row.bold else escape(each) for at, each in enumerate(numbers)]

    return [(label, cells(row, numbers)) for row, (label, numbers) in zip(table.rows, _numbers(table), strict=True)]


def _terminal(table: Table, width: int | None) -> str:
    lines = [_plain(table.title), ""]
    for part in _parts(table.columns, _numbers(table), width):
        lines += [*part, ""]
    notes = [line for note in table.notes for line in _folded(_plain(note), width)]
    return "\n".join(line.rstrip() for line in [*lines, *notes]).rstrip()


def _parts(
    columns: Sequence[Column], numbers: Sequence[tuple[str, Sequence[str]]], width: int | None
) -> Iterator[list[str]]:
    """The lines of a table: whole, or in parts of as many columns as fit, at least one."""
    start = 0
    while start < len(columns) or start == 0:
        end = len(columns)
        grid = _grid(columns[start:end], [(label, row[start:end]) for label, row in numbers])
        while width is not None and end - start > 1 and _width_of(grid) > width:
            # Columns are about as wide as each other: guess, then take one less at a time.
            fitting = (end - start) * width // _width_of(grid)
            end = start + max(1, min(end - start - 1, fitting))
            grid = _grid(columns[start:end], [(label, row[start:end]) for label, row in numbers])
        yield grid
        start = max(end, 1)


def _width_of(lines: Sequence[str]) -> int:
    """Of the widest line, in places of a terminal."""
    from rich.cells import cell_len

    return max(map(cell_len, lines), default=0)


def _folded(text: str, width: int | None) -> list[str]:
    return [text] if width is None else textwrap.wrap(text, max(width, 20))


def _grid(columns: Sequence[Column], numbers: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The lines of a table, however wide."""
    # Imported here: most commands show no table.
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("", no_wrap=True)
    for column in columns:
        grid.add_column(Text(_stacked(column)), justify="right", no_wrap=True, vertical="bottom")
    for label, row in numbers:
        # Text, not str: a str would be read as markup.
        grid.add_row(Text(label), *map(Text, row))
    console = Console(file=io.StringIO(), width=100_000, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(grid)
    return captured.get().splitlines()


def _stacked(column: Column) -> str:
    """A column's head in short lines, so that the column stays narrow."""
    name = textwrap.wrap(_plain(column.name) + _ARROW[column.measure.better], width=15)
    return "\n".join([*([_plain(column.group)] if column.group else []), *name])


def _markdown(table: Table) -> str:
    head = [_escape_markdown(column.title) + _ARROW[column.measure.better] for column in table.columns]
    lines = [
        f"### {_escape_markdown(table.title)}",
        "",
        _markdown_row(_escape_markdown(table.rows_are), head),
        _markdown_row("---", ["---:"] * len(head)),
        *(
            _markdown_row(_escape_markdown(label), row)
            for label, row in _with_bold(table, _escape_markdown, lambda text: f"**{text}**")
        ),
    ]
    for note in _notes(table):
        lines += ["", _escape_markdown(note)]
    return "\n".join(lines)


def _markdown_row(label: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([label, *cells])} |"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", _plain(text))


def _csv(tables: Iterable[Table]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "model", "column", "value", "margin", "change", "change_margin", "significant", "note"])
    for table in tables:
        for row in table.rows:
            for place, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
                of_cell = (cell.value, cell.margin, cell.change, cell.change_margin)
                figures = ("" if value is None else repr(value) for value in of_cell)
                significant = "yes" if place in row.significant else ""
                names = map(_plain, (table.title, row.label, column.title))
                writer.writerow([*names, *figures, significant, cell.note])
    return out.getvalue().removesuffix("\n")


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "{}$&#_%"},
        # After a row's end LaTeX takes [ and * for arguments.
        **{sign: f"{{{sign}}}" for sign in "[]*"},
        "±": r"$\pm$",
        SIGNIFICANT_MARK: r"\textdagger{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        _MISSING: r"\textendash{}",
    }
)


def _escape_latex(text: str) -> str:
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-{}", _plain(text).translate(_LATEX))


def _latex(table: Table) -> str:
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escape_latex(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        *_latex_groups(table.columns),
        _latex_row("", (_escape_latex(each.name) + _LATEX_ARROW[each.measure.better] for each in table.columns)),
        r"\midrule",
        *(
            _latex_row(_escape_latex(label), row)
            for label, row in _with_bold(table, _latex_number, lambda text: rf"\textbf{{{text}}}")
        ),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {_escape_latex(note)}" for note in _notes(table)),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _latex_number(number: str) -> str:
    # A mark takes no width, so that the digits stay below one another.
    for mark, sign in ((INCOMPLETE_MARK, INCOMPLETE_MARK), (SIGNIFICANT_MARK, _LATEX[ord(SIGNIFICANT_MARK)])):
        if number.endswith(mark):
            return rf"{_escape_latex(number.removesuffix(mark))}\rlap{{{sign}}}"
    return _escape_latex(number)


def _latex_row(label: str, cells: Iterable[str]) -> str:
    return " & ".join([label, *cells]) + r" \\"


def _latex_groups(columns: Sequence[Column]) -> list[str]:
    """The row of benchmarks above the columns, where there are any."""
    groups = [(group, len(list(members))) for group, members in groupby(columns, key=lambda column: column.group)]
    if not any(group for group, _ in groups):
        return []
    rules, start = [], 2
    for _, width in groups:
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    heads = (rf"\multicolumn{{{width}}}{{c}}{{{_escape_latex(group)}}}" for group, width in groups)
    return [_latex_row("", heads), " ".join(rules)]
