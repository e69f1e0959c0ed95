"""The four forms of a table, exactly, and that no text from a file is taken for markup."""

from __future__ import annotations

import csv
import re
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.render import Format, render
from mteb_hybrid.reporting.tables import MAP, RANK_DISTANCE, TOP1_SHARE, Column, Measure, Row, Table

TABLE = Table(
    "A title",
    (
        Column("mono", MAP, "XQuAD-R"),
        Column("rank distance", RANK_DISTANCE, "XQuAD-R"),
        Column("top 1 in query language", TOP1_SHARE, "My_Own"),
    ),
    (
        Row("local/ours", (Cell(0.81649999, "7 of 11 subsets"), Cell(221.06), Cell(0.1234))),
        Row("LaBSE, X-Y (published)", (Cell(0.8), Cell(None), Cell(None))),
    ),
    ("* local/ours: XQuAD-R mono 7 of 11 subsets.", "Another note."),
)

# Everything that any of the forms could trip over, control characters and lone surrogates included.
texts = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from("[]()*_|\\&%$#{}~^<>`\"'=,;:@-\n\t\x1b"))
)
tables = st.builds(
    lambda title, group, labels, note: Table(
        title,
        (Column("mono", MAP, group), Column("top 1 in query language", TOP1_SHARE, group)),
        tuple(Row(label, (Cell(0.5, "1 of 2 subsets"), Cell(None))) for label in labels),
        (note,),
    ),
    texts,
    texts,
    st.lists(texts, min_size=1, max_size=3),
    texts,
)


def test_terminal() -> None:
    assert render([TABLE]).splitlines() == [
        "A title",
        "",
        "                                                             My_Own",
        "                         XQuAD-R           XQuAD-R   top 1 in query",
        "                          mono ↑   rank distance ↓         language",
        "───────────────────────────────────────────────────────────────────",
        "local/ours                0.816*             221.1            12.3%",
        "LaBSE, X-Y (published)     0.800                 –                –",
        "",
        "* local/ours: XQuAD-R mono 7 of 11 subsets.",
        "Another note.",
    ]


def test_markdown() -> None:
    assert render([TABLE], "markdown").splitlines() == [
        "### A title",
        "",
        r"| model | XQuAD-R mono ↑ | XQuAD-R rank distance ↓ | My\_Own top 1 in query language |",
        "| --- | ---: | ---: | ---: |",
        r"| local/ours | 0.816\* | 221.1 | 12.3% |",
        "| LaBSE, X-Y (published) | 0.800 | – | – |",
        "",
        r"\* local/ours: XQuAD-R mono 7 of 11 subsets.",
        "",
        "Another note.",
    ]


def test_csv_holds_unrounded_figures() -> None:
    assert render([TABLE, TABLE], "csv").splitlines()[:8] == [
        "table,model,column,value,margin,change,change_margin,significant,note",
        "A title,local/ours,XQuAD-R mono,0.81649999,,,,,7 of 11 subsets",
        "A title,local/ours,XQuAD-R rank distance,221.06,,,,,",
        "A title,local/ours,My_Own top 1 in query language,0.1234,,,,,",
        'A title,"LaBSE, X-Y (published)",XQuAD-R mono,0.8,,,,,',
        'A title,"LaBSE, X-Y (published)",XQuAD-R rank distance,,,,,,',
        'A title,"LaBSE, X-Y (published)",My_Own top 1 in query language,,,,,,',
        "A title,local/ours,XQuAD-R mono,0.81649999,,,,,7 of 11 subsets",
    ]


def test_csv_holds_changes_and_what_is_significant() -> None:
    cells = (Cell(0.5, change=0.25, margin=0.125, change_margin=0.0625), Cell(0.1, change=0.0))
    table = Table("t", (Column("a", MAP), Column("b", MAP)), (Row("m", cells, significant=frozenset({0})),))
    assert render([table], "csv").splitlines()[1:] == ["t,m,a,0.5,0.125,0.25,0.0625,yes,", "t,m,b,0.1,,0.0,,,"]


def test_latex() -> None:
    assert render([TABLE], "latex").splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{A title}",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{XQuAD-R} & \multicolumn{1}{c}{My\_Own} \\",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-4}",
        r" & mono $\uparrow$ & rank distance $\downarrow$ & top 1 in query language \\",
        r"\midrule",
        r"local/ours & 0.816\rlap{*} & 221.1 & 12.3\% \\",
        r"LaBSE, X-Y (published) & 0.800 & \textendash{} & \textendash{} \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\footnotesize {*} local/ours: XQuAD-R mono 7 of 11 subsets.",
        r"\par\footnotesize Another note.",
        r"\end{table}",
    ]


def test_latex_without_groups_has_one_head() -> None:
    table = Table("t", (Column("de", MAP), Column("mean", MAP)), (Row("m", (Cell(0.5), Cell(0.5))),))
    assert "multicolumn" not in render([table], "latex")


