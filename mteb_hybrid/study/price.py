"""What a study costs and how far it is: a table of its cells, with times measured on what was done before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.remedies import settings_text
from mteb_hybrid.study.claims import Claims
from mteb_hybrid.study.folder import Evaluated
from mteb_hybrid.study.inputs import is_remote_source
from mteb_hybrid.study.rows import training_seconds
from mteb_hybrid.study.work import Unit, Work
from mteb_hybrid.training.length import run_length
from mteb_hybrid.training.recipe import Recipe

_DONE, _TO_DO = "done", "to do"


@dataclass(frozen=True)
class _Line:
    """A cell, an average or a baseline.

    Attributes:
        name: its name.
        settings: what the grid says of it.
        base: the model that it begins with; times are compared within one base first.
        steps: of its training; 0 where there is none, None where they are not known before its data are.
        training: ``done``, ``to do``, or who is at it; empty where there is none.
        evaluation: the same.
        failed: whether it failed the last time.
    """

    name: str
    settings: str
    base: str
    steps: int | None
    training: str
    evaluation: str
    failed: bool


@dataclass(frozen=True)
class _Times:
    """Seconds that were measured, by base model; under the empty name the mean over all."""

    step: Mapping[str, float]
    evaluation: Mapping[str, float]


def price(work: Work) -> str:
    """Tell what a study has done, what is left, and how long that takes on this one machine.

    Args:
        work: what the study is about.

    Returns:
        A table and a few lines below it.

    Raises:
        HybridError: a training record is damaged.
    """
    lines, times = list(_lines(work)), _measured(work)
    head = ("cell", "settings", "steps", "training", "evaluation")
    table = [
        head,
        *((line.name, line.settings, _number(line.steps), line.training, _evaluation(line)) for line in lines),
    ]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    shown = [
        f"{name:{widths[0]}}  {said:{widths[1]}}  {steps:>{widths[2]}}  {training:{widths[3]}}  {evaluation}".rstrip()
        for name, said, steps, training, evaluation in table
    ]
    question = [work.study.question, ""] if work.study.question else []
    return "\n".join([*question, *shown, "", *_summary(work, lines, times)])


def steps_of(recipe: Recipe) -> int | None:
    """The steps of a recipe; None where they depend on data that are not on this machine."""
    if "max_steps" in recipe.training:
        return run_length(recipe.training, 0).steps
    from mteb_hybrid.data.corpus_files import BUILT_IN_SOURCES

    if any(is_remote_source(data.source) or data.source in BUILT_IN_SOURCES for data in recipe.data):
        return None
    from mteb_hybrid.training.sources import load_data

    try:
        rows = sum(map(len, load_data(recipe).corpora))
    except HybridError:  # told when it is trained
        return None
    return run_length(recipe.training, rows // recipe.batches.size).steps


def _lines(work: Work) -> Iterator[_Line]:
    claims = Claims(work.folder.claims)
    for cell in work.study.cells:
        record = work.folder.record(cell)
        yield _Line(
            cell.name,
            settings_text(cell.settings),
            cell.recipe.model.base,
            record.steps if record else steps_of(cell.recipe),
            _state(work.training(cell), claims, begun=work.folder.has_checkpoints(cell)),
            _state(work.evaluation(cell), claims),
            work.folder.failure(cell.name).exists(),
        )
    for average in work.study.averages:
        yield _Line(
            average.name,
            settings_text(average.settings),
            average.base,
            0,
            "",
            _state(work.evaluation(average), claims),
            work.folder.failure(average.name).exists(),
        )
    for name in work.study.baselines:
        state = _state(work.baseline_evaluation(name), claims)
        yield _Line(name, "", name, 0, "", state, work.folder.failure(name).exists())


def _state(unit: Unit, claims: Claims, *, begun: bool = False) -> str:
    if unit.is_ready() and unit.is_done():
        return _DONE
    holder = claims.holder(unit.name)
    return f"now: {holder}" if holder else "begun" if begun else _TO_DO


def _measured(work: Work) -> _Times:
    steps: dict[str, list[float]] = {}
    evaluations: dict[str, list[float]] = {}
    for cell in work.study.cells:
        record = work.folder.record(cell)
        seconds = training_seconds(record) if record else None
        if record and seconds is not None and record.steps:
            steps.setdefault(cell.recipe.model.base, []).append(seconds / record.steps)
        _add_evaluation(work, work.folder.evaluated(cell), cell.recipe.model.base, evaluations)
    for average in work.study.averages:
        _add_evaluation(work, work.folder.evaluated(average), average.base, evaluations)
    for name in work.study.baselines:
        _add_evaluation(work, work.baseline(name), name, evaluations)
    return _Times(_means(steps), _means(evaluations))


def _add_evaluation(work: Work, model: Evaluated | None, base: str, times: dict[str, list[float]]) -> None:
    """The time that a whole evaluation took; of an aggregate, mteb's times of its parts are added up there."""
    if model is None or not work.is_evaluated(model):
        return
    results = [work.folder.result(task, model) for task in work.tasks]
    times.setdefault(base, []).append(sum(result.evaluation_time or 0.0 for result in results if result))


def _means(times: Mapping[str, list[float]]) -> dict[str, float]:
    every = [each for values in times.values() for each in values]
    return {base: fmean(values) for base, values in times.items()} | ({"": fmean(every)} if every else {})


def _summary(work: Work, lines: list[_Line], times: _Times) -> Iterator[str]:
    cells = lines[: len(work.study.cells)]
    averages = lines[len(cells) : len(cells) + len(work.study.averages)]
    baselines = lines[len(cells) + len(averages) :]
    failed = sum(line.failed for line in lines)
    parts = [f"{_done(cells)} of {len(cells)} cells are done"]
    parts += [f"{_done(averages)} of {len(averages)} averages"] if averages else []
    parts += [f"{_done(baselines)} of {len(baselines)} baselines"] if baselines else []
    parts += [f"{failed} failed the last time and will be tried again"] if failed else []
    yield ", ".join(parts)
    training = [line for line in cells if line.training != _DONE]
    evaluation = [line for line in lines if line.evaluation != _DONE]
    if not training and not evaluation:
        return
    steps = sum(line.steps or 0 for line in training)
    unknown = sum(line.steps is None for line in training)
    beside = f" and {unknown} trainings of a length that their data will tell" if unknown else ""
    yield f"left: {len(training)} trainings, {steps:,} steps{beside}; {len(evaluation)} evaluations"
    if (training and not times.step) or (evaluation and not times.evaluation):
        yield "time: not measured yet; ask again with --dry-run after the first cell"
        return
    seconds = [
        sum((line.steps or 0) * _time(times.step, line.base) for line in training),
        sum(_time(times.evaluation, line.base) for line in evaluation),
    ]
    least = "at least " if unknown else "about "
    yield f"time: {least}{_duration(sum(seconds))} on one machine like those that did the cells that are done"
    yield f"      (training {_duration(seconds[0])}, evaluation {_duration(seconds[1])})"


def _done(lines: list[_Line]) -> int:
    return sum(line.training in {_DONE, ""} and line.evaluation == _DONE for line in lines)


def _time(measured: Mapping[str, float], base: str) -> float:
    """Of this base model, else of any."""
    return measured.get(base, measured.get("", 0.0))


def _evaluation(line: _Line) -> str:
    return f"{line.evaluation} (failed the last time)" if line.failed and line.evaluation == _TO_DO else line.evaluation


def _number(steps: int | None) -> str:
    return "?" if steps is None else f"{steps:,}" if steps else ""


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
