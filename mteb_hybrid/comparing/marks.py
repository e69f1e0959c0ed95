"""Marks in tables: which changes are significant, and which figure is better than all others of its column.

Two families, each with Holm's correction of its own: all changes from the baseline in the table, and all pairs of rows
in all of its columns, as the best row is chosen by the same figures that are tested. A figure is bold if it is better
than every other of its column and all these differences are significant. Where one of them cannot be tested nothing is
bold: scores of single queries were not kept, subsets are missing, data differ, or the figure is a published one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mteb_hybrid.comparing.holm import holm
from mteb_hybrid.comparing.swaps import describe_swaps, swap_p_values
from mteb_hybrid.comparing.verdict import LEVEL
from mteb_hybrid.reporting.footnotes import SIGNIFICANT_MARK

if TYPE_CHECKING:
    from mteb_hybrid.comparing.swaps import Floats
    from mteb_hybrid.reporting.resampling import Draws
    from mteb_hybrid.reporting.tables import Table

_Pair = tuple[int, int, int]  # two rows, the first above the second, and a column


def mark(table: Table, baseline: str | None = None) -> Table:
    """Mark significant changes, set bold what is best beyond doubt, and say so below.

    Args:
        table: the table, with changes if there is a baseline.
        baseline: the label of the row that changes are from.
    """
    pairs, shares, figures = _testable(table)
    if not pairs:
        return table
    p_values = dict(zip(pairs, swap_p_values(shares, pairs=figures).tolist(), strict=True))
    base = next((place for place, row in enumerate(table.rows) if row.label == baseline), None)
    changes = [pair for pair in pairs if base in pair[:2] and _changed(table, pair, base)]
    ranked = [pair for pair in pairs if table.columns[pair[2]].measure.better is not None]
    differing, standing = _significant(changes, p_values), _significant(ranked, p_values)
    rows = tuple(
        replace(
            row,
            significant=frozenset(column for *two, column in differing if at in two and at != base),
            bold=frozenset(column for column in range(len(table.columns)) if _is_best(table, at, column, standing)),
        )
        for at, row in enumerate(table.rows)
    )
    swaps = describe_swaps(len(shares), len(pairs))
    notes = (*([_change_note(len(changes), swaps)] if changes else []), *table.notes)
    return replace(table, rows=rows, notes=notes, bold_note=_bold_note(len(ranked), swaps) if ranked else "")


def _testable(table: Table) -> tuple[list[_Pair], Floats, list[tuple[int, int]]]:
    """The pairs of figures of the same queries, what each group adds to each figure, and the figures of each pair."""
    drawn = [[None if cell.note else cell.draw() for cell in row.cells] for row in table.rows]
    pairs = [
        (one, other, column)
        for one, other in combinations(range(len(drawn)), 2)
        for column in range(len(table.columns))
        if _same_queries(drawn[one][column], drawn[other][column])
    ]
    groups = sorted({group for row in drawn for each in row if each is not None for group in each.groups})
    shares = {
        (at, column): each.shares_of(groups)
        for at, row in enumerate(drawn)
        for column, each in enumerate(row)
        if each is not None
    }
    place = {cell: number for number, cell in enumerate(shares)}
    figures = [(place[one, column], place[other, column]) for one, other, column in pairs]
    return pairs, np.stack(list(shares.values()), axis=1) if shares else np.zeros((0, 0)), figures


def _same_queries(one: Draws | None, other: Draws | None) -> bool:
    return one is not None and other is not None and one.queries == other.queries


def _changed(table: Table, pair: _Pair, base: int | None) -> bool:
    one, other, column = pair
    return table.rows[other if one == base else one].cells[column].change is not None


def _significant(family: Sequence[_Pair], p_values: dict[_Pair, float]) -> set[_Pair]:
    adjusted = holm([p_values[pair] for pair in family])
    return {pair for pair, p in zip(family, adjusted, strict=True) if p <= LEVEL}


def _is_best(table: Table, at: int, column: int, significant: set[_Pair]) -> bool:
    """Whether a row's figure is better than all others of its column, significantly."""
    others = [other for other, row in enumerate(table.rows) if other != at and row.cells[column].value is not None]
    return bool(others) and all(
        (min(at, other), max(at, other), column) in significant and _is_better(table, at, other, column)
        for other in others
    )


def _is_better(table: Table, at: int, other: int, column: int) -> bool:
    one, two = (table.rows[place].cells[column].value for place in (at, other))
    if one is None or two is None:
        return False
    return one > two if table.columns[column].measure.better == "higher" else one < two


def _change_note(changes: int, swaps: str) -> str:
    return (
        f"{SIGNIFICANT_MARK} significant at the {LEVEL * 100:g} % level: paired randomisation test, which swaps whole "
        f"parallel groups of questions ({swaps}), after Holm's correction for the {changes} changes in this table."
    )


def _bold_note(pairs: int, swaps: str) -> str:
    return (
        "Bold: better than every other figure of its column, each difference significant by the paired randomisation "
        f"test ({swaps}) after Holm's correction for the {pairs} pairs in this table. A column without bold has no "
        "such figure, or one that cannot be tested."
    )