@pytest.mark.parametrize(
    ("label", "format", "shown"),
    [
        ("[bold red]x[/bold red] :smile:", "terminal", "[bold red]x[/bold red] :smile:"),
        ("a\x1b[31m\nb\u202ec", "terminal", "a [31m b c"),
        ("a|b", "markdown", r"a\|b"),
        ("<b>[x](http://y)*`", "markdown", r"\<b\>\[x\](http://y)\*\`"),
        ("back\\slash|", "markdown", r"back\\slash\|"),
        ("a_b%c&d#e$f{g}", "latex", r"a\_b\%c\&d\#e\$f\{g\}"),
        (r"\input{x}", "latex", r"\textbackslash{}input\{x\}"),
        ("[1em]~^*--", "latex", r"{[}1em{]}\textasciitilde{}\textasciicircum{}{*}-{}-"),
        ('=1+1,"x"', "csv", '"=1+1,""x"""'),
    ],
)
def test_text_is_never_markup(label: str, format: Format, shown: str) -> None:
    table = Table("t", (Column("mono", MAP),), (Row(label, (Cell(0.5),)),))
    assert shown in render([table], format)


def test_an_unknown_form_is_told_with_those_there_are() -> None:
    with pytest.raises(HybridError, match="no table format 'html'; choose one of terminal, markdown, csv, latex"):
        render([TABLE], cast(Format, "html"))


def test_several_tables_stand_one_below_the_other() -> None:
    one = render([TABLE])
    assert render([TABLE, TABLE]) == f"{one}\n\n{one}"


def test_differences_have_a_sign_and_p_values_a_least() -> None:
    columns = (
        Column("change", Measure("score difference", None)),
        Column("ranks", Measure("distance difference", None)),
        Column("p", Measure("p", None)),
        Column("verdict", Measure("words", None)),
    )
    one = (Cell(0.0123, margin=0.0045), Cell(-12.34, margin=5.67), Cell(0.0004), Cell(None, "better"))
    two = (Cell(-0.0004), Cell(3.0), Cell(0.001), Cell(None, ""))
    text = render([Table("t", columns, (Row("one", one), Row("two", two)), rows_are="setting")], "markdown")
    assert text.splitlines()[2:] == [
        "| setting | change | ranks | p | verdict |",
        "| --- | ---: | ---: | ---: | ---: |",
        r"| one | +0.012 ±0.004 | -12.3 ±5.7 | \<0.001 | better |",
        "| two | -0.000 | +3.0 | 0.001 |  |",
    ]


@pytest.mark.parametrize(
    ("form", "shown", "noted"),
    [
        ("markdown", r"| m | **0.500†** | 0.250† | **0.125\*** |", True),
        (
            "latex",
            r"m & \textbf{0.500\rlap{\textdagger{}}} & 0.250\rlap{\textdagger{}} & \textbf{0.125\rlap{*}} \\",
            True,
        ),
        ("terminal", "m   0.500†   0.250†   0.125*", False),
        ("csv", "t,m,b,0.25,,,,yes,", False),
    ],
)
def test_what_stands_out(form: Format, shown: str, noted: bool) -> None:
    cells = (Cell(0.5), Cell(0.25), Cell(0.125, "1 of 2 subsets"))
    row = Row("m", cells, significant=frozenset({0, 1}), bold=frozenset({0, 2}))
    table = Table("t", tuple(Column(name, Measure("score", None)) for name in "abc"), (row,), bold_note="Bold: best.")
    lines = render([table], form).splitlines()
    assert shown in lines
    assert any("Bold: best." in line for line in lines) == noted


@given(tables)
def test_terminal_keeps_one_line_a_row(table: Table) -> None:
    lines = render([table]).splitlines()
    assert sum(line.endswith("–") and "0.500*" in line for line in lines[3:]) >= len(table.rows)
    rule = next(number for number, line in enumerate(lines) if set(line) == {"─"} and len(line) > 20)
    assert all("0.500*" in line for line in lines[rule + 1 : rule + 1 + len(table.rows)])


@given(tables)
def test_markdown_keeps_one_line_a_row_and_its_cells(table: Table) -> None:
    lines = render([table], "markdown").splitlines()
    rows = lines[4 : 4 + len(table.rows)]
    for line in rows:
        # An escaped sign is a backslash and what follows it; what is left of pipes parts the cells.
        assert len(re.sub(r"\\.", "", line).split("|")) == 5
    assert not any("0.500" in line for line in lines[4 + len(table.rows) + 2 :])


@given(tables)
def test_csv_reads_back(table: Table) -> None:
    rows = list(csv.reader(render([table], "csv").splitlines(), strict=True))
    assert len(rows) == 1 + 2 * len(table.rows)
    assert {len(row) for row in rows} == {9}
    assert [row[3] for row in rows[1:]] == ["0.5", ""] * len(table.rows)


@given(tables)
def test_latex_keeps_one_line_a_row_and_its_cells(table: Table) -> None:
    lines = render([table], "latex").splitlines()
    start = lines.index(r"\midrule") + 1
    rows = lines[start : lines.index(r"\bottomrule")]
    assert len(rows) == len(table.rows)
    for line in rows:
        assert line.endswith(r" \\")
        assert len(re.sub(r"\\.", "", line).split("&")) == 3
        assert not re.match(r"[\[*%]", line)


@given(tables)
def test_every_form_can_be_written(table: Table) -> None:
    for form in get_args(Format):
        text = render([table], form)
        text.encode("utf-8")
        assert all(character.isprintable() or character == "\n" for character in text)
