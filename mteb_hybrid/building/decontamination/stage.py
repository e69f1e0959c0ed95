"""Decontamination of a shard: which rows have what a task has, and the shard without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from mteb_hybrid.building.decontamination.embedding import encode, find_encoder
from mteb_hybrid.building.decontamination.hashing import Numbers, hash_texts, text_hash
from mteb_hybrid.building.decontamination.index import Index, distinctive_ids, open_index
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.building.shards import Kept, languages_of
from mteb_hybrid.errors import HybridError

KINDS = ("id", "exact", "ngram", "embedding")
"""How a text is found, the surest first: what one has found the next does not look for."""

SAME_GROUP = "passage of the same group"
"""Why the rest of a group went."""

_TEXTS_AT_A_TIME = 2048


def reason(kind: str) -> str:
    """What pairs dropped for a kind of hit are counted under."""
    return f"text of a task ({kind})"


@dataclass(frozen=True)
class _Hits:
    """Rows in which a column has what a task has; one of each kind in a row.

    Attributes:
        kind: one of KINDS.
        role: of the column.
        language: of the column.
        rows: shape (hits,).
        texts: numbers of the tasks' texts, shape (hits,).
        scores: cosines of ``embedding``; of ``ngram`` the share of the text's runs of words that tasks have.
    """

    kind: str
    role: str
    language: str
    rows: Numbers
    texts: NDArray[np.int32]
    scores: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Decontaminate:
    """Takes out every row of which a text, in any language, or the id is that of a task: its translations say the same.

    What is listed of each hit: ``id`` of the row, ``language`` and ``role`` of the text (``*`` and ``row`` where the id
    was found), ``kind``, then of the task's text ``task``, ``task_role``, ``task_language`` and ``task_id``, and a
    ``score``. Where a passage was found its ``group`` is listed too: the other rows of the group have to go as well,
    whatever shard they are in (``contaminated_groups``, ``DropGroups``).

    Attributes:
        folder: of the index.
        settings: those that the index was made with.
    """

    folder: Path
    settings: DecontaminationSettings

    def __call__(self, table: pyarrow.Table) -> Kept:
        """Decontaminate a shard.

        Raises:
            HybridError: the index or the encoder cannot be read, or is not the one it was made with.
        """
        index = open_index(self.folder, self.settings)
        table = table.combine_chunks()
        hits = [*_id_hits(table, index)] if self.settings.ids else []
        for language in languages_of(table):
            for role in ("query", "passage"):
                hits += _column_hits(table, role, language, index, self.settings)
        if self.settings.embedding is not None:
            hits += _near_hits(table, _rows(hits, len(table)), index, self.settings)
        return _kept(table, hits, index)


@dataclass(frozen=True)
class DropGroups:
    """Takes out the rows of groups, because the passage that they share was found in a task.

    Attributes:
        groups: names of groups.
    """

    groups: frozenset[str]

    def __call__(self, table: pyarrow.Table) -> Kept:
        """Take them out of a shard."""
        gone = pc.is_in(table["group"], pyarrow.array(sorted(self.groups), pyarrow.large_string()))
        mask: NDArray[np.bool_] = gone.to_numpy()
        pairs = int(_pair_counts(table)[mask].sum())
        return Kept(table.filter(pc.invert(gone)), {SAME_GROUP: pairs} if pairs else {})


def contaminated_groups(found: Iterable[Mapping[str, str | int | float]]) -> frozenset[str]:
    """The groups of which a passage was found, in all shards of one source; for a query, its own row alone goes."""
    return frozenset(str(hit["group"]) for hit in found if "group" in hit)


# ---- looking


def _id_hits(table: pyarrow.Table, index: Index) -> Iterator[_Hits]:
    for column in ("id", "group"):
        rows: list[int] = []
        parts: list[int] = []
        for row, id_ in enumerate(table[column].to_pylist()):
            for part in distinctive_ids(id_ or ""):
                rows.append(row)
                parts.append(text_hash(part))
        texts = index.ids.find(np.array(parts, dtype=np.uint64))
        numbers, first = np.unique(np.array(rows, dtype=np.int64)[texts >= 0], return_index=True)
        yield _Hits("id", "row", "*", numbers, texts[texts >= 0][first])


def _column_hits(
    table: pyarrow.Table, role: str, language: str, index: Index, settings: DecontaminationSettings
) -> Iterator[_Hits]:
    """Each distinct text of a column as a whole, and if it is not found its runs of words."""
    distinct, row_text = _distinct(table[f"{role}_{language}"])
    exact = np.full(len(distinct), -1, dtype=np.int32)
    ngram = np.full(len(distinct), -1, dtype=np.int32)
    shares = np.zeros(len(distinct))
    for start in range(0, len(distinct), _TEXTS_AT_A_TIME):
        part = slice(start, start + _TEXTS_AT_A_TIME)
        hashed = hash_texts(distinct[part].to_pylist())
        if settings.exact:
            long = hashed.half_words >= 2 * settings.min_words
            exact[part] = np.where(long, index.exact.find(hashed.whole()), -1)
        if settings.ngram:
            runs, numbers = hashed.runs(settings.ngram)
            ngram[part], shares[part] = _first_runs(index.ngrams.find(runs), numbers, len(hashed.starts) - 1)
    ngram[exact >= 0] = -1
    for kind, texts, scores in (("exact", exact, None), ("ngram", ngram, shares)):
        rows = np.flatnonzero((row_text >= 0) & (np.append(texts, -1)[row_text] >= 0))
        which = row_text[rows]
        yield _Hits(kind, role, language, rows, texts[which], None if scores is None else scores[which])


def _first_runs(
    found: NDArray[np.int32], numbers: Numbers, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """For each text the first of the tasks' texts that has a run of its words, and the share of its runs found."""
    hits = found >= 0
    first = np.full(count, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first, numbers[hits], found[hits])
    first[first == np.iinfo(np.int32).max] = -1
    all_runs = np.bincount(numbers, minlength=count)
    return first, np.bincount(numbers[hits], minlength=count) / np.maximum(all_runs, 1)


