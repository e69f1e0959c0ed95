"""From the declaration of a benchmark to its mteb tasks: one per setting, their mean, and language bias."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.aggregate_task_metadata import AggregateTaskMetadata
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.results import TaskResult
from mteb.types import PromptType

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.download import cache_folder
from mteb_hybrid.data.languages import langscript
from mteb_hybrid.evaluation.splits import answerable
from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval
from mteb_hybrid.subsets import RETRIEVAL_SETTINGS, Setting, Subset

logger = logging.getLogger(f"mteb.{__name__}")  # below mteb's, so that its verbosity is ours

SPLIT = "test"

_SHIPPED_STATISTICS = Path(str(files("mteb_hybrid"))) / "tasks" / "descriptive_stats"

_NAMES = {setting.value: setting.name.lower() for setting in RETRIEVAL_SETTINGS}

_DESCRIPTIONS = {
    Setting.MONOLINGUAL: "Queries of each language against the passages of that language.",
    Setting.CROSS_LINGUAL: "Queries of each language against the passages of each other language.",
    Setting.MULTILINGUAL: "Queries of each language against one pool that holds the passages of all languages; "
    "the parallel answers of every language are relevant.",
    Setting.LANGUAGE_BIAS: "How far the language of a passage decides its place in a pool of all languages: distance "
    "between the ranks of the parallel answers, scaled to [0, 1], higher is less biased.",
}


@dataclass(frozen=True)
class ParallelBenchmark:
    """What there is to say about a parallel collection as a benchmark.

    Attributes:
        name: the name of the aggregate task; the others' names begin with it.
        title: what the benchmark is called in prose.
        description: one or two sentences about the data.
        load: gives the collection.
        languages: the language tags of the collection.
        dataset: mteb's ``path`` and ``revision``.
        metadata: further fields of mteb's ``TaskMetadata``, the same for all tasks.
    """

    name: str
    title: str
    description: str
    load: Callable[[], ParallelCollection]
    languages: Sequence[str]
    dataset: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ParallelTaskMetadata(TaskMetadata):
    """mteb's metadata; descriptive statistics come with the package or are kept in the user's cache, never in mteb."""

    @property
    def descriptive_stat_path(self) -> Path:
        """Where ``calculate_descriptive_statistics`` finds and keeps its result."""
        shipped = _SHIPPED_STATISTICS / f"{self.name}.json"
        if shipped.is_file():
            return shipped
        return cache_folder() / "descriptive_stats" / self.revision / f"{self.name}.json"


class AbsTaskParallelAggregate(AbsTaskAggregate):
    """The mean of the three settings; each setting's own mean is reported beside it."""

    def task_results_to_scores(self, task_results: list[TaskResult]) -> dict[str, Mapping[str, Any]]:
        """Aggregate as mteb does, and name each part's main score."""
        task_results = [_as_kept(result) for result in task_results]
        scores = super().task_results_to_scores(task_results)
        for split, subsets in scores.items():
            for result in task_results:
                part = result.task_name.removeprefix(self.metadata.name)
                if part in _NAMES and split in result.scores:
                    main = [entry["main_score"] for entry in result.scores[split]]
                    subsets["default"][_NAMES[part]] = float(np.mean(main))  # type: ignore[index]
            for entry in subsets.values():
                for name, value in entry.items():
                    entry[name] = None if value is None else float(value)  # type: ignore[index]
                _tell(self.metadata.name, entry)
        return scores


def _as_kept(result: TaskResult) -> TaskResult:
    """A result as its file has it, with six decimals: a mean must not depend on which parts were read back."""
    scores = {
        split: [{**entry, "main_score": round(entry["main_score"], 6)} for entry in entries]
        for split, entries in result.scores.items()
    }
    return result.model_copy(update={"scores": scores})


def _tell(name: str, scores: Mapping[str, Any]) -> None:
    parts = [f"{key.replace('_', '-')} {scores[key]:.3f}" for key in _NAMES.values() if key in scores]
    if scores["main_score"] is not None:
        logger.info(f"{name}: mean average precision {scores['main_score']:.3f} ({', '.join(parts)})")


