"""What tables mark as significant, and what they set in bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mteb_hybrid.comparing.marks import mark
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.render import render
from mteb_hybrid.reporting.resampling import DRAWS, Draws
from mteb_hybrid.reporting.tables import MAP, RANK_DISTANCE, TOP1_SHARE, Column, Measure, Row, Table

GROUPS = tuple(f"g{number:03}" for number in range(200))
BASE = np.random.default_rng(4).uniform(0.3, 0.7, 200)
NOISE = np.random.default_rng(5).normal(0, 0.05, 200) - np.random.default_rng(5).normal(0, 0.05, 200).mean()


def cell(scores: np.ndarray, base: np.ndarray | None = None, queries: str = "q", note: str = "") -> Cell:
    draws = Draws(np.zeros(DRAWS), GROUPS, scores / len(scores), (queries,), len(GROUPS))
    change = None if base is None else float(scores.mean() - base.mean())
    return Cell(float(scores.mean()), note, change, draw=lambda: draws)


def table(*cells: Cell, measure: Measure = MAP) -> Table:
    """One column, the rows a, b, c and so on."""
    rows = tuple(Row(label, (each,)) for label, each in zip("abcde", cells, strict=False))
    return Table("t", (Column("mono", measure),), rows, ("said before",))


def bold(marked: Table) -> list[str]:
    return [row.label for row in marked.rows if row.bold]


def significant(marked: Table) -> list[str]:
    return [row.label for row in marked.rows if row.significant]


def test_a_change_is_marked_if_it_is_significant() -> None:
    found = mark(table(cell(BASE), cell(BASE + NOISE + 0.05, BASE), cell(BASE + NOISE, BASE)), "a")
    assert significant(found) == ["b"]
    assert found.notes[0].startswith("† significant at the 5 % level: ")
    assert "(9,999 random swaps, seed 0), after Holm's correction for the 2 changes in this table." in found.notes[0]
    assert found.notes[1:] == ("said before",)
    text = render([replace(found, bold_note="")], "markdown")
    assert "(+0.050)†" in text
    assert "(+0.000) " in text or "(-0.000) " in text


def test_the_correction_is_for_all_changes_of_the_table() -> None:
    gain = next(
        gain for gain in np.arange(0.004, 0.01, 0.0002) if significant(mark(table(cell(BASE), shifted(gain)), "a"))
    )
    alone = mark(table(cell(BASE), shifted(gain)), "a")
    several = mark(table(cell(BASE), shifted(gain), *[cell(BASE + NOISE, BASE)] * 3), "a")
    assert (significant(alone), significant(several)) == (["b"], [])


def shifted(gain: float) -> Cell:
    return cell(BASE + NOISE + gain, BASE)


def test_without_a_baseline_there_are_no_marks_but_there_is_bold() -> None:
    found = mark(table(cell(BASE), cell(BASE + NOISE + 0.05)))
    assert (significant(found), bold(found)) == ([], ["b"])
    assert found.notes == ("said before",)
    assert "for the 1 pairs in this table" in found.bold_note


@pytest.mark.parametrize(
    ("gains", "measure", "best"),
    [
        ((0.0, 0.1, 0.05), MAP, ["b"]),
        ((0.0, 0.1, 0.099), MAP, []),
        ((0.1, 0.2, 0.0), RANK_DISTANCE, ["c"]),
        ((0.0, 0.1, 0.05), TOP1_SHARE, []),
        ((0.0,), MAP, []),
    ],
)
def test_bold_is_what_is_better_than_all_others(gains: Sequence[float], measure: Measure, best: list[str]) -> None:
    wobble = [np.roll(NOISE, 7 * place) for place in range(len(gains))]
    cells = [cell(BASE + each + gain) for each, gain in zip(wobble, gains, strict=True)]
    assert bold(mark(table(*cells, measure=measure))) == best


@pytest.mark.parametrize(
    "other",
    [Cell(0.2), cell(BASE - 0.3, queries="others"), cell(BASE - 0.3, note="1 of 2 subsets")],
    ids=["no single queries", "other queries", "incomplete"],
)
def test_where_one_cannot_be_tested_nothing_is_bold(other: Cell) -> None:
    cells = cell(BASE), cell(BASE + 0.1)
    assert bold(mark(table(*cells))) == ["b"]
    assert bold(mark(table(*cells, other))) == []
    assert bold(mark(table(*cells, Cell(None)))) == ["b"]  # a row without a figure is no other


def test_a_table_of_which_nothing_can_be_tested_stays_as_it_is() -> None:
    plain = table(cell(BASE), Cell(0.2))
    assert mark(plain, "a") == plain


def test_how_marks_look() -> None:
    found = mark(table(cell(BASE), cell(BASE + 0.1, BASE)), "a")
    number = f"{BASE.mean() + 0.1:.3f} (+0.100)"
    assert f"| b | **{number}†** |" in render([found], "markdown")
    assert rf"b & \textbf{{{number}\rlap{{\textdagger{{}}}}}} \\" in render([found], "latex")
    terminal = render([found])
    assert f"{number}†" in terminal
    assert "Bold" not in terminal  # it has none
    assert all("Bold: better than every other" in render([found], form) for form in ("markdown", "latex"))
    assert "†" not in render([found], "csv")
