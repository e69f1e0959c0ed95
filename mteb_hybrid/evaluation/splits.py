"""The layout of a collection for mteb: the queries, corpus and qrels of each subset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar

from datasets import Dataset

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.subsets import Subset

_PARTS_HELD = 256
"""Selections of queries that are held, where not all languages have all questions: others are made again."""


def answerable(collection: ParallelCollection, subset: Subset) -> bool:
    """Whether any query of the subset has a relevant passage in its pool."""
    groups = collection.queries[subset.query_language].rows_by_group
    return any(
        not collection.passages[language].rows_by_group.keys().isdisjoint(groups)
        for language in subset.corpus_languages
    )


def build_splits(
    collection: ParallelCollection, subsets: Mapping[str, Subset], split: str
) -> dict[str, dict[str, MutableMapping[str, Any]]]:
    """Lay a collection out as mteb's retrieval tasks do: subset to split to queries, corpus and qrels.

    A subset holds the queries that have a relevant passage in it. Queries and corpora are shared between the
    subsets, and qrels are made when they are asked for, so that the layout grows with the texts and not with the
    language pairs.
    """
    tables = _Tables(collection)
    return {name: {split: Split(tables, subset)} for name, subset in subsets.items()}


class _Tables:
    """The queries and corpora of a collection as mteb has them, each made once."""

    def __init__(self, collection: ParallelCollection) -> None:
        self.collection = collection
        self._corpora: dict[tuple[str, ...], Dataset] = {}
        self._queries: dict[str, Dataset] = {}
        self._parts: dict[tuple[str, tuple[int, ...]], Dataset] = {}
        self._last: tuple[Subset, list[tuple[int, str]]] | None = None

    def corpus(self, subset: Subset) -> Dataset:
        """The passages of a subset."""
        languages = subset.corpus_languages
        if languages not in self._corpora:
            self._corpora[languages] = text_dataset(*(self.collection.passages[tag] for tag in languages))
        return self._corpora[languages]

    def queries(self, subset: Subset) -> Dataset:
        """The queries of a subset."""
        language = subset.query_language
        if language not in self._queries:
            self._queries[language] = text_dataset(self.collection.queries[language])
        rows = tuple(row for row, _ in self._answered(subset))
        if len(rows) == len(self._queries[language]):
            return self._queries[language]
        if (language, rows) not in self._parts:
            while len(self._parts) >= _PARTS_HELD:
                del self._parts[next(iter(self._parts))]
            self._parts[language, rows] = self._queries[language].select(rows)
        return self._parts[language, rows]

    def qrels(self, subset: Subset) -> dict[str, dict[str, int]]:
        """The relevant passages of each query of a subset."""
        pools = [self.collection.passages[tag] for tag in subset.corpus_languages]
        ids = self.collection.queries[subset.query_language].ids
        return {
            ids[row]: {pool.ids[member]: 1 for pool in pools for member in pool.rows_by_group.get(group, ())}
            for row, group in self._answered(subset)
        }

    def _answered(self, subset: Subset) -> list[tuple[int, str]]:
        """The row and the group of each query that has a relevant passage."""
        if self._last is None or self._last[0] != subset:  # it is asked for twice in a row
            pools = [self.collection.passages[tag].rows_by_group for tag in subset.corpus_languages]
            groups = self.collection.queries[subset.query_language].groups
            found = [(row, g) for row, (g,) in enumerate(groups) if any(g in pool for pool in pools)]
            self._last = subset, found
        return self._last[1]


class Split(MutableMapping[str, Any]):
    """What mteb calls the data of a split; nothing is held but what was put in its place."""

    _MADE: ClassVar[Mapping[str, Callable[[_Tables, Subset], Any]]] = {
        "queries": _Tables.queries,
        "corpus": _Tables.corpus,
        "relevant_docs": _Tables.qrels,
        "top_ranked": lambda tables, subset: None,
    }

    def __init__(self, tables: _Tables, subset: Subset) -> None:
        self._tables, self._subset = tables, subset
        self._given: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._given[name] if name in self._given else self._MADE[name](self._tables, self._subset)

    @property
    def is_changed(self) -> bool:
        """Whether anything was put in its place."""
        return bool(self._given)

    def __setitem__(self, name: str, value: Any) -> None:
        self._given[name] = value

    def __delitem__(self, name: str) -> None:
        del self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._MADE, **self._given})

    def __len__(self) -> int:
        return len({**self._MADE, **self._given})


def text_dataset(*tables: TextTable) -> Dataset:
    """The rows of tables as mteb's retrieval tasks have queries and corpora: ``id`` and ``text``.

    Raises:
        HybridError: a text is not valid Unicode.
    """
    columns = {
        "id": [id_ for table in tables for id_ in table.ids],
        "text": [text for table in tables for text in table.texts],
    }
    try:
        return Dataset.from_dict(columns)
    except UnicodeEncodeError as error:
        raise HybridError(f"a text of the collection is not valid Unicode ({one_line(error, 100)})") from None
