"""MLQA-R in two parts that share no paragraph: one to train and fit on, one to choose settings by."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.parallel_corpus import ParallelCorpus, corpus_from_collection


@dataclass(frozen=True)
class Parts:
    """The two parts.

    Attributes:
        training: question-passage pairs to train and fit on.
        held_out: questions of the other part, and all sentences of their paragraphs.
    """

    training: ParallelCorpus
    held_out: ParallelCollection


def part(collection: ParallelCollection, name: str, *, one_in: int = 5) -> Parts:
    """Hold out one in so many sets of questions that share paragraphs, in whichever language.

    Args:
        collection: of LAReQA files, whose passage ids are ``LANGUAGE-PARAGRAPH-SENTENCE``.
        name: what to call the held-out part.
        one_in: a set is held out if the CRC-32 of its least question id divides by it.
    """
    sets = _question_sets(collection)
    held = {group for group, root in sets.items() if zlib.crc32(root.encode()) % one_in == 0}
    corpus = corpus_from_collection(collection)
    rows = [row for row, id_ in enumerate(corpus.table["id"].to_pylist()) if id_ not in held]
    queries = {tag: _chosen(table, {*_rows_of(table, held)}) for tag, table in collection.queries.items()}
    passages = {}
    for tag, table in collection.passages.items():
        paragraphs = {_paragraph(table.ids[row]) for row in _rows_of(table, held)}
        passages[tag] = _chosen(table, {row for row, id_ in enumerate(table.ids) if _paragraph(id_) in paragraphs})
    return Parts(corpus.select_rows(rows), ParallelCollection(name, queries, passages))


def _question_sets(collection: ParallelCollection) -> Mapping[str, str]:
    """For each question its set, named by the least id in it; questions of one paragraph are in one set."""
    root: dict[str, str] = {}

    def find(group: str) -> str:
        while root.setdefault(group, group) != group:
            group = root[group]
        return group

    for table in collection.passages.values():
        first: dict[str, str] = {}
        for id_, groups in zip(table.ids, table.groups, strict=True):
            for group in groups:
                one, other = sorted((find(group), find(first.setdefault(_paragraph(id_), group))))
                root[other] = one
    return {group: find(group) for group in list(root)}


def _paragraph(passage_id: str) -> str:
    return passage_id.rpartition("-")[0]


def _rows_of(table: TextTable, groups: set[str]) -> list[int]:
    return [row for row, members in enumerate(table.groups) if not groups.isdisjoint(members)]


def _chosen(table: TextTable, rows: set[int]) -> TextTable:
    kept = sorted(rows)
    return TextTable(*(tuple(column[row] for row in kept) for column in (table.ids, table.texts, table.groups)))
