"""What a study found, as JSON: derived from the models and results that are there, at any time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mteb_hybrid.errors import HybridError
from mteb_hybrid.models import NamedModel, known_models
from mteb_hybrid.reporting.remedies import UNTRAINED, Remedy, RemedyRow, remedy_rows, seen_languages, write_rows
from mteb_hybrid.study.averages import Average
from mteb_hybrid.study.cells import Cell, short_base, strategy_of
from mteb_hybrid.study.folder import Evaluated, StudyFolder
from mteb_hybrid.study.work import Work
from mteb_hybrid.subsets import Setting, split_task_name
from mteb_hybrid.training.outcome import TrainingRecord
from mteb_hybrid.whole import whole_file


@dataclass(frozen=True)
class _Subject:
    """A model with results, and what was done to it."""

    model: Evaluated
    remedy: Remedy


def write_findings(work: Work) -> int:
    """Write ``rows.json`` and ``scores.json`` into a study's folder.

    ``rows.json`` has a row (``RemedyRow``) for each model and each benchmark of parallel retrieval it was run on.
    ``scores.json`` has one for each model and each task, ours and others: ``task``, ``model``, ``score`` (the task's
    main score, the mean over its subsets), and ``strategy``, ``alpha``, ``seed``, ``steps``, ``base``, ``pairs`` and
    ``seconds`` as there. Both say what the grid says of a cell, as ``settings``.

    Args:
        work: what the study is about; what is not done yet has no rows.

    Returns:
        How many rows both have.

    Raises:
        HybridError: a result file is damaged, or the folder cannot be written.
    """
    subjects = list(_subjects(work))
    rows = benchmark_rows(work, subjects)
    scores = [score for subject in subjects for score in _scores(work, subject)]
    write_rows(rows, work.folder.path / "rows.json")
    path = work.folder.path / "scores.json"
    try:
        with whole_file(path) as partial:
            partial.write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {path}: {error.strerror or error}") from None
    return len(rows) + len(scores)


def training_seconds(record: TrainingRecord) -> float | None:
    """What a training took in all: where it was resumed, as if the steps before had taken as long; None if unknown."""
    done = record.steps - (record.resumed_at or 0)
    return round(record.seconds * record.steps / done, 1) if done > 0 else None


def benchmark_rows(work: Work, subjects: list[_Subject]) -> list[RemedyRow]:
    """The rows of models on benchmarks; a model that was run on a part of one so far has none."""
    remedies = {
        f"{subject.model.name}@{subject.model.revision}": subject.remedy
        for subject in subjects
        if _has_benchmark(work, subject.model)
    }
    return remedy_rows(work.folder.results, remedies) if remedies else []


def _subjects(work: Work) -> Iterator[_Subject]:
    for cell in work.study.cells:
        model = work.folder.evaluated(cell)
        if model is not None:
            yield _Subject(model, _remedy(cell, work.folder))
    for average in work.study.averages:
        model = work.folder.evaluated(average)
        if model is not None:
            yield _Subject(model, _remedy_of_average(average, work.folder))
    for name in work.study.baselines:
        model = work.baseline(name)
        if model is not None:
            yield _Subject(model, Remedy(UNTRAINED, base=_base(name)))


def _remedy(cell: Cell, folder: StudyFolder) -> Remedy:
    record = folder.record(cell)
    assert record is not None  # it is trained
    strategy, alpha = strategy_of(cell.recipe)
    return Remedy(
        strategy,
        alpha=alpha,
        seed=cell.recipe.seed,
        steps=record.steps,
        seconds=training_seconds(record),
        languages=seen_languages(folder.model(cell)),
        base=_base(record.base),
        pairs=sum(source.rows for source in record.data),
        settings={key: _without_folders(value) for key, value in cell.settings.items()},
    )


def _remedy_of_average(average: Average, folder: StudyFolder) -> Remedy:
    """What it took in all: the steps and seconds of its cells, if these are still there, and its own."""
    record = folder.record(average)
    assert record is not None  # it is made
    records = [part for cell in average.cells if (part := folder.record(cell)) is not None]
    seconds = [training_seconds(part) for part in records]
    known = [each for each in seconds if each is not None]
    whole = len(known) == len(average.cells)
    return Remedy(
        average.strategy,
        alpha=average.alpha,
        seed=average.seed,
        steps=sum(part.steps for part in records),
        seconds=round(sum(known) + record.seconds, 1) if whole else None,
        languages=seen_languages(folder.model(average)),
        base=_base(average.base),
        pairs=sum(source.rows for source in record.data),
        settings={key: _without_folders(value) for key, value in average.settings.items()},
    )


def _base(model: str) -> str:
    """The Hub id that a model goes by, or the last part of its folder: rows go where no folder of this machine is."""
    named = known_models().get(model)
    source = named.source if named else model
    local = os.path.isdir(os.path.expanduser(source)) or NamedModel(source, source).is_local
    return short_base(source) if local else source


def _without_folders(value: Any) -> Any:
    """A setting's value, of paths the last part."""
    if isinstance(value, str):
        return os.path.basename(value.rstrip("/\\")) if os.path.isabs(os.path.expanduser(value)) else value
    if isinstance(value, dict):
        return {key: _without_folders(part) for key, part in value.items()}
    return [_without_folders(part) for part in value] if isinstance(value, list) else value


def _has_benchmark(work: Work, model: Evaluated) -> bool:
    """Whether there are results of a whole benchmark's pool, and nothing of it is half done."""
    pool = False
    for task in _flat(work.tasks):
        split = split_task_name(task.metadata.name)
        if split is not None and work.folder.is_begun(task, model):
            if work.folder.result(task, model) is None:
                return False
            pool |= split[1] is Setting.MULTILINGUAL
    return pool


def _flat(tasks: Any) -> Iterator[Any]:
    for task in tasks:
        yield task
        yield from _flat(getattr(task, "tasks", ()))


def _scores(work: Work, subject: _Subject) -> Iterator[dict[str, Any]]:
    for task in work.tasks:
        result = work.folder.result(task, subject.model)
        if result is None:
            continue
        remedy = subject.remedy
        yield {
            "task": task.metadata.name,
            "model": subject.model.name,
            "score": float(result.get_score()),
            "strategy": remedy.strategy,
            "alpha": remedy.alpha,
            "seed": remedy.seed,
            "steps": remedy.steps,
            "base": remedy.base,
            "pairs": remedy.pairs,
            "seconds": remedy.seconds,
            "settings": dict(remedy.settings) if remedy.settings else None,
        }
