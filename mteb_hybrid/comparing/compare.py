"""From a result folder and two models to the text that ``mteb-hybrid compare`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mteb_hybrid.comparing.lines import Part, Sides, languages_family, settings_family
from mteb_hybrid.comparing.pairing import scores_of, task_with_scores
from mteb_hybrid.comparing.tables import LANGUAGES_SHOWN, comparison_tables
from mteb_hybrid.comparing.verdict import MARGIN
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.render import Format, render
from mteb_hybrid.reporting.results import ModelResults, read_results, select_models, unknown
from mteb_hybrid.reporting.tables import row_labels
from mteb_hybrid.subsets import Setting, split_task_name


def compare(
    folder: Path,
    a: Sequence[str],
    b: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    margin: float = MARGIN,
    format: Format = "terminal",
    width: int | None = None,
) -> str:
    """Return tables of how far B is from A, how sure that is, and what it means.

    Args:
        folder: the folder given to ``mteb run --output-folder``, or one inside it.
        a: the model to compare with, as ``org/name`` or ``name``, with ``@`` and the start of a revision where wanted;
            several that differ in the seed only are compared by their mean.
        b: the model to compare, or several likewise.
        tasks: tasks, or benchmarks by name or title; by default all settings of which all models have results.
        margin: the mean average precision that counts as none.
        format: ``terminal``, ``markdown``, ``csv`` or ``latex``; of more than 30 query languages all but CSV show
            those with the greatest differences.
        width: of the terminal, in characters; None for no bound.

    Returns:
        The text, without a line end after the last line.

    Raises:
        HybridError: there are no results of a name, a model stands on both sides, or their scores of single queries
            were not kept or are no pairs.
    """
    runs = read_results(folder)
    sides = _sides(runs, a, b)
    parts, passed_over = _parts(find_benchmarks(runs), sides, tasks)
    settings = settings_family(parts, sides, margin)
    languages = languages_family(parts, sides, margin)
    languages_shown = None if format == "csv" else LANGUAGES_SHOWN
    tables = comparison_tables(sides, settings, languages, margin, passed_over, languages_shown)
    return render(tables, format, width)


def _sides(runs: Sequence[ModelResults], a: Sequence[str], b: Sequence[str]) -> Sides:
    one, other = (tuple(dict.fromkeys(_one(runs, name).folder for name in names)) for names in (a, b))
    if not one or not other:
        raise HybridError("name a model on each side, or several with commas")
    by_folder = {run.folder: run for run in runs}
    both = [by_folder[folder].model for folder in one if folder in other]
    if both:
        raise HybridError(f"{one_line(both[0], 80)} stands on both sides; name two models that differ")
    chosen = [by_folder[folder] for folder in (*one, *other)]
    return Sides(tuple(chosen[: len(one)]), tuple(chosen[len(one) :]), tuple(row_labels(chosen)))


def _one(runs: Sequence[ModelResults], name: str) -> ModelResults:
    found = select_models(runs, [name])
    if len(found) > 1:
        several = ", ".join(f"{run.model}@{run.revision[:8]}" for run in found[:8])
        raise HybridError(f"{one_line(name, 80)} may be any of {one_line(several, 500)}; name one of these")
    return found[0]


def _parts(
    benchmarks: Mapping[str, Benchmark], sides: Sides, names: Sequence[str]
) -> tuple[list[Part], tuple[str, ...]]:
    """The settings to compare, and the tasks that only some of the models have results of."""
    found: dict[tuple[str, Setting], Part] = {}
    passed_over: list[str] = []
    there = [(benchmark, setting) for benchmark in benchmarks.values() for setting in Setting]
    for benchmark, setting in dict.fromkeys(_named(there, names)) if names else there:
        task = task_with_scores(sides.runs, benchmark.name, setting)
        if task is not None:
            found[benchmark.name, setting] = Part(benchmark, setting, task)
        elif any(scores_of(run, setting.task_name(benchmark.name), setting.metric) for run in sides.runs):
            passed_over.append(setting.task_name(benchmark.name))
    tasks = {setting.task_name(benchmark.name): (benchmark.name, setting) for benchmark, setting in there}
    lacking = next((name for name in names if name in tasks and tasks[name] not in found), None)
    if lacking is not None or not found:
        what = "one and the same task" if lacking is None else one_line(lacking, 80)
        raise HybridError(f"not all of {one_line(', '.join(sides.labels), 300)} have results of {what}; run it first")
    return list(found.values()), tuple(passed_over)


def _named(there: Sequence[tuple[Benchmark, Setting]], names: Sequence[str]) -> Iterator[tuple[Benchmark, Setting]]:
    for name in names:
        split = split_task_name(name)
        chosen = [
            (benchmark, setting)
            for benchmark, setting in there
            if name in {benchmark.name, benchmark.title} or split == (benchmark.name, setting)
        ]
        if not chosen:
            raise unknown("task", name, [setting.task_name(benchmark.name) for benchmark, setting in there])
        yield from chosen
