"""What was ranked as tables: a row for each query language, and one for each index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mteb_hybrid.large.folder import Plan
from mteb_hybrid.large.scores import LanguageScores, mean_scores
from mteb_hybrid.large.search import SearchReport
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.tables import MAP, RANK_DISTANCE, TOP1_SHARE, Column, Measure, Row, Table

_SHARE = Measure("share", "higher")
_COLUMNS = {
    "map": Column("MAP", MAP),
    "recall_at_10": Column("recall at 10", MAP),
    "ndcg_at_10": Column("nDCG at 10", MAP),
    "rank_distance": Column("rank distance", RANK_DISTANCE),
    "worst_rank": Column("worst rank", RANK_DISTANCE),
    "query_language_first": Column("own language first", TOP1_SHARE),
    "top1_query_language": Column("top 1 in own language", TOP1_SHARE),
    "language_share_distance_at_10": Column("distance of languages at 10", Measure("score", "lower")),
}


def rank_tables(plan: Plan, scores: Sequence[LanguageScores], reports: Sequence[SearchReport]) -> list[Table]:
    """The table of scores, and two of indexes if there are any.

    Args:
        plan: what was ranked.
        scores: of each query language.
        reports: of each index.
    """
    shown = {name: column for name, column in _COLUMNS.items() if name in scores[0].scores}
    named = [("mean", mean_scores(scores)), *((of.language, of.scores) for of in scores)]
    rows = [Row(label, _cells(values, shown)) for label, values in named]
    table = Table(
        title=f"{plan.model}: {plan.queries:,} queries of {plan.name} over all {plan.passages:,} passages",
        columns=tuple(shown.values()),
        rows=tuple(rows),
        rows_are="queries in",
    )
    return [table, _found_table(reports), _cost_table(reports, plan.queries)] if reports else [table]


def _cells(scores: Mapping[str, object], shown: Mapping[str, Column]) -> tuple[Cell, ...]:
    values = (scores.get(name) for name in shown)
    return tuple(Cell(value if isinstance(value, float) else None) for value in values)


def _found_table(reports: Sequence[SearchReport]) -> Table:
    columns = (
        Column("exact top found", _SHARE),
        Column("recall, exact", MAP),
        Column("recall by index", MAP),
        Column("recall lost", Measure("score", "lower")),
    )
    rows = (
        Row(f"{report.kind}, first {at.depth:,}", tuple(map(Cell, (at.found, at.recall, at.recall_by_index, at.lost))))
        for report in reports
        for at in report.depths
    )
    note = "Exact top found: share of the passages that rank first exactly. Recall: of the relevant passages."
    return Table("What faiss finds, against exact ranks", columns, tuple(rows), (note,), rows_are="index")


def _cost_table(reports: Sequence[SearchReport], queries: int) -> Table:
    columns = ("build, s", "search, s", "ms a query", "size, MB")
    rows = (
        Row(
            f"{report.kind}{_settings(report)}",
            (
                Cell(report.build_seconds),
                Cell(report.search_seconds),
                Cell(1000 * report.search_seconds / queries),
                Cell(report.bytes / 1e6),
            ),
        )
        for report in reports
    )
    measures = tuple(Column(name, RANK_DISTANCE) for name in columns)
    note = "Build is 0 where the index was there already; flat searches the vectors themselves."
    return Table("What it costs", measures, tuple(rows), (note,), rows_are="index")


def _settings(report: SearchReport) -> str:
    shown = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in report.settings.items())
    return f" ({shown})" if shown else ""
