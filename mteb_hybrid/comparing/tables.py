"""Comparisons as tables, with what must be said about them below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from mteb_hybrid.comparing.lines import Family, Line, Sides
from mteb_hybrid.comparing.verdict import LEVEL
from mteb_hybrid.reporting import footnotes
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.resampling import DRAWS
from mteb_hybrid.reporting.tables import MAP, RANK_DISTANCE, Column, Measure, Row, Table
from mteb_hybrid.subsets import Setting

LANGUAGES_SHOWN = 30
"""Query languages of a setting that a table shows."""

_LEVEL = f"{LEVEL * 100:g} %"
_P = Measure("p", None)
_WORDS = Measure("words", None)
_SHORT = {Setting.MONOLINGUAL: "mono", Setting.CROSS_LINGUAL: "cross", Setting.MULTILINGUAL: "multi"}


def comparison_tables(
    sides: Sides,
    settings: Family,
    languages: Family,
    margin: float,
    passed_over: Sequence[str] = (),
    languages_shown: int | None = None,
) -> list[Table]:
    """Return the tables of two families of comparisons.

    Args:
        sides: what was compared.
        settings: the comparisons by setting, in a table of average precision and one of rank distance.
        languages: those by query language, in a table a setting.
        margin: the mean average precision that counts as none.
        passed_over: tasks that were not compared, as only some of the models have results of them.
        languages_shown: show so many query languages at most, those with the greatest differences; None shows all.
    """
    in_ranks = [line for line in settings.lines if line.part.setting is Setting.LANGUAGE_BIAS]
    in_map = [line for line in settings.lines if line.part.setting is not Setting.LANGUAGE_BIAS]
    tables = [
        _table("Mean average precision (MAP) by setting", in_map, "setting", _setting_notes(settings, sides, margin)),
        _table("Language bias in the multilingual setting", in_ranks, "benchmark", _bias_notes(settings)),
    ]
    for part, lines in groupby(languages.lines, key=lambda line: line.part):
        title = f"{part.benchmark.title}: {part.setting.subject} by query language"
        every = list(lines)
        chosen = _greatest(every, languages_shown)
        cut = [_cut_note(len(chosen), len(every))] if len(chosen) < len(every) else []
        tables.append(_table(title, chosen, "language", [*cut, _family_note(languages, "query language")]))
    shown = [table for table in tables if table.rows]
    head = (_names_note(sides), *_passed_over_note(passed_over))
    return [_with_notes(table, head if table is shown[0] else ()) for table in shown]


def _greatest(lines: Sequence[Line], at_most: int | None) -> Sequence[Line]:
    """The lines with the greatest differences, in the order of all lines."""
    if at_most is None or len(lines) <= at_most:
        return lines
    least = sorted((abs(line.difference.value) for line in lines), reverse=True)[at_most - 1]
    return [line for line in lines if abs(line.difference.value) >= least][:at_most]


def _cut_note(shown: int, every: int) -> str:
    return f"The {shown} of {every} query languages with the greatest differences; --format csv has all of them."


def _with_notes(table: Table, notes: Sequence[str]) -> Table:
    bold = f"Bold: significant after Holm's correction, at the {_LEVEL} level."
    return Table(table.title, table.columns, table.rows, (*notes, *table.notes), bold, table.rows_are)


def _table(title: str, lines: Sequence[Line], rows_are: str, notes: Iterable[str]) -> Table:
    columns = list(_columns(lines)) if lines else []
    place = next((at for at, column in enumerate(columns) if column.name == "B - A"), 0)
    rows = tuple(
        Row(_label(line), tuple(_cells(line, lines)), bold=frozenset([place] if line.adjusted <= LEVEL else []))
        for line in lines
    )
    names = [column.name for column in columns]
    incomplete = chain.from_iterable(footnotes.incomplete(row.label, names[:1], row.cells[:1]) for row in rows)
    return Table(f"{title}, B against A", tuple(columns), rows, (*incomplete, *notes), rows_are=rows_are)


def _label(line: Line) -> str:
    if line.language is not None:
        return line.language
    return f"{line.part.benchmark.title} {_SHORT.get(line.part.setting, '')}".strip()


def _columns(lines: Sequence[Line]) -> Iterator[Column]:
    in_ranks = lines[0].part.setting is Setting.LANGUAGE_BIAS
    figure = RANK_DISTANCE if in_ranks else MAP
    plain = Measure(figure.form, None)
    yield from (Column("A", figure), Column("B", figure))
    yield Column("B - A", Measure("distance difference" if in_ranks else "score difference", None))
    if _has_seeds(lines):
        yield from (Column("± with seeds", plain), Column("sd over seeds A", plain))
        yield from (Column("sd over seeds B", plain), Column("se over seeds", plain))
    yield from (Column("p", _P), Column("p (Holm)", _P), Column("verdict on B", _WORDS))


def _cells(line: Line, lines: Sequence[Line]) -> Iterator[Cell]:
    difference, seeds = line.difference, line.difference.seeds
    yield from (Cell(difference.a, line.missing), Cell(difference.b, line.missing))
    yield Cell(difference.value, margin=difference.margin())
    if seeds is not None and _has_seeds(lines):
        yield from map(Cell, (difference.margin_with_seeds(), seeds.a, seeds.b, seeds.error))
    yield from (Cell(line.p), Cell(line.adjusted), Cell(None, line.verdict))


def _has_seeds(lines: Sequence[Line]) -> bool:
    return any(line.difference.seeds is not None for line in lines)


def _names_note(sides: Sides) -> str:
    a, b = sides.labels[: len(sides.a)], sides.labels[len(sides.a) :]
    named = (("the mean of " if len(names) > 1 else "") + ", ".join(names) for names in (a, b))
    return "A is {}; B is {}.".format(*named)


def _passed_over_note(tasks: Sequence[str]) -> Iterator[str]:
    if tasks:
        yield f"Not compared, as only some of the models have results of it: {', '.join(tasks)}."


def _setting_notes(family: Family, sides: Sides, margin: float) -> Iterator[str]:
    yield (
        "± is half the width of the 95 % confidence interval over questions, by the bootstrap, which draws parallel "
        f"groups of questions ({DRAWS:,} draws)."
    )
    yield (
        "p: paired randomisation test, which swaps A and B by whole parallel groups of questions. "
        f"{_family_note(family, 'setting')}"
    )
    yield (
        f"Verdict: better or worse at the {_LEVEL} level after that; the same within {margin:g} MAP, or at most "
        f"{margin:g} worse, by one-sided tests at {_LEVEL} each (the {(1 - 2 * LEVEL) * 100:g} % interval), without "
        "correction; else not decided."
    )
    if len(sides.runs) > 2:
        yield (
            "Over seeds: the standard deviation of the models of A and of B, and the standard error of B - A that "
            "follows (a side of one model counts as fixed). The first ± and p are about these models on other "
            'questions, "± with seeds" about other questions and other seeds (Satterthwaite\'s t).'
        )


def _bias_notes(family: Family) -> Iterator[str]:
    yield (
        f"In ranks, fewer are better. {_family_note(family, 'setting')} No test of being the same: it would need a "
        "margin in ranks."
    )


def _family_note(family: Family, of: str) -> str:
    number = f"all {len(family.lines)} comparisons" if len(family.lines) > 1 else "1 comparison"
    return f"Holm's correction is for {number} by {of} ({family.swaps})."
