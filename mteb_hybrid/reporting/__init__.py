"""Reports of results: from mteb's result folders to tables, beside published figures where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.benchmarks import choose_benchmarks, find_benchmarks
from mteb_hybrid.reporting.miracl import TITLE as MIRACL
from mteb_hybrid.reporting.miracl import miracl_tables
from mteb_hybrid.reporting.render import Format, render
from mteb_hybrid.reporting.results import read_results, select_models
from mteb_hybrid.reporting.tables import language_tables, row_labels, summary_tables, with_changes, with_margins

__all__ = ["Format", "report"]


def report(
    folder: Path,
    models: Sequence[str] = (),
    *,
    against_published: bool = False,
    by_language: bool = False,
    benchmarks: Sequence[str] = (),
    baseline: str | None = None,
    confidence: bool = False,
    format: Format = "terminal",
    width: int | None = None,
) -> str:
    """Return tables of the results in a folder.

    Args:
        folder: the folder given to ``mteb run --output-folder``, or one inside it.
        models: the models to show, as ``org/name`` or ``name``, with ``@`` and the start of a revision where
            wanted; all by default.
        against_published: whether rows of published figures follow the models'.
        by_language: whether tables by query language follow those of the whole settings.
        benchmarks: the benchmarks to show, by name or title, ``MIRACL`` among them; by default all that there are
            results of.
        baseline: the model that the others' differences are shown from, named as in ``models``.
        confidence: whether figures come with their 95 % confidence intervals, where scores of single queries are kept.
        format: ``terminal``, ``markdown``, ``csv`` or ``latex``.
        width: of the terminal, in characters; None for no bound.

    Returns:
        The text, without a line end after the last line.

    Raises:
        HybridError: the folder holds no results, a result file is damaged, a name is not there, or none of
            the chosen models has figures on the chosen benchmarks.
    """
    runs = read_results(Path(folder))
    results = select_models(runs, models)
    compared = select_models(runs, [baseline]) if baseline is not None else ()
    if len(compared) > 1:
        raise HybridError(f"there are several revisions of {one_line(baseline, 120)}; name one, as in NAME@REVISION")
    results = (*compared, *(run for run in results if run not in compared))
    # Languages come from every run, also those not shown: more runs tell better what a whole run is.
    named = [name for name in benchmarks if name != MIRACL]
    chosen = choose_benchmarks(find_benchmarks(runs), named if benchmarks else list(find_benchmarks(results)))
    of_mteb = miracl_tables(results, against_published) if not benchmarks or MIRACL in benchmarks else []
    tables = summary_tables(results, chosen, against_published)
    for benchmark in chosen if by_language else ():
        tables += language_tables(results, benchmark, against_published)
    if not tables and not of_mteb:
        titles = ", ".join([benchmark.title for benchmark in chosen] or [MIRACL])
        raise HybridError(
            f"{one_line(folder, 1000)}: the chosen models have no figures on {one_line(titles)}; run it first"
        )
    label = row_labels(results)[0] if compared else None
    if label is not None:
        tables = [with_changes(table, label) for table in tables]
        of_mteb = [with_changes(table, label) for table in of_mteb]
    if confidence:  # of mteb's own tasks no scores of single queries are kept
        tables = [with_margins(table, label) for table in tables]
    return render([*tables, *of_mteb], format, width)