def declare(benchmark: ParallelBenchmark, collection: ParallelCollection | None = None) -> tuple[type[AbsTask], ...]:
    """Make the mteb tasks of a benchmark.

    Args:
        benchmark: what there is to say about it.
        collection: its collection, if it is at hand and some languages may have nothing in common: subsets
            without a relevant passage are left out, and so are settings without a subset.

    Returns:
        The classes ``NAMEMonolingual``, ``NAMECrossLingual``, ``NAMEMultilingual``, ``NAMELanguageBias`` (unless there
        is one language only) and, last, the aggregate ``NAME``, the mean of the settings.
    """
    settings = [each for each in Setting if each is not Setting.LANGUAGE_BIAS or len(benchmark.languages) > 1]
    subsets = {setting: setting.subsets(benchmark.languages) for setting in settings}
    if collection is not None:
        subsets = {
            setting: {name: subset for name, subset in members.items() if answerable(collection, subset)}
            for setting, members in subsets.items()
        }
    tasks = {
        setting: parallel_task(
            benchmark,
            setting.task_name(benchmark.name),
            setting,
            description=_DESCRIPTIONS[setting],
            main_score="rank_closeness" if setting is Setting.LANGUAGE_BIAS else "map",
            subsets=members,
        )
        for setting, members in subsets.items()
        if members
    }
    return (*tasks.values(), _aggregate(benchmark, [tasks[each] for each in RETRIEVAL_SETTINGS if each in tasks]))


def parallel_task(
    benchmark: ParallelBenchmark,
    name: str,
    setting: Setting,
    *,
    description: str,
    main_score: str = "map",
    subsets: Mapping[str, Subset] | None = None,
    load: Callable[[], ParallelCollection] | None = None,
    token_limits: Mapping[PromptType, int] | None = None,
    dot_product: bool = False,
) -> type[AbsTaskParallelRetrieval]:
    """Make one task over a benchmark's collection, or over a variant of it.

    Args:
        benchmark: the benchmark, whose metadata it takes.
        name: the task's name.
        setting: which queries are asked of which pool.
        description: what this task measures; the benchmark's description follows it.
        main_score: the score the task is ranked by.
        subsets: its subsets, where they are not all those of the setting.
        load: gives the collection, where it is not the benchmark's own.
        token_limits: as in ``AbsTaskParallelRetrieval``.
        dot_product: likewise.
    """
    if subsets is None:
        subsets = setting.subsets(benchmark.languages)
    metadata = ParallelTaskMetadata(
        name=name,
        description=f"{benchmark.title}: {description} {benchmark.description}",
        dataset={"path": benchmark.dataset["path"], "revision": benchmark.dataset["revision"]},
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=[SPLIT],
        eval_langs={
            key: list(dict.fromkeys(langscript(tag) for tag in (subset.query_language, *subset.corpus_languages)))
            for key, subset in subsets.items()
        },
        main_score=main_score,
        **benchmark.metadata,
    )
    members = {
        "metadata": metadata,
        "setting": setting,
        "load_collection": staticmethod(load or benchmark.load),
        "token_limits": token_limits,
        "dot_product": dot_product,
        "__doc__": metadata.description,
        "__module__": __name__,
    }
    return type(name, (AbsTaskParallelRetrieval,), members)


def _aggregate(benchmark: ParallelBenchmark, parts: Sequence[type[AbsTask]]) -> type[AbsTask]:
    metadata = AggregateTaskMetadata(
        name=benchmark.name,
        description=f"{benchmark.title}: mean average precision over the three settings of LAReQA, monolingual, "
        f"cross-lingual and multilingual. {benchmark.description}",
        tasks=[part() for part in parts],
        main_score="map",
        type="Retrieval",
        eval_splits=[SPLIT],
        eval_langs=sorted({langscript(tag) for tag in benchmark.languages}),
        reference=benchmark.metadata.get("reference"),
        bibtex_citation=benchmark.metadata.get("bibtex_citation"),
    )
    members = {"metadata": metadata, "__doc__": metadata.description, "__module__": __name__}
    return type(benchmark.name, (AbsTaskParallelAggregate,), members)
