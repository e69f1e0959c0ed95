"""Tables as data: which figure stands in which row and column, and what must be said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

from mteb_hybrid.reporting import footnotes
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.figures import Cell, language_cell, mean_of_settings, published_cell, setting_cell
from mteb_hybrid.reporting.published import PublishedModel, published_models
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import RETRIEVAL_SETTINGS, Setting

if TYPE_CHECKING:
    from mteb_hybrid.reporting.resampling import Draws


@dataclass(frozen=True)
class Measure:
    """How the figures of a column are read.

    Attributes:
        form: a score in [0, 1], a distance in ranks, a share to show as a percentage, a difference of scores or of
            distances (with its sign), a p-value, or words: each cell's note, and no figure.
        better: which figures are better; None where neither direction is.
    """

    form: Literal["score", "distance", "share", "score difference", "distance difference", "p", "words"]
    better: Literal["higher", "lower"] | None


MAP = Measure("score", "higher")
RANK_DISTANCE = Measure("distance", "lower")
# Neither all nor none is right here: without bias the share is that of the language in the pool.
TOP1_SHARE = Measure("share", None)


@dataclass(frozen=True)
class Column:
    """A column of figures; ``group`` is the benchmark, where a table holds several."""

    name: str
    measure: Measure
    group: str = ""

    @property
    def title(self) -> str:
        """The group and the name."""
        return f"{self.group} {self.name}".strip()


@dataclass(frozen=True)
class Row:
    """A model's figures, one for each column.

    Attributes:
        label: the model.
        cells: the figures.
        significant: the columns in which the change is significant, by their place.
        bold: the columns whose figure stands out, by their place.
    """

    label: str
    cells: tuple[Cell, ...]
    significant: frozenset[int] = frozenset()
    bold: frozenset[int] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds a figure."""
        return all(cell.value is None for cell in self.cells)


