"""The three settings of LAReQA: which queries are asked of which pool (PROTOCOL section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from datasets import Dataset

from mteb_hybrid.data.collection import ParallelCollection, TextTable


@dataclass(frozen=True)
class Subset:
    """One retrieval problem: the queries of one language against the passages of one or more.

    Attributes:
        query_language: the queries' language.
        corpus_languages: the languages in the pool.
    """

    query_language: str
    corpus_languages: tuple[str, ...]


class Setting(Enum):
    """Where the passages come from, seen from the query."""

    MONOLINGUAL = "Monolingual"
    CROSS_LINGUAL = "CrossLingual"
    MULTILINGUAL = "Multilingual"

    def subsets(self, languages: Sequence[str]) -> dict[str, Subset]:
        """The subsets over some languages, keyed by ``hf_subset``: ``x-x``, ``x-y`` or ``x-all``.

        A hyphen within a language tag becomes an underscore, so that the name splits at its hyphen.
        """
        everything = tuple(languages)
        if self is Setting.MULTILINGUAL:
            return {f"{_plain(x)}-all": Subset(x, everything) for x in languages}
        return {
            f"{_plain(x)}-{_plain(y)}": Subset(x, (y,))
            for x in languages
            for y in languages
            if (x == y) is (self is Setting.MONOLINGUAL)
        }


def answerable(collection: ParallelCollection, subset: Subset) -> bool:
    """Whether any query of the subset has a relevant passage in its pool."""
    groups = collection.queries[subset.query_language].rows_by_group
    return any(
        not collection.passages[language].rows_by_group.keys().isdisjoint(groups)
        for language in subset.corpus_languages
    )


def build_splits(
    collection: ParallelCollection, subsets: Mapping[str, Subset], split: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Lay a collection out as mteb's retrieval tasks do: subset to split to queries, corpus and qrels.

    A subset holds the queries that have a relevant passage in it. Queries and corpora are shared between the
    subsets, so that the layout grows with the texts and not with the language pairs.
    """
    corpora: dict[tuple[str, ...], Dataset] = {}
    queries: dict[str, Dataset] = {}
    splits: dict[str, dict[str, dict[str, Any]]] = {}
    for name, subset in subsets.items():
        if subset.corpus_languages not in corpora:
            corpora[subset.corpus_languages] = text_dataset(*(collection.passages[y] for y in subset.corpus_languages))
        if subset.query_language not in queries:
            queries[subset.query_language] = text_dataset(collection.queries[subset.query_language])
        rows, qrels = _qrels(collection, subset)
        asked = queries[subset.query_language]
        splits[name] = {
            split: {
                "queries": asked if len(rows) == len(asked) else asked.select(rows),
                "corpus": corpora[subset.corpus_languages],
                "relevant_docs": qrels,
                "top_ranked": None,
            }
        }
    return splits


def _plain(tag: str) -> str:
    return tag.replace("-", "_")


def text_dataset(*tables: TextTable) -> Dataset:
    """The rows of tables as mteb's retrieval tasks have queries and corpora: ``id`` and ``text``."""
    return Dataset.from_dict(
        {
            "id": [id_ for table in tables for id_ in table.ids],
            "text": [text for table in tables for text in table.texts],
        }
    )


def _qrels(collection: ParallelCollection, subset: Subset) -> tuple[list[int], dict[str, dict[str, int]]]:
    """The rows of the queries with a relevant passage, and those passages by query id."""
    queries = collection.queries[subset.query_language]
    pools = [collection.passages[language] for language in subset.corpus_languages]
    rows: list[int] = []
    qrels: dict[str, dict[str, int]] = {}
    for row, (id_, (group,)) in enumerate(zip(queries.ids, queries.groups, strict=True)):
        relevant = {pool.ids[member]: 1 for pool in pools for member in pool.rows_by_group.get(group, ())}
        if relevant:
            rows.append(row)
            qrels[id_] = relevant
    return rows, qrels
