"""Lays the rows of a collection out in shards: read once, a row at a time, and checked as ``load_collection`` checks.

What grows with the passages are their ids, which are sorted once: about 40 bytes a passage beside the text of the id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from mteb_hybrid.data.collection import TextTable
from mteb_hybrid.data.own import CollectionRow, check_tags, checked_rows, load_collection
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.large.folder import SHARD_ROWS, Role, save_array
from mteb_hybrid.whole import whole_folder

SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.large_string()),
        ("language", pyarrow.string()),
        ("group", pyarrow.large_list(pyarrow.large_string())),
        ("text", pyarrow.large_string()),
        ("place", pyarrow.int64()),
    ]
)
_ROLES: Mapping[str, Role] = {"query": "queries", "passage": "passages"}


@dataclass(frozen=True)
class Layout:
    """What was laid out.

    Attributes:
        languages: language tags, in the order of their first row.
        counts: rows by role.
    """

    languages: tuple[str, ...]
    counts: Mapping[Role, int]


def lay_out(data: Path, folder: Path, shard_rows: int = SHARD_ROWS) -> Layout:
    """Write the rows of a collection as shards.

    Args:
        data: a file or a folder, as ``load_collection`` takes; a folder is read into memory.
        folder: to be made, whole or not at all.
        shard_rows: rows of a shard.

    Raises:
        HybridError: as of ``load_collection``; or a text is not valid Unicode.
    """
    with whole_folder(folder) as made:
        shards = {role: _Shards(made, role, shard_rows) for role in _ROLES.values()}
        languages: dict[str, None] = {}
        word = "line"
        for where, row in _rows_of(data):
            place, _, number = where.rpartition(" ")
            word = place.rpartition(" ")[2]
            languages.setdefault(row.language)
            shards[_ROLES[row.role]].add(where, row, int(number))
        for role in shards.values():
            role.write()
        layout = Layout(tuple(languages), {role: shard.count for role, shard in shards.items()})
        check_tags(data, languages)
        _check_counts(data, layout)
        named = partial(_named, data, word)
        _check_once(shards["queries"], ["language", "id"], "query", named)
        order = _check_once(shards["passages"], ["id"], "passage", named)
        save_array(made / "order.npy", _places(order))
        save_array(made / "languages.npy", _language_numbers(shards["passages"], layout.languages))
        _check_answerable(shards["queries"], shards["passages"], named)
    return layout


def _rows_of(data: Path) -> Iterator[tuple[str, CollectionRow]]:
    """The rows with their places, one at a time; of a folder, which is read whole, all queries first."""
    if not data.is_dir():
        yield from checked_rows(data)
        return
    collection, number = load_collection(data), 0
    roles: tuple[tuple[Literal["query", "passage"], Mapping[str, TextTable]], ...] = (
        ("query", collection.queries),
        ("passage", collection.passages),
    )
    for role, tables in roles:
        for language, table in tables.items():
            for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True):
                number += 1
                row = CollectionRow(role=role, id=id_, language=language, group=list(groups), text=text)
                yield f"{data}, row {number}", row


class _Shards:
    """The shards of a role, while they are written."""

    def __init__(self, folder: Path, role: Role, rows: int) -> None:
        self._folder, self._role, self._rows = folder, role, rows
        self._columns: list[list[object]] = [[] for _ in SCHEMA]
        self.files: list[Path] = []
        self.count = 0

    def add(self, where: str, row: CollectionRow, place: int) -> None:
        """Add a row; a full shard is written."""
        for text in (row.id, row.text, *row.group):
            _check_unicode(where, text)
        for column, value in zip(self._columns, (row.id, row.language, row.group, row.text, place), strict=True):
            column.append(value)
        self.count += 1
        if len(self._columns[0]) == self._rows:
            self.write()

    def write(self) -> None:
        """Write the rows that have not been written."""
        if self._columns[0]:
            self.files.append(self._folder / f"{self._role}-{len(self.files):05}.parquet")
            arrays = [pyarrow.array(column, kind) for column, kind in zip(self._columns, SCHEMA.types, strict=True)]
            parquet.write_table(pyarrow.table(arrays, schema=SCHEMA), self.files[-1], compression="zstd")
            self._columns = [[] for _ in SCHEMA]

    def columns(self, *names: str) -> Iterator[pyarrow.Table]:
        """Some columns, a shard at a time; of no shard, one table without rows."""
        if not self.files:
            yield SCHEMA.empty_table().select(list(names))
        for path in self.files:
            yield parquet.read_table(path, columns=list(names))


def _check_unicode(where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HybridError(f"{where}: {one_line(text, 60)!r} is not valid Unicode ({error.reason}); mend it") from None


def _check_counts(data: Path, layout: Layout) -> None:
    if not any(layout.counts.values()):
        raise HybridError(f"{data} holds no rows; write one JSON object per query and passage")
    if not layout.counts["queries"]:
        raise HybridError(f"{data} holds no queries; rows with the role query are needed as well")


def _named(data: Path, word: str, place: int) -> tuple[str, str]:
    """The place of a row in words: with the file, and without."""
    return f"{data}, {word} {place}", f"{word} {place}"


def _check_once(shards: _Shards, keys: list[str], role: str, named: partial[tuple[str, str]]) -> NDArray[np.int64]:
    """Refuse rows with the same keys; give the rows, the greatest keys first (bytes sort as code points do)."""
    table = pyarrow.concat_tables(shards.columns(*keys)).combine_chunks()
    order = pc.sort_indices(table, sort_keys=[(key, "descending") for key in keys])
    first, second = order.slice(0, max(len(order) - 1, 0)), order.slice(1)
    same = [pc.equal(table[key].take(first), table[key].take(second)) for key in keys]
    twice = np.flatnonzero(np.logical_and.reduce([each.to_numpy() for each in same]))
    if len(twice):
        rows = sorted((int(first[int(twice[0])].as_py()), int(second[int(twice[0])].as_py())))
        places = pyarrow.concat_tables(shards.columns("place"))["place"]
        before, again = (named(places[row].as_py()) for row in rows)
        id_ = one_line(table["id"][rows[0]].as_py(), 60)
        raise HybridError(f"{again[0]}: {role} id {id_!r} was used before, at {before[1]}")
    numbers: NDArray[np.int64] = order.to_numpy().astype(np.int64)
    return numbers


def _places(order: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def _language_numbers(shards: _Shards, languages: tuple[str, ...]) -> NDArray[np.int16]:
    known = pyarrow.array(languages, pyarrow.string())
    parts = [pc.index_in(table["language"], known).to_numpy() for table in shards.columns("language")]
    return np.concatenate([np.empty(0, np.int16), *parts]).astype(np.int16)


def relevant_pairs(
    queries: Iterator[pyarrow.Table], passages: Iterator[pyarrow.Table]
) -> tuple[pyarrow.Array, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find which passages are of the queries' groups.

    Args:
        queries: tables with the column ``group``, in order; each query has one.
        passages: likewise; each passage has any number.

    Returns:
        The distinct groups of the queries; the group of each query, by number; and pairs of a group, by number, and
        the number of a passage that is of it, in the order of the passages.
    """
    of_query = pyarrow.chunked_array([pc.list_flatten(table["group"].combine_chunks()) for table in queries])
    groups = pc.unique(of_query)
    found, rows, begin = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for table in passages:
        column = table["group"].combine_chunks()
        numbers = pc.index_in(pc.list_flatten(column), groups)
        known = pc.is_valid(numbers)
        found.append(numbers.filter(known).to_numpy().astype(np.int64))
        rows.append(pc.list_parent_indices(column).filter(known).to_numpy().astype(np.int64) + begin)
        begin += len(table)
    numbers = pc.index_in(of_query, groups).to_numpy().astype(np.int64)
    return groups, numbers, np.concatenate(found), np.concatenate(rows)


def _check_answerable(queries: _Shards, passages: _Shards, named: partial[tuple[str, str]]) -> None:
    groups, of_query, found, _ = relevant_pairs(queries.columns("group"), passages.columns("group"))
    answered = np.zeros(len(groups), bool)
    answered[found] = True
    for row in np.flatnonzero(~answered[of_query])[:1].tolist():
        table = pyarrow.concat_tables(queries.columns("id", "language", "place"))
        id_, language, place = (table[name][row].as_py() for name in ("id", "language", "place"))
        raise HybridError(
            f"{named(place)[0]}: query {one_line(id_, 60)!r} ({one_line(language, 20)}) has no passage of its group "
            f"{one_line(groups[of_query[row]].as_py(), 60)!r} in any language; add one, or leave the query out"
        )