@dataclass(frozen=True)
class Table:
    """A table without form: text is plain, figures are unrounded, notes stand below.

    Attributes:
        title: what it shows.
        columns: its columns.
        rows: its rows.
        notes: what must be said about it.
        bold_note: what bold means; for the forms that have bold.
        rows_are: what each row is.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    bold_note: str = ""
    rows_are: str = "model"


@dataclass(frozen=True)
class _Filled:
    """A column with the ways to its cells."""

    column: Column
    own: Callable[[ModelResults], Cell]
    published: Callable[[PublishedModel], Cell]


def summary_tables(
    results: Sequence[ModelResults], benchmarks: Sequence[Benchmark], against_published: bool = False
) -> list[Table]:
    """Return the table of MAP by setting and the table of language bias, over all benchmarks.

    Args:
        results: the models, a row each.
        benchmarks: the benchmarks, a group of columns each.
        against_published: whether rows of published figures follow.

    Returns:
        The tables, without one in which no model has a figure.
    """
    by_title = {
        "Mean average precision (MAP) by setting": _map_columns,
        "Language bias in the multilingual setting": _bias_columns,
    }
    tables = (
        _table(title, list(chain.from_iterable(map(columns, benchmarks))), results, benchmarks, against_published)
        for title, columns in by_title.items()
    )
    return [table for table in tables if table]


def language_tables(
    results: Sequence[ModelResults], benchmark: Benchmark, against_published: bool = False
) -> list[Table]:
    """Return a table for each setting of a benchmark, with a column for each query language.

    Args:
        results: the models, a row each.
        benchmark: the benchmark.
        against_published: whether rows of published figures follow.

    Returns:
        MAP in the three retrieval settings and rank distance, without a table in which no model has a figure.
    """
    tables = (
        _table(
            f"{benchmark.title}: {setting.subject} by query language",
            list(_language_columns(benchmark, setting)),
            results,
            [benchmark],
            against_published,
        )
        for setting in Setting
    )
    return [table for table in tables if table]


def with_changes(table: Table, baseline: str) -> Table:
    """Add to every figure how far it is from the baseline's, unless one of them lacks subsets.

    Args:
        table: the table.
        baseline: the label of the row to compare with.
    """
    base = next((row for row in table.rows if row.label == baseline), None)
    if base is None:
        return table
    rows = (
        row if row is base else replace(row, cells=tuple(map(_changed, row.cells, base.cells))) for row in table.rows
    )
    return replace(table, rows=tuple(rows))


def _changed(cell: Cell, base: Cell) -> Cell:
    if cell.value is None or base.value is None or cell.note or base.note:
        return cell
    return replace(cell, change=cell.value - base.value)


def with_margins(table: Table, baseline: str | None = None) -> Table:
    """Add to every figure, and to every change, how far it would move with other questions; mark what is significant.

    Args:
        table: the table; where there are changes, as ``with_changes`` gives it.
        baseline: the label of the row that changes are from.
    """
    from mteb_hybrid.comparing.marks import mark
    from mteb_hybrid.reporting.resampling import EXPLANATION

    base = next((row for row in table.rows if row.label == baseline), None)
    drawn = [cell.draw() for cell in base.cells] if base else [None] * len(table.columns)
    rows = tuple(replace(row, cells=tuple(map(_with_margin, row.cells, drawn))) for row in table.rows)
    if all(cell.draw() is None for row in rows for cell in row.cells):
        return replace(table, notes=(*table.notes, footnotes.NO_MARGINS))
    marked = mark(replace(table, rows=rows), baseline)
    return replace(marked, notes=(EXPLANATION, *marked.notes))


def _with_margin(cell: Cell, base: Draws | None) -> Cell:
    from mteb_hybrid.reporting.resampling import margin

    drawn = cell.draw()
    if drawn is None:
        return cell
    change = margin(drawn, base) if cell.change is not None and base is not None else None
    return replace(cell, margin=margin(drawn), change_margin=change)


def row_labels(results: Sequence[ModelResults]) -> list[str]:
    """Return what to call each model: its name, with the revision where several revisions are there."""
    revisions = Counter(run.model for run in results)
    short = Counter((run.model, run.revision[:8]) for run in results)

    def label(run: ModelResults) -> str:
        if revisions[run.model] == 1:
            return run.model
        return f"{run.model}@{run.revision[:8] if short[run.model, run.revision[:8]] == 1 else run.revision}"

    return [label(run) for run in results]


def _map_columns(benchmark: Benchmark) -> Iterator[_Filled]:
    for setting, name in zip(RETRIEVAL_SETTINGS, ("mono", "cross", "multi"), strict=True):
        yield _setting_column(benchmark, setting, Column(name, MAP, benchmark.title))

    def mean(of: Callable[[Setting], Cell]) -> Cell:
        return mean_of_settings([of(setting) for setting in RETRIEVAL_SETTINGS])

    yield _Filled(
        Column("mean", MAP, benchmark.title),
        own=lambda run: mean(lambda setting: setting_cell(run, benchmark, setting)),
        published=lambda model: mean(lambda setting: published_cell(model, benchmark, setting)),
    )


def _bias_columns(benchmark: Benchmark) -> Iterator[_Filled]:
    distance = Column("rank distance", RANK_DISTANCE, benchmark.title)
    yield _setting_column(benchmark, Setting.LANGUAGE_BIAS, distance)
    yield _Filled(
        Column("top 1 in query language", TOP1_SHARE, benchmark.title),
        own=lambda run: setting_cell(run, benchmark, Setting.LANGUAGE_BIAS, "top1_query_language"),
        published=lambda model: Cell(None),
    )


def _setting_column(benchmark: Benchmark, setting: Setting, column: Column) -> _Filled:
    return _Filled(
        column,
        own=lambda run: setting_cell(run, benchmark, setting),
        published=lambda model: published_cell(model, benchmark, setting),
    )


def _language_columns(benchmark: Benchmark, setting: Setting) -> Iterator[_Filled]:
    measure = RANK_DISTANCE if setting is Setting.LANGUAGE_BIAS else MAP
    by_language = [_language_column(benchmark, setting, Column(tag, measure)) for tag in benchmark.languages]

    def published_mean(model: PublishedModel) -> Cell:
        # A row without figures by language has no place in this table; its mean alone would keep it there.
        has_languages = any(each.published(model).value is not None for each in by_language)
        return published_cell(model, benchmark, setting) if has_languages else Cell(None)

    yield from by_language
    yield replace(_setting_column(benchmark, setting, Column("mean", measure)), published=published_mean)


def _language_column(benchmark: Benchmark, setting: Setting, column: Column) -> _Filled:
    return _Filled(
        column,
        own=lambda run: language_cell(run, benchmark, setting, column.name),
        published=lambda model: published_cell(model, benchmark, setting, column.name),
    )


def _table(
    title: str,
    columns: Sequence[_Filled],
    results: Sequence[ModelResults],
    benchmarks: Sequence[Benchmark],
    against_published: bool,
) -> Table | None:
    """The table with its rows and notes; None when no model has a figure in it."""
    models = list(zip(row_labels(results), results, strict=True))
    own = [Row(label, tuple(each.own(run) for each in columns)) for label, run in models]
    if all(row.is_empty for row in own):
        return None
    publications = [
        (model.source, row)
        for model in (published_models() if against_published else ())
        if not (row := Row(model.label, tuple(each.published(model) for each in columns))).is_empty
    ]
    titles = [each.column.title for each in columns]
    notes = (
        *chain.from_iterable(footnotes.incomplete(row.label, titles, row.cells) for row in own),
        *footnotes.zero_shot(models, benchmarks),
        *footnotes.differing_data(results, benchmarks),
        *footnotes.sources(source for source, _ in publications),
    )
    rows = (*own, *(row for _, row in publications))
    return Table(title, tuple(each.column for each in columns), rows, notes)
