"""Sources that are Parquet files of one question and one passage a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mteb_hybrid.building.sources.files import Files
from mteb_hybrid.building.sources.rows import Row, same
from mteb_hybrid.building.sources.wanted import Wanted

_LANGUAGE = "en"


@dataclass(frozen=True)
class Tabular:
    """English pairs in Parquet files. Rows with one passage text share a group.

    Attributes:
        files: paths upstream, or patterns, in the order in which they are read.
        query: the column of the query.
        passage: the column of the passage.
        id: the column of the id; the row's position if there is none.
        takes: a column and the value that it must have: the other rows are no pairs, and are counted as such.
        prefixed: put the folder of the file before the id, where two folders use the same ids.
    """

    files: tuple[str, ...]
    query: str
    passage: str
    id: str | None = None
    takes: tuple[str, int | bool] | None = None
    prefixed: bool = False

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the files, one after the other."""
        names = [self.query, self.passage]
        names += [self.id] if self.id else []
        names += [self.takes[0]] if self.takes else []
        for path in self.files:
            prefix = f"{path.rpartition('/')[0]}-" if self.prefixed else ""
            for table in files.table(path, names):
                columns = [self._checked(files, path, table, name) for name in names]
                for values in zip(*columns, strict=True):
                    yield self._row(dict(zip(names, values, strict=True)), prefix)

    def _row(self, row: dict[str, Any], prefix: str) -> Row:
        name = None if self.id is None else f"{prefix}{row[self.id]}"
        if self.takes is not None and row[self.takes[0]] != self.takes[1]:
            return Row({}, name, lacking="no answer")
        passage = row[self.passage]
        return Row({_LANGUAGE: (row[self.query], passage)}, name, same(passage))

    def _checked(self, files: Files, path: str, table: Any, name: str) -> list[Any]:
        """A column as a list, if its type is the one expected."""
        import pyarrow

        types = pyarrow.types
        kind = table.schema.field(name).type
        wanted = "text"
        fits = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
        if self.takes is not None and name == self.takes[0]:
            truth = isinstance(self.takes[1], bool)
            wanted = "true or false" if truth else "whole numbers"
            fits = types.is_boolean(kind) if truth else types.is_integer(kind)
        elif name == self.id:
            wanted = "text or whole numbers"
            fits = fits or types.is_integer(kind)
        if not fits:
            raise files.fault(path, f"column {name!r} holds {kind}, not {wanted}")
        values: list[Any] = table[name].to_pylist()
        return values
