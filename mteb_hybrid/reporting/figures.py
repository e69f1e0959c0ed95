"""The figures of the tables' cells: means over subsets, with a note where subsets are missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import TYPE_CHECKING

from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.published import PublishedModel
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting

if TYPE_CHECKING:
    from mteb_hybrid.reporting.resampling import Draws


@dataclass(frozen=True)
class Cell:
    """A figure, None where there is none.

    Attributes:
        value: the figure, unrounded.
        note: what it is incomplete in, such as ``7 of 11 subsets``; empty for a complete one.
        change: the figure less that of the baseline, where there is one.
        margin: half the width of the figure's 95 % confidence interval, where it was asked for and is known.
        change_margin: the same of the change.
        draw: gives the figure in each bootstrap draw of the questions; None if scores of single queries are missing.
    """

    value: float | None
    note: str = ""
    change: float | None = None
    margin: float | None = None
    change_margin: float | None = None
    draw: Callable[[], Draws | None] = field(default=lambda: None, compare=False, repr=False)


def setting_cell(run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str = "") -> Cell:
    """Return a run's figure of a setting: the mean over its subsets.

    Args:
        run: the results of one model.
        benchmark: the benchmark.
        setting: the setting.
        metric: the score to take, the setting's own by default.
    """
    metric = metric or setting.metric
    scores = _scores(run, benchmark, setting, metric)
    expected = benchmark.subset_count(setting)
    return _mean(scores, expected, lambda: _draw(run, benchmark, setting, metric, scores))


def language_cell(run: ModelResults, benchmark: Benchmark, setting: Setting, language: str) -> Cell:
    """Return a run's figure of one query language in a setting: the mean over that language's subsets."""
    every = _scores(run, benchmark, setting, setting.metric)
    scores = {subset: value for subset, value in every.items() if setting.languages_of(subset)[0] == language}
    expected = benchmark.subset_count(setting, language)
    return _mean(scores, expected, lambda: _draw(run, benchmark, setting, setting.metric, scores))


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

    def draw() -> Draws | None:
        draws = [drawn for cell in cells if (drawn := cell.draw()) is not None]
        return sum(draws[1:], start=draws[0]) / len(draws) if len(draws) == len(cells) else None

    note = "of incomplete settings" if any(cell.note for cell in cells) else ""
    return Cell(fsum(values) / len(values), note, draw=draw)


def _scores(run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str) -> dict[str, float]:
    """The score of each subset that has it."""
    scores = _scores_of_task(run, setting.task_name(benchmark.name), metric)
    if setting is Setting.LANGUAGE_BIAS:
        # Both tasks rank the same pool, so either may fill in what the other has not run.
        return _scores_of_task(run, Setting.MULTILINGUAL.task_name(benchmark.name), metric) | scores
    return scores


def _scores_of_task(run: ModelResults, task: str, metric: str) -> dict[str, float]:
    return {subset: scores[metric] for subset, scores in run.subsets.get(task, {}).items() if metric in scores}


def _draw(
    run: ModelResults, benchmark: Benchmark, setting: Setting, metric: str, subsets: Collection[str]
) -> Draws | None:
    """The mean over subsets in each draw, by the scores of single queries of the first task that has all of them."""
    from mteb_hybrid.reporting.resampling import draw_mean, query_scores_file

    for task in _tasks(benchmark, setting):
        draws = draw_mean(query_scores_file(run.folder, task), subsets, metric)
        if draws is not None:
            return draws
    return None


def _tasks(benchmark: Benchmark, setting: Setting) -> Iterator[str]:
    yield setting.task_name(benchmark.name)
    if setting is Setting.LANGUAGE_BIAS:
        yield Setting.MULTILINGUAL.task_name(benchmark.name)


def _mean(scores: Mapping[str, float], expected: int, draw: Callable[[], Draws | None]) -> Cell:
    if not scores:
        return Cell(None)
    note = f"{len(scores)} of {expected} subsets" if len(scores) < expected else ""
    return Cell(fsum(scores.values()) / len(scores), note, draw=draw)