def _near_hits(
    table: pyarrow.Table, gone: NDArray[np.bool_], index: Index, settings: DecontaminationSettings
) -> Iterator[_Hits]:
    """The texts near a task's, of the rows that are left."""
    assert settings.embedding is not None
    encoder = find_encoder(settings.embedding)
    if (encoder.source, encoder.revision) != (index.manifest.model, index.manifest.model_revision):
        raise HybridError(
            f"decontamination.embedding: {settings.embedding.model} is no longer the model that the index was made "
            "with; delete the index and build again"
        )
    left = table.filter(pyarrow.array(~gone))
    row_of = np.flatnonzero(~gone)
    wanted = settings.embedding.languages
    for language in languages_of(table):
        for role in ("query", "passage") if wanted is None or language in wanted else ():
            distinct, row_text = _distinct(left[f"{role}_{language}"])
            texts = np.full(len(distinct) + 1, -1, dtype=np.int32)  # the last is no text
            scores = np.zeros(len(distinct) + 1)
            long = _long(distinct, settings)
            vectors = encode(settings.embedding, encoder, role, distinct.take(long).to_pylist())
            numbers, cosines = index.nearest[role].find(vectors)
            near = (numbers >= 0) & (cosines >= settings.embedding.threshold)
            texts[long[near]], scores[long[near]] = numbers[near], cosines[near]
            rows = np.flatnonzero(texts[row_text] >= 0)
            yield _Hits("embedding", role, language, row_of[rows], texts[row_text[rows]], scores[row_text[rows]])


def _long(texts: pyarrow.Array, settings: DecontaminationSettings) -> Numbers:
    """Which texts have words enough to be looked for as a whole."""
    parts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        hashed = hash_texts(texts.slice(start, _TEXTS_AT_A_TIME).to_pylist())
        parts.append(start + np.flatnonzero(hashed.half_words >= 2 * settings.min_words))
    return np.concatenate(parts)


def _distinct(column: pyarrow.ChunkedArray) -> tuple[pyarrow.Array, Numbers]:
    """The distinct texts of a column, and which of them each row has; -1 where it has none."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    return encoded.dictionary, pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)


# ---- telling


def _rows(hits: Iterable[_Hits], count: int) -> NDArray[np.bool_]:
    gone = np.zeros(count, dtype=np.bool_)
    for hit in hits:
        gone[hit.rows] = True
    return gone


def _kept(table: pyarrow.Table, hits: Collection[_Hits], index: Index) -> Kept:
    gone = _rows(hits, len(table))
    if not gone.any():
        return Kept(table)
    kinds = np.full(len(table), len(KINDS), dtype=np.int64)
    for hit in hits:
        kinds[hit.rows] = np.minimum(kinds[hit.rows], KINDS.index(hit.kind))
    dropped: Counter[str] = Counter()
    for kind, pairs in zip(kinds[gone].tolist(), _pair_counts(table)[gone].tolist(), strict=True):
        dropped[reason(KINDS[kind])] += pairs
    listed = [(row, place, entry) for place, hit in enumerate(hits) for row, entry in _entries(hit, table, index)]
    found = tuple(entry for _, _, entry in sorted(listed, key=lambda item: item[:2]))
    return Kept(table.filter(pyarrow.array(~gone)), dict(dropped), found)


def _entries(hits: _Hits, table: pyarrow.Table, index: Index) -> Iterator[tuple[int, dict[str, str | int | float]]]:
    texts = index.texts.take(hits.texts).to_pylist()
    rows = table.select(["id", "group"]).take(hits.rows).to_pylist()
    for number, (row, of_task) in enumerate(zip(rows, texts, strict=True)):
        entry: dict[str, str | int | float] = {"id": row["id"] or ""}
        if row["group"] is not None and (hits.role == "passage" or (hits.kind == "id" and of_task["role"] != "query")):
            entry["group"] = row["group"]
        entry |= {"language": hits.language, "role": hits.role, "kind": hits.kind}
        entry |= {"task": of_task["task"], "task_role": of_task["role"]}
        entry |= {"task_language": of_task["language"], "task_id": of_task["id"]}
        if hits.scores is not None:
            entry["score"] = round(float(hits.scores[number]), 4)
        yield int(hits.rows[number]), entry


def _pair_counts(table: pyarrow.Table) -> Numbers:
    """How many pairs each row has."""
    counts = np.zeros(len(table), dtype=np.int64)
    for language in languages_of(table):
        counts += pc.is_valid(table[f"query_{language}"]).to_numpy()
    return counts
