"""Rows of measured remedies: one of each remedy and seed on each benchmark, as JSON, to be compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.figures import setting_cell
from mteb_hybrid.reporting.results import ModelResults, read_results, select_models
from mteb_hybrid.subsets import Setting
from mteb_hybrid.whole import whole_file

UNTRAINED = "untrained"
"""The strategy of the model that nothing was done to; what all remedies are compared with."""


@dataclass(frozen=True)
class Remedy:
    """What was done to a model, which its results do not tell.

    Attributes:
        strategy: the remedy's name, such as ``hybrid`` or ``shift``; ``UNTRAINED`` for none.
        alpha: its setting, if it has one.
        seed: of a remedy that depends on one.
        steps: of training; 0 where nothing was trained.
        seconds: what it costs: training, fitting and merging together; None if that was not measured.
        languages: BCP 47 tags of what training or fitting saw, as ``seen_languages`` gives them.
        base: the model that training began with.
        pairs: question-passage pairs trained on, each counted once in however many languages it exists.
        settings: of a study, what its grid says of the cell.
    """

    strategy: str
    alpha: float | None = None
    seed: int | None = None
    steps: int = 0
    seconds: float | None = None
    languages: tuple[str, ...] = ()
    base: str | None = None
    pairs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Figures(BaseModel):
    """Means over the subsets of a setting, under the names of the scores; None where there is no such score."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)
    monolingual: float | None = Field(None, ge=0, le=1)
    cross_lingual: float | None = Field(None, ge=0, le=1)
    multilingual: float | None = Field(None, ge=0, le=1)
    rank_distance: float | None = Field(None, ge=0)
    rank_closeness: float | None = None
    worst_rank: float | None = None
    query_language_first: float | None = None
    top1_query_language: float | None = None
    tlr_at_10: float | None = None
    tlr_at_20: float | None = None
    tlr_at_100: float | None = None
    peer_at_20: float | None = None
    peer_at_100: float | None = None
    mrc_at_10: float | None = None
    mrc_at_20: float | None = None
    recall_at_20: float | None = None
    ndcg_at_20: float | None = None


class RemedyRow(Figures):
    """One remedy with one seed on one benchmark."""

    task: str
    model: str
    strategy: str
    alpha: float | None = None
    seed: int | None = None
    steps: int | None = None
    seconds: float | None = Field(None, ge=0)
    base: str | None = None
    pairs: int | None = Field(None, ge=0)
    settings: dict[str, Any] | None = None
    """What a study's grid says of the cell."""
    seen: Figures | None = None
    """The same of the query languages that training or fitting saw."""
    unseen: Figures | None = None
    seen_languages: list[str] | None = None


STEPS_SETTING = "training.max_steps"
"""The setting of a grid that makes steps a cell's own; without it they follow from the amount of data."""
_OWN_FIELD = {
    "batches.alpha",
    "batches.strategy",
    "data[0].rows",
    "data[0].sample",
    "model.base",
    "seed",
    STEPS_SETTING,
}
"""Settings that a row has fields for, unless they are lists: of models that were averaged."""


def variant_of(row: RemedyRow) -> str:
    """What else than its fields tell sets a row's remedy apart, such as ``training.learning_rate=5e-05``."""
    settings = (row.settings or {}).items()
    return settings_text({key: value for key, value in settings if key not in _OWN_FIELD or isinstance(value, list)})


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{one_line(key, 60)}={one_line(value, 40)}" for key, value in settings.items())


_MAPS = {
    "monolingual": Setting.MONOLINGUAL,
    "cross_lingual": Setting.CROSS_LINGUAL,
    "multilingual": Setting.MULTILINGUAL,
}
_OF_RETRIEVAL = ("recall_at_20", "ndcg_at_20")  # of the pool of all languages, as others report them
_OF_BIAS = tuple(name for name in Figures.model_fields if name not in {*_MAPS, *_OF_RETRIEVAL})


def seen_languages(folder: Path | None = None, debias: Path | None = None) -> tuple[str, ...]:
    """The languages that a model saw when it was trained here, and those that its debiasing was fitted on.

    Args:
        folder: the model's, with ``training.json`` if it was trained here.
        debias: the file of its debiasing.

    Returns:
        BCP 47 tags, sorted; none for a model that nothing was done to.

    Raises:
        HybridError: one of the two is damaged.
    """
    from mteb_hybrid.debias.file import read_debiasing
    from mteb_hybrid.training.outcome import read_record

    record = read_record(folder) if folder else None
    found = {tag for source in (record.data if record else ()) for tag in source.languages}
    if debias is not None:
        fitted = read_debiasing(debias)
        found |= {*fitted.languages, *([fitted.source] if fitted.source else [])}
    return tuple(sorted(found))


