"""The figures of the tables' cells: means over subsets, with a note where subsets are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum

from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.published import PublishedModel
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.reporting.settings import Setting


@dataclass(frozen=True)
class Cell:
    """A figure, None where there is none.

    Attributes:
        value: the figure, unrounded.
        note: what it is incomplete in, such as ``7 of 11 subsets``; empty for a complete one.
        change: the figure less that of the baseline, where there is one.
    """

    value: float | None
    note: str = ""
    change: float | None = None


def setting_cell(run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str = "") -> Cell:
    """Return a run's figure of a setting: the mean over its subsets.

    Args:
        run: the results of one model.
        benchmark: the benchmark.
        setting: the setting.
        metric: the score to take, the setting's own by default.
    """
    values = [value for _, value in _scores(run, benchmark, setting, metric or setting.metric)]
    return _mean(values, setting.subset_count(len(benchmark.languages)))


def language_cell(run: ModelResults, benchmark: Benchmark, setting: Setting, language: str) -> Cell:
    """Return a run's figure of one query language in a setting: the mean over that language's subsets."""
    scores = _scores(run, benchmark, setting, setting.metric)
    values = [value for query_language, value in scores if query_language == language]
    return _mean(values, setting.subset_count(len(benchmark.languages)) // len(benchmark.languages))


def published_cell(model: PublishedModel, benchmark: Benchmark, setting: Setting, language: str = "") -> Cell:
    """Return the published figure of a setting, or of one query language in it."""
    figure = model.figures.get(benchmark.name, {}).get(setting)
    if figure is None:
        return Cell(None)
    return Cell(figure.by_language.get(language) if language else figure.mean)


def mean_of_settings(cells: Sequence[Cell]) -> Cell:
    """Return the mean of several settings' figures; there is none unless every setting has one."""
    values = [cell.value for cell in cells if cell.value is not None]
    if len(values) < len(cells):
        return Cell(None)
    return Cell(fsum(values) / len(values), "of incomplete settings" if any(cell.note for cell in cells) else "")


def _scores(run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str) -> Iterator[tuple[str, float]]:
    """The query language and the score of each subset that has the score."""
    if setting is Setting.LANGUAGE_BIAS:
        # Both tasks rank the same pool, so either may fill in what the other has not run.
        multilingual = dict(_scores(run, benchmark, Setting.MULTILINGUAL, metric))
        yield from (multilingual | dict(_scores_of_task(run, benchmark, setting, metric))).items()
    else:
        yield from _scores_of_task(run, benchmark, setting, metric)


def _scores_of_task(
    run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str
) -> Iterator[tuple[str, float]]:
    for subset, scores in run.subsets.get(setting.task_name(benchmark.name), {}).items():
        if metric in scores:
            yield setting.languages_of(subset)[0], scores[metric]


def _mean(values: Sequence[float], expected: int) -> Cell:
    if not values:
        return Cell(None)
    return Cell(fsum(values) / len(values), f"{len(values)} of {expected} subsets" if len(values) < expected else "")
