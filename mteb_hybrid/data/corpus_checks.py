"""What the columns and rows of a parallel corpus must be; each fault is one line that names its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce

import langcodes
import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.data.parallel_corpus import ParallelCorpus, pieces
from mteb_hybrid.errors import HybridError, one_line

_COLUMN = re.compile(r"(query|passage|negative_([1-9][0-9]{0,3}))_(.+)")


@dataclass
class Columns:
    """The columns of a source, checked one by one.

    Attributes:
        languages: the tags, in the order of their first columns, keyed by the form that all spellings share.
        negatives: the numbers of the negatives.
    """

    languages: dict[str, str] = field(default_factory=dict)
    negatives: set[int] = field(default_factory=set)
    _known: set[str] = field(default_factory=lambda: {"id", "group"})

    def add_schema(self, schema: pyarrow.Schema, where: str) -> None:
        """Check all columns of an Arrow schema."""
        for number, name in enumerate(schema.names):
            self.add(name, where)
            if name in schema.names[:number]:
                raise HybridError(f"{where}: column {name} occurs twice")
            if _text_type(schema.types[number]) is None:
                raise HybridError(f"{where}: column {name} holds {schema.types[number]}, not text; convert it to text")

    def add(self, name: str, where: str) -> None:
        """Check a column that was found at ``where``, unless it is known."""
        if name in self._known:
            return
        self._known.add(name)
        match = _COLUMN.fullmatch(name)
        if not match:
            raise HybridError(f"{where}: {one_line(name, 60)!r} is no column of a parallel corpus{_column_hint(name)}")
        _, negative, tag = match.groups()
        try:
            language_and_script(tag)
        except HybridError as error:
            raise HybridError(f"{where}: column {one_line(name, 60)}: {error}") from None
        other = self.languages.setdefault(langcodes.Language.get(tag).maximize().to_tag(), tag)
        if other != tag:
            raise HybridError(f"{where}: column {name}: {tag} and {other} are one language; write it in one way")
        if negative:
            self.negatives.add(int(negative))


def _column_hint(name: str) -> str:
    role, _, tag = name.rpartition("_")
    roles = difflib.get_close_matches(role.casefold(), ("query", "passage", "negative_1"), n=1)
    near = [f"{known}_{tag}" for known in roles if tag] or difflib.get_close_matches(name.casefold(), ("id", "group"))
    if near:
        return f"; did you mean {one_line(near[0], 60)}?"
    return "; it has id, group, query_XX, passage_XX and negative_1_XX, where XX is a language tag such as de"


def _text_type(kind: pyarrow.DataType) -> pyarrow.DataType | None:
    """The type to hold such texts in; None for what is no text."""
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return kind
    if pyarrow.types.is_null(kind) or pyarrow.types.is_string_view(kind):
        return pyarrow.large_string()
    return None


def checked_corpus(
    table: pyarrow.Table, columns: Columns, name: str, source: str, where: Callable[[int], str]
) -> ParallelCorpus:
    """Check all rows, column by column, and make the corpus; ``where`` is the place of a row, for errors."""
    if not len(table):
        raise HybridError(f"{source} holds no rows; a row has an id, and a query and its passage in some languages")
    negatives = max(columns.negatives, default=0)
    if len(columns.negatives) < negatives:
        missing = min(set(range(1, negatives)) - columns.negatives)
        raise HybridError(f"{source}: there are columns negative_{negatives}_XX but no negative_{missing}_XX")
    numbered = [f"negative_{number + 1}" for number in range(negatives)]
    languages = tuple(columns.languages.values())
    names = [f"{role}_{language}" for language in languages for role in ("query", "passage", *numbered)]
    optional = ["group"] if "group" in table.column_names else []
    whole = {column: _texts(table, column) for column in ("id", *optional, *names)}
    for column, texts in whole.items():
        _check_texts(column, texts, where)
    _check_ids(whole["id"], where)
    for language in languages:
        _check_pairs(whole, language, numbered, where)
    present = [pc.is_valid(whole[f"query_{language}"]) for language in languages]
    none = _first(pc.invert(reduce(pc.or_, present))) if present else 0
    if none is not None:
        raise HybridError(f"{where(none)}: no query and passage in any language; add them, or leave the row out")
    return ParallelCorpus(name, pyarrow.table(whole), languages, negatives)


def _texts(table: pyarrow.Table, column: str) -> pyarrow.ChunkedArray:
    if column not in table.column_names:
        return pyarrow.chunked_array([pyarrow.nulls(len(table), pyarrow.string())])
    texts = table[column]
    kind = _text_type(texts.type)
    return texts if texts.type == kind else texts.cast(kind)


def _first(mask: pyarrow.ChunkedArray) -> int | None:
    """The first row that is true."""
    row = pc.index(mask, True).as_py()
    return None if row < 0 else int(row)


def _check_texts(column: str, texts: pyarrow.ChunkedArray, where: Callable[[int], str]) -> None:
    try:
        texts.validate(full=True)
    except pyarrow.ArrowInvalid:
        raw = texts.cast(pyarrow.large_binary())
        row = next(row for row, text in enumerate(raw) if not _is_utf8(text.as_py() or b""))
        raise HybridError(f"{where(row)}: {column} is not UTF-8; write the data again") from None
    empty = _first(pc.or_(pc.equal(pc.binary_length(texts), 0), pc.utf8_is_space(texts)))
    if empty is not None:
        instead = "fill it in" if column == "id" else "fill it in, or leave it out"
        raise HybridError(f"{where(empty)}: {column} is empty; {instead}")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_ids(ids: pyarrow.ChunkedArray, where: Callable[[int], str]) -> None:
    missing = _first(pc.is_null(ids))
    if missing is not None:
        raise HybridError(f"{where(missing)}: id is missing; give every row one of its own")
    if (repeated := _first_repeated(ids)) is not None:
        before, row = repeated
        at = where(before).rpartition(", ")[2]
        raise HybridError(f"{where(row)}: id {one_line(ids[row], 60)!r} was used before, at {at}")


def _first_repeated(ids: pyarrow.ChunkedArray, at_once: int = 10_000_000) -> tuple[int, int] | None:
    """The first row whose id was used before, after the row that used it; None if there is none.

    Arrow would hold all ids in a table of hashes. Here a part of the hashes is held at a time, 8 bytes each, and then
    the texts of those that occur twice, in the order of the rows.
    """
    parts, none = 1 + len(ids) // at_once, np.empty(0, np.int64)
    twice = [none]
    for part in range(parts):
        hashes = np.concatenate([none, *(hashed[hashed % parts == part] for _, hashed in _hashed(ids))])
        hashes.sort()
        twice.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    suspects = np.concatenate(twice)
    if not len(suspects):
        return None
    rows: dict[str, int] = {}
    start = 0
    for texts, hashed in _hashed(ids):
        for place in np.flatnonzero(np.isin(hashed, suspects)).tolist():
            before = rows.setdefault(texts[place], start + place)
            if before < start + place:
                return before, start + place
        start += len(texts)
    return None  # the hashes were those of different ids


def _hashed(ids: pyarrow.ChunkedArray) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
    """The ids, some at a time, and their hashes, which are the same as long as this process lives."""
    for piece in pieces(ids):
        texts = piece.to_pylist()
        yield texts, np.fromiter(map(hash, texts), np.int64, len(texts))


def _check_pairs(
    columns: dict[str, pyarrow.ChunkedArray], language: str, negatives: list[str], where: Callable[[int], str]
) -> None:
    passage = pc.is_valid(columns[f"passage_{language}"])
    for role in ("query", *negatives):
        column = f"{role}_{language}"
        present = pc.is_valid(columns[column])
        for one, other, name, lacks in (
            (present, passage, column, f"passage_{language}"),
            (passage, present, f"passage_{language}", column),
        ):
            row = _first(pc.and_not(one, other))
            if row is not None:
                needed = f" (every passage has {len(negatives)})" if lacks.startswith("negative") else ""
                raise HybridError(f"{where(row)}: {name} without {lacks}{needed}; add it, or leave out both")
