"""From results to what the report holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.html_report import curves
from mteb_hybrid.html_report.content import (
    LARGE_FROM,
    BenchmarkPart,
    Data,
    Form,
    OfModel,
    Picture,
    Report,
    Value,
    clipped,
    name_to_show,
    names_to_show,
    not_taken,
    stem,
    with_own_names,
)
from mteb_hybrid.html_report.explorer import QUERIES_IN_ALL, explore
from mteb_hybrid.html_report.languages import map_matrix, map_picture, share_picture, span_of
from mteb_hybrid.html_report.queries import Queries, read_queries
from mteb_hybrid.html_report.ranks import rank_picture, rank_spreads
from mteb_hybrid.html_report.texts import find_texts, read_own
from mteb_hybrid.publishing.figures import language_shares
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.miracl import miracl_tables
from mteb_hybrid.reporting.remedies import read_rows
from mteb_hybrid.reporting.results import ModelResults, read_results, select_models
from mteb_hybrid.reporting.tables import Table, row_labels, summary_tables, with_margins
from mteb_hybrid.subsets import Setting

if TYPE_CHECKING:
    from mteb_hybrid.html_report.draw_curves import Line

ROWS_FILE = "rows.json"
"""Where rows of measured remedies are looked for in the folder of results."""

MODELS_DRAWN, MODELS_OF_MANY = 24, 6
"""Models with heat maps of their own, and where languages are many: more make a page that no browser opens gladly."""

# A column of the tables to the title of its panel.
_PANELS: dict[str, tuple[str, Form]] = {
    "mono": ("monolingual MAP", "score"),
    "cross": ("cross-lingual MAP", "score"),
    "multi": ("multilingual MAP", "score"),
    "rank distance": ("rank distance", "distance"),
}


@dataclass(frozen=True)
class _Model:
    """The results of a model, and what to call it."""

    label: str
    run: ModelResults


def build(folder: Path, models: Sequence[str] = (), rows: Path | None = None, data: Sequence[Path] = ()) -> Report:
    """Gather all of a report.

    Args:
        folder: the folder given to ``mteb run --output-folder``, or one inside it.
        models: the models to show, named as for tables; all by default.
        rows: a file of rows of measured remedies; by default ``rows.json`` in the folder, if it is there.
        data: collections of the user's own, whose texts are to be shown.

    Raises:
        HybridError: the folder holds no results, a file is damaged, or a name is not there.
    """
    runs = read_results(folder)
    results = select_models(runs, models)
    labels = names_to_show(row_labels(results))
    shown = [_Model(label, run) for label, run in zip(labels, results, strict=True)]
    # Languages come from every run, also those not shown: more runs tell better what a whole run is.
    benchmarks = [each for name, each in find_benchmarks(runs).items() if name in find_benchmarks(results)]
    own = read_own(data)
    own_tables = [with_margins(table) for table in summary_tables(results, benchmarks, against_published=True)]
    tables = [_to_show(table) for table in (*own_tables, *miracl_tables(results, against_published=True))]
    parts = [_part(each, shown, tables, own, QUERIES_IN_ALL // len(benchmarks)) for each in benchmarks]
    pictures, notes = _curves(folder, rows)
    return _with_own_names(Report(tuple(labels), tuple(tables), tuple(parts), pictures, notes))


def _to_show(table: Table) -> Table:
    """A table whose labels and notes are of bounded length."""
    labels = names_to_show(row.label for row in table.rows)
    rows = tuple(replace(row, label=label) for row, label in zip(table.rows, labels, strict=True))
    columns = tuple(replace(each, group=name_to_show(each.group)) for each in table.columns)
    return replace(table, rows=rows, columns=columns, notes=clipped(table.notes))


def _part(
    benchmark: Benchmark,
    models: Sequence[_Model],
    tables: Sequence[Table],
    own: Mapping[str, ParallelCollection],
    room: int,
) -> BenchmarkPart:
    tasks = {setting.task_name(benchmark.name) for setting in Setting}
    models = [model for model in models if not tasks.isdisjoint(model.run.subsets)]
    queries = {model.label: found for model in models if (found := read_queries(model.run, benchmark)) is not None}
    notes, drawn = [], MODELS_DRAWN if len(benchmark.languages) < LARGE_FROM else MODELS_OF_MANY
    if len(models) > drawn:
        notes.append(f"The first {drawn} of {len(models)} models are drawn; choose others with --models.")
    texts = find_texts(benchmark, [model.run for model in models], own) if queries else ""
    return BenchmarkPart(
        anchor=stem("benchmark", benchmark.name),
        title=name_to_show(benchmark.title),
        overview=_overview(benchmark, [model.label for model in models], tables),
        models=tuple(_of_models(benchmark, models[:drawn], queries)),
        explorer=explore(queries, benchmark.languages, texts, room),
        notes=tuple(notes),
    )


def _overview(benchmark: Benchmark, labels: Sequence[str], tables: Sequence[Table]) -> Picture | None:
    """The figures that the tables have of a benchmark, drawn; None if there are none."""
    from mteb_hybrid.html_report.draw_curves import Line, overview

    found: dict[str, dict[str, curves.Mean]] = {}
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                if column.group == name_to_show(benchmark.title) and column.name in _PANELS and cell.value is not None:
                    found.setdefault(row.label, {})[column.name] = curves.Mean(cell.value, cell.margin)
    lines = [
        Line(label, label not in labels, tuple(means.get(name) for name in _PANELS)) for label, means in found.items()
    ]
    if all(line.is_published for line in lines):
        return None
    return Picture(
        stem(benchmark.name, "overview"),
        f"{name_to_show(benchmark.title)}: the three settings and the rank distance",
        "Four panels with a line for each model: diamonds are the models of this report, with 95 % confidence "
        "intervals over questions where these are known; open circles are published figures. For MAP right is better, "
        "for the rank distance left. The tables of the settings and of the bias hold the same figures.",
        _overview_data(lines),
        partial(overview, lines, list(_PANELS.values())),
    )


def _overview_data(lines: Sequence[Line]) -> Data:
    columns: list[tuple[str, Form]] = [("model", "text")]
    for title, form in _PANELS.values():
        columns += [(title, form), (f"{title}, ±", form)]
    rows: list[tuple[Value, ...]] = []
    for line in lines:
        pairs = [(mean.value, mean.margin) if mean else (None, None) for mean in line.means]
        rows.append((line.label, *(figure for pair in pairs for figure in pair)))
    return Data(tuple(columns), tuple(rows))


def _of_models(benchmark: Benchmark, models: Sequence[_Model], queries: Mapping[str, Queries]) -> Iterator[OfModel]:
    """The pictures of each model, on scales that all of them share."""
    maps = {model.label: map_matrix(model.run, benchmark) for model in models}
    spreads = {
        label: rank_spreads(found.ranks_by_language(), benchmark.languages)
        for label, found in queries.items()
        if label in maps
    }
    shares = {model.label: language_shares(model.run.folder).get(benchmark.name, {}) for model in models}
    span, greatest_share = span_of(maps.values()), span_of(shares.values())[1]
    greatest = max((each.quantiles[4] for found in spreads.values() for each in found), default=1.0)
    for model in models:
        label = model.label
        pictures = {
            "No map of MAP by language: the monolingual and the cross-lingual task were not run.": map_picture(
                label, benchmark, maps[label], span
            ),
            "No shares of languages: neither the LanguageBias nor the Multilingual task was run.": share_picture(
                label, benchmark, shares[label], greatest_share
            ),
            "No ranks of the parallel answers: they were not kept when these results were made; run the LanguageBias "
            "task again.": rank_picture(label, benchmark.name, spreads.get(label, []), greatest),
        }
        drawn = tuple(picture for picture in pictures.values() if picture is not None)
        yield OfModel(label, drawn, tuple(note for note, picture in pictures.items() if picture is None))


def _curves(folder: Path, rows: Path | None) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    path = folder / ROWS_FILE if rows is None and (folder / ROWS_FILE).is_file() else rows
    if path is None:
        note = (
            f"No curves: there are no rows of measured remedies; give them with --rows FILE, or as {ROWS_FILE} in the"
        )
        return (), (f"{note} folder of results.",)
    pictures = tuple(curves.curve_pictures(read_rows(path)))
    if not pictures:
        return (), ("No curves: the rows are of one remedy alone.",)
    return pictures, (curves.EXPLANATION,)


def _with_own_names(report: Report) -> Report:
    """Pictures are called by their benchmark and model, cut short; where that makes two alike they are numbered."""
    renamed = with_own_names(report.pictures)
    anchors = {"main", "settings", "curves", "reading", "theme", "explorers"}  # the page has these itself
    parts = []
    for part in report.parts:
        overview = next(renamed) if part.overview else None
        models = tuple(replace(each, pictures=tuple(next(renamed) for _ in each.pictures)) for each in part.models)
        parts.append(replace(part, anchor=not_taken(part.anchor, anchors), overview=overview, models=models))
    return replace(report, parts=tuple(parts), curves=tuple(renamed))


def check_output(path: Path) -> None:
    """See that a report can be written before all is drawn.

    Raises:
        HybridError: the file is a folder, or its folder is not there.
    """
    if path.is_dir():
        raise HybridError(f"{one_line(path, 1000)} is a folder; name a file, such as report.html")
    if not path.absolute().parent.is_dir():
        raise HybridError(f"there is no folder {one_line(path.absolute().parent, 1000)}; make it, or name another file")