def remedy_rows(folder: Path, remedies: Mapping[str, Remedy]) -> list[RemedyRow]:
    """Put the results of models and what is known of them into rows.

    The figures of query languages that were seen and not seen stand apart. Where nothing was seen, as for the
    untrained model, the line is drawn where it is for the other remedies, so that the parts compare.

    Args:
        folder: results as ``mteb run`` writes them.
        remedies: what was done to each model, by the name its results have, as in ``select_models``.

    Returns:
        A row for each model and each benchmark that it was run on whole, in the order of the models.

    Raises:
        HybridError: a model has no results or those of several revisions, or was run on a part of a benchmark.
    """
    runs = read_results(folder)
    chosen = {name: _only(select_models(runs, [name]), name) for name in remedies}
    every = tuple(sorted({tag for remedy in remedies.values() for tag in remedy.languages}))
    benchmarks = find_benchmarks(list(chosen.values()))
    return [
        _row(run, benchmark, remedies[name], remedies[name].languages or every)
        for name, run in chosen.items()
        for benchmark in benchmarks.values()
        if Setting.MULTILINGUAL.task_name(benchmark.name) in run.subsets
    ]


def write_rows(rows: Iterable[RemedyRow], path: Path) -> None:
    """Write rows as a list in JSON; a file that is there is replaced.

    Raises:
        HybridError: the file cannot be written.
    """
    text = json.dumps([row.model_dump(mode="json") for row in rows], indent=1, ensure_ascii=False)
    try:
        with whole_file(path) as partial:
            partial.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {path}: {error.strerror or error}; choose another file") from None


def read_rows(path: Path) -> list[RemedyRow]:
    """Read rows from a list in JSON, or from JSON lines; keys that are not known are passed over.

    Raises:
        HybridError: the file cannot be read, or a row lacks a key or holds something else under it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}; name a file of rows") from None
    except UnicodeDecodeError:
        raise HybridError(f"{path} is not text in UTF-8; name a file of rows as JSON") from None
    values = _parse(path, text)
    if not values:
        raise HybridError(f"{path} holds no rows; name a file with a row for each remedy")
    return [_checked(path, number, value) for number, value in enumerate(values, start=1)]


def _parse(path: Path, text: str) -> Sequence[object]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            return [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not text.strip():
            return []
        raise HybridError(f"{path} is neither JSON nor JSON lines ({one_line(error, 80)})") from None
    return whole if isinstance(whole, list) else [whole]


def _line(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise HybridError(f"{path}, line {number} is not JSON ({one_line(error, 80)})") from None


def _checked(path: Path, number: int, value: object) -> RemedyRow:
    try:
        row = RemedyRow.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the row"
        raise HybridError(f"{path}, row {number}: {one_line(where, 80)}: {one_line(first['msg'], 100)}") from None
    for name in ("monolingual", "multilingual"):
        if getattr(row, name) is None:
            raise HybridError(f"{path}, row {number}: {name}: a row needs this figure")
    return row


def _only(runs: Sequence[ModelResults], name: str) -> ModelResults:
    if len(runs) > 1:
        raise HybridError(f"there are several revisions of {one_line(name, 120)}; name one, as in NAME@REVISION")
    return runs[0]


def _row(run: ModelResults, benchmark: Benchmark, remedy: Remedy, seen: Collection[str]) -> RemedyRow:
    for setting in Setting:
        if note := setting_cell(run, benchmark, setting).note:
            raise HybridError(
                f"{run.model}: {setting.task_name(benchmark.name)} was run on {note}; run the same mteb command again"
            )
    known = {_plain(tag) for tag in seen}
    before = {tag for tag in benchmark.languages if _plain(tag) in known}
    parts: dict[str, Any] = {}
    if before:
        after = {*benchmark.languages} - before
        parts["seen"] = _figures(run, benchmark, before)
        parts["unseen"] = _figures(run, benchmark, after) if after else None
    return RemedyRow(
        **_figures(run, benchmark, {*benchmark.languages}).model_dump(),
        **parts,
        task=benchmark.name,
        model=run.model,
        strategy=remedy.strategy,
        alpha=remedy.alpha,
        seed=remedy.seed,
        steps=remedy.steps,
        seconds=remedy.seconds,
        base=remedy.base,
        pairs=remedy.pairs,
        settings=dict(remedy.settings) or None,
        seen_languages=sorted(before),
    )


def _plain(tag: str) -> str:
    try:
        return language_and_script(tag)
    except HybridError:  # a collection of one's own may call its languages what it likes
        return tag


def _figures(run: ModelResults, benchmark: Benchmark, languages: Collection[str]) -> Figures:
    """Means over the subsets whose queries are in some languages."""

    def mean(setting: Setting, score: str) -> float | None:
        tasks = [setting] if setting is not Setting.LANGUAGE_BIAS else [setting, Setting.MULTILINGUAL]
        for task in tasks:  # both of these rank the same pool
            subsets = run.subsets.get(task.task_name(benchmark.name), {})
            values = [
                scores[score]
                for subset, scores in subsets.items()
                if score in scores and setting.languages_of(subset)[0] in languages
            ]
            if values:
                return fsum(values) / len(values)
        return None

    return Figures(
        **{name: mean(setting, "map") for name, setting in _MAPS.items()},
        **{name: mean(Setting.MULTILINGUAL, name) for name in _OF_RETRIEVAL},
        **{name: mean(Setting.LANGUAGE_BIAS, name) for name in _OF_BIAS},
    )
