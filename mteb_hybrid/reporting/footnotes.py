"""What must be said below a table: incomplete figures, zero-shot or not, differing data, sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting

INCOMPLETE_MARK = "*"
SIGNIFICANT_MARK = "†"
_LISTED = 12
NO_MARGINS = "No ±: scores of single queries were not kept when these results were made; run the tasks again."


def incomplete(label: str, columns: Iterable[str], cells: Iterable[Cell]) -> Iterator[str]:
    """Say for one row which figures are means over fewer subsets than the benchmark has."""
    missing = [f"{column} {cell.note}" for column, cell in zip(columns, cells, strict=True) if cell.note]
    if missing:
        more = f" and {len(missing) - _LISTED} columns more" if len(missing) > _LISTED else ""
        yield f"{INCOMPLETE_MARK} {label}: {', '.join(missing[:_LISTED])}{more}."


def zero_shot(models: Sequence[tuple[str, ModelResults]], benchmarks: Sequence[Benchmark]) -> Iterator[str]:
    """Say which models are zero-shot on which benchmarks, as far as declared training data tells."""
    seen: list[str] = []
    unseen: list[str] = []
    silent: list[str] = []
    for label, model in models:
        if model.training_datasets is None:
            silent.append(label)
            continue
        for benchmark in _run_by(model, benchmarks):
            overlaps = not model.training_datasets.isdisjoint(benchmark.data_names)
            (seen if overlaps else unseen).append(f"{label} on {benchmark.title}")
    if seen:
        yield f"Not zero-shot, as declared training data holds the texts: {', '.join(seen)}."
    if unseen:
        yield f"Zero-shot by declared training data: {', '.join(unseen)}."
    if silent:
        yield f"Training data not declared, so zero-shot is not known: {', '.join(silent)}."


def differing_data(models: Sequence[ModelResults], benchmarks: Sequence[Benchmark]) -> Iterator[str]:
    """Say which tasks were run on different revisions of their data."""
    for task in (setting.task_name(benchmark.name) for benchmark in benchmarks for setting in Setting):
        revisions = {model.dataset_revisions[task] for model in models if task in model.dataset_revisions}
        if len(revisions) > 1:
            listed = ", ".join(sorted(revisions))
            yield f"{task} was run on different revisions of its data, which do not compare: {listed}."


def sources(publications: Iterable[str]) -> Iterator[str]:
    """Name the publications that published figures come from."""
    if named := list(dict.fromkeys(publications)):
        yield f"Published figures: {'; '.join(named)}."


def _run_by(model: ModelResults, benchmarks: Iterable[Benchmark]) -> list[Benchmark]:
    return [each for each in benchmarks if any(setting.task_name(each.name) in model.subsets for setting in Setting)]
