"""Pictures by language: MAP by the languages of query and passages, and the languages of the first 10 passages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from statistics import fmean

from mteb_hybrid.html_report.content import Data, Form, Picture, name_to_show, stem
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.reporting.scripts import in_groups
from mteb_hybrid.subsets import Setting

Matrix = Mapping[str, Mapping[str, float]]
"""Query language to passage language to figure."""


def map_matrix(run: ModelResults, benchmark: Benchmark) -> dict[str, dict[str, float]]:
    """MAP of each query language in the passages of each language: monolingual on the diagonal."""
    found: dict[str, dict[str, float]] = {}
    for setting in (Setting.MONOLINGUAL, Setting.CROSS_LINGUAL):
        for subset, scores in run.subsets.get(setting.task_name(benchmark.name), {}).items():
            languages = setting.languages_of(subset)
            if "map" in scores and languages:
                found.setdefault(languages[0], {})[languages[-1]] = scores["map"]
    return found


def span_of(matrices: Iterable[Matrix]) -> tuple[float, float]:
    """The least and the greatest figure of several matrices, so that their pictures are coloured alike."""
    values = [value for matrix in matrices for row in matrix.values() for value in row.values()]
    return min(values, default=0.0), max(values, default=1.0)


def map_picture(label: str, benchmark: Benchmark, matrix: Matrix, span: tuple[float, float]) -> Picture | None:
    """The heat map of ``map_matrix``; None if that is empty."""
    if not matrix:
        return None
    own = [row[query] for query, row in matrix.items() if query in row]
    others = [value for query, row in matrix.items() for tag, value in row.items() if tag != query]
    means = [("the same language", own), ("another language", others)]
    said = " and ".join(f"{fmean(values):.3f} in {what}" for what, values in means if values)
    return _picture(
        stem(benchmark.name, "map", label),
        f"MAP by language of the query and of the passages: {label}",
        f"Heat map, a row for each query language and a column for each passage language. The mean is {said}."
        + _extremes(matrix, "{:.2f}"),
        benchmark.languages,
        matrix,
        "score",
        span,
    )


def share_picture(label: str, benchmark: Benchmark, matrix: Matrix, greatest: float) -> Picture | None:
    """The heat map of the languages among the first 10 passages of the mixed pool; None if nothing is known."""
    if not matrix:
        return None
    own = [row[query] for query, row in matrix.items() if query in row]
    said = f" On average {fmean(own):.0%} of them are in the language of the query." if own else ""
    return _picture(
        stem(benchmark.name, "language-share", label),
        f"Languages of the first 10 passages in the mixed pool: {label}",
        "Heat map, a row for each query language and a column for each passage language; a row adds up to 100%."
        + said
        + _extremes(matrix, "{:.0%}"),
        benchmark.languages,
        matrix,
        "share",
        (0.0, greatest),
    )


def _extremes(matrix: Matrix, number: str) -> str:
    cells = sorted((value, query, tag) for query, row in matrix.items() for tag, value in row.items())
    (low, *from_low), (high, *from_high) = cells[0], cells[-1]
    named = [" to ".join(name_to_show(tag, 24) for tag in pair) for pair in (from_low, from_high)]
    return f" Lowest {number.format(low)} ({named[0]}), highest {number.format(high)} ({named[1]})."


def _picture(
    name: str,
    title: str,
    description: str,
    tags: Sequence[str],
    matrix: Matrix,
    form: Form,
    span: tuple[float, float],
) -> Picture:
    from mteb_hybrid.html_report.draw import heat_map

    tags, said = in_groups(tags)
    values = [[matrix.get(query, {}).get(tag) for tag in tags] for query in tags]
    names = [name_to_show(tag, 24) for tag in tags]
    data = Data(
        (("query language", "text"), *((tag, form) for tag in names)),
        tuple((query, *row) for query, row in zip(names, values, strict=True)),
    )
    return Picture(name, title, description + said, data, partial(heat_map, names, values, form, span))
