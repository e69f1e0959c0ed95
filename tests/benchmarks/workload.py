"""What is evaluated: the same texts as this package's tasks and as unmodified retrieval tasks of mteb."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mteb.abstasks import AbsTaskRetrieval

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.evaluation.declare import declare
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.tasks.xquad_r import BENCHMARK

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask

WORLD_FACTS = 1190
"""A generated world has as many questions a language as XQuAD-R."""


def our_tasks(source: str, sample: int) -> tuple[type[AbsTask], ...]:
    """The package's tasks over every ``sample``-th paragraph: three settings, language bias, their aggregate.

    Args:
        source: ``xquad-r``, or ``world`` for a generated collection.
        sample: 1 for all texts.
    """
    if source == "world":
        return collection_tasks(generate_world(max(1, WORLD_FACTS // sample)))
    if sample == 1:
        return declare(BENCHMARK)
    return declare(replace(BENCHMARK, load=partial(_sampled, sample)))


def plain_tasks(source: str, sample: int) -> list[AbsTask]:
    """The three settings as plain subclasses of mteb's retrieval task, over the very same datasets and qrels."""
    *settings, _, _ = our_tasks(source, sample)
    return [_plain(task) for task in settings]


def _plain(task: type[AbsTask]) -> AbsTask:
    def load_data(self: AbsTaskRetrieval, num_proc: int | None = None, **kwargs: Any) -> None:
        ours = task()
        ours.load_data(num_proc=num_proc, **kwargs)
        self.dataset, self.data_loaded = ours.dataset, True  # type: ignore[assignment]

    # map without a cut-off is ours alone, so another score has to be the main one
    metadata = task.metadata.model_copy(update={"name": f"Plain{task.metadata.name}", "main_score": "ndcg_at_10"})
    members = {"metadata": metadata, "load_data": load_data, "__module__": __name__}
    plain: AbsTask = type(metadata.name, (AbsTaskRetrieval,), members)()
    return plain


def _sampled(sample: int) -> ParallelCollection:
    """XQuAD-R's paragraphs 0, N, 2N... with their questions; paragraphs are parallel over its languages."""
    whole = BENCHMARK.load()
    passages = {
        language: _rows(table, [row for row, id_ in enumerate(table.ids) if int(id_.split("-")[-2]) % sample == 0])
        for language, table in whole.passages.items()
    }
    queries = {
        language: _rows(
            table, [row for row, (group,) in enumerate(table.groups) if group in passages[language].rows_by_group]
        )
        for language, table in whole.queries.items()
    }
    return ParallelCollection(whole.name, queries, passages)


def _rows(table: TextTable, rows: list[int]) -> TextTable:
    columns = (table.ids, table.texts, table.groups)
    return TextTable(*(tuple(column[row] for row in rows) for column in columns))  # type: ignore[arg-type]
