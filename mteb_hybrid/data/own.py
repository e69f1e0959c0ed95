"""Bring your own: a parallel collection in one JSONL or Parquet file.

One row is one text::

    {"role": "query",   "id": "q7",    "language": "de", "group": "7", "text": "Wer baute die Brücke?"}
    {"role": "passage", "id": "de-31", "language": "de", "group": "7", "text": "Die Brücke baute Ada Roth."}
    {"role": "passage", "id": "de-32", "language": "de", "text": "Sie ist aus Stein."}

Rows that say the same in different languages share a ``group``; a query is relevant to every passage of its
group. A query has one group; a passage has none, one, or a list of several. Rows may lack languages.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

_NonEmpty = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class CollectionRow(BaseModel):
    """One text: a query, which has one group, or a passage, which has none, one or several."""

    model_config = ConfigDict(strict=True, extra="forbid")
    role: Literal["query", "passage"]
    id: _NonEmpty
    language: _NonEmpty
    group: list[_NonEmpty] = Field(default_factory=list)
    text: _NonEmpty

    @field_validator("language")
    @classmethod
    def _hyphened(cls, value: str) -> str:
        return value.replace("_", "-")  # zho_Hans is zho-Hans, as BCP 47 has it, and as files are called

    @field_validator("group", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        if isinstance(value, list) and all(isinstance(group, str) for group in value):
            return list(dict.fromkeys(value))
        return [] if value is None else [value] if isinstance(value, str) else value


def load_collection(path: str | Path, name: str | None = None) -> ParallelCollection:
    """Load a parallel collection of the user's own.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file of the form above, or a folder with the files of Belebele.
        name: what the collection is called in task names; the file's stem by default.

    Returns:
        The collection; its languages are in the order of their first row.

    Raises:
        HybridError: the file cannot be read, a row is not of that form, an id occurs twice, a language tag
            is unknown, or a query has no relevant passage in any language. The text names file and row.
    """
    path = Path(path)
    if os.path.isdir(path):
        from mteb_hybrid.data.belebele import read_belebele

        return read_belebele(path, name)
    tables: dict[str, dict[str, list[CollectionRow]]] = {}
    seen: dict[tuple[str, ...], str] = {}
    for where, row in checked_rows(path):
        key = ("passage", row.id) if row.role == "passage" else ("query", row.language, row.id)
        if key in seen:
            raise HybridError(f"{where}: {row.role} id {one_line(row.id, 60)!r} was used before, at {seen[key]}")
        seen[key] = where.rpartition(", ")[2]
        tables.setdefault(row.language, {"query": [], "passage": []})[row.role].append(row)
    if not tables:
        raise HybridError(f"{path} holds no rows; write one JSON object per query and passage")
    check_tags(path, tables)
    collection = ParallelCollection(
        name or path.stem,
        queries={language: _table(roles["query"]) for language, roles in tables.items()},
        passages={language: _table(roles["passage"]) for language, roles in tables.items()},
    )
    _check_answerable(path, collection)
    return collection


def save_collection(collection: ParallelCollection, path: str | Path) -> None:
    """Write a collection as JSONL or Parquet, whole or not at all; ``load_collection`` reads it back.

    Raises:
        HybridError: the suffix is neither ``.jsonl`` nor ``.parquet``, or the file cannot be written.
    """
    path = Path(path)
    rows = [
        {"role": role, "id": id_, "language": language, "group": list(groups), "text": text}
        for language in collection.languages
        for role, table in (("query", collection.queries[language]), ("passage", collection.passages[language]))
        for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True)
    ]
    try:
        with whole_file(path) as partial:
            if _suffix(path) == ".jsonl":
                with partial.open("w", encoding="utf-8") as file:
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            else:
                import pyarrow
                from pyarrow import parquet

                parquet.write_table(pyarrow.Table.from_pylist(rows), partial)
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another place") from None
    except UnicodeEncodeError as error:
        raise HybridError(f"cannot write {path}: a text is not valid Unicode ({one_line(error, 100)})") from None


def _suffix(path: Path) -> str:
    if path.suffix not in {".jsonl", ".parquet"}:
        raise HybridError(f"{path}: a collection is a .jsonl or a .parquet file, not {path.suffix or 'this'!r}")
    return path.suffix


def checked_rows(path: Path) -> Iterator[tuple[str, CollectionRow]]:
    """Read the rows of a collection, one at a time.

    Yields:
        The place to name in errors, such as ``mine.jsonl, line 3``, and the row.

    Raises:
        HybridError: the file cannot be read, or a row by itself is not of the form above.
    """
    for where, row in _rows(path):
        try:
            langscript(row.language)
        except HybridError as error:
            raise HybridError(f"{where}: {error}") from None
        if row.role == "query" and len(row.group) != 1:
            raise HybridError(
                f"{where}: query {one_line(row.id, 60)!r} needs exactly one group, it has {len(row.group)}"
            )
        yield where, row


def _rows(path: Path) -> Iterator[tuple[str, CollectionRow]]:
    """Each row with the place to name in errors, counted from 1."""
    try:
        for where, values in raw_rows(path):
            try:
                yield where, CollectionRow.model_validate(values)
            except ValidationError as error:
                raise HybridError(f"{where}: {_fault(error)}") from None
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None


def raw_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a JSONL or Parquet file as they are, each with the place to name in errors.

    Raises:
        HybridError: the file is of another kind, or is damaged.
        OSError: it cannot be read.
    """
    return _jsonl(path) if _suffix(path) == ".jsonl" else _parquet(path)


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                yield where, json.loads(line)
            except UnicodeDecodeError:
                raise HybridError(f"{where}: not UTF-8; save the file as UTF-8") from None
            except (ValueError, RecursionError) as error:
                raise HybridError(f"{where}: not JSON ({one_line(error, 100)}); one object per line") from None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        check_unpacked(path)
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            number = 0
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", values
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise HybridError(f"{path} is not a Parquet file ({one_line(error, 100)}); write it again") from None


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "row"
    problem = {
        "missing": "is missing",
        "model_type": "is not a JSON object with role, id, language, group and text",
        "extra_forbidden": "is no field of this format (role, id, language, group, text)",
        "string_too_short": "is empty",
        "string_pattern_mismatch": "is empty",
        "string_unicode": "holds half of a character (a lone surrogate); write it whole, or leave it out",
    }.get(first["type"], one_line(first["msg"], 120))
    return f"{one_line(field, 60)}: {problem}"


def _table(rows: list[CollectionRow]) -> TextTable:
    return TextTable(
        tuple(row.id for row in rows),
        tuple(row.text for row in rows),
        tuple(tuple(row.group) for row in rows),
    )


def check_tags(path: Path, tags: Iterable[str]) -> None:
    """Raise a HybridError if two language tags differ in case alone: where files are named by them they are one."""
    seen: dict[str, str] = {}
    for tag in tags:
        other = seen.setdefault(tag.casefold(), tag)
        if other != tag:
            raise HybridError(f"{path}: language tags {other!r} and {tag!r} are the same; write one of them throughout")


def _check_answerable(path: Path, collection: ParallelCollection) -> None:
    answered = {group for table in collection.passages.values() for group in table.rows_by_group}
    for language, table in collection.queries.items():
        for id_, (group,) in zip(table.ids, table.groups, strict=True):
            if group not in answered:
                raise HybridError(
                    f"{path}: query {one_line(id_, 60)!r} ({language}) has no passage of its group "
                    f"{one_line(group, 60)!r} in any language; add one, or leave the query out"
                )
    if not any(len(table) for table in collection.queries.values()):
        raise HybridError(f"{path} holds no queries; rows with the role query are needed as well")
