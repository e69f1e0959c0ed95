"""A parallel collection as a folder of Parquet files, the form in which it lies on the Hub.

    collection.json       what it is called, its languages in order, the fingerprint of its content
    queries/de.parquet    id, text, groups: one file a language
    corpus/de.parquet     the passages, likewise

The folder grows with the texts, whatever languages are asked against which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    import pyarrow

MANIFEST = "collection.json"
QUERIES = "queries"
CORPUS = "corpus"

_Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$", max_length=64)]  # a file's name


class Manifest(BaseModel):
    """What ``collection.json`` says.

    Attributes:
        format: of the folder; a later one may differ.
        task: the task whose data they are.
        name: the collection's name.
        languages: its language tags, in order.
        revision: the fingerprint of its content.
    """

    model_config = ConfigDict(frozen=True)
    format: Literal[1] = 1
    task: str
    name: str
    languages: tuple[_Tag, ...] = Field(min_length=1)
    revision: str


def table_file(role: str, language: str) -> str:
    """The path of a table within the folder; ``role`` is QUERIES or CORPUS."""
    return f"{role}/{language}.parquet"


def write_collection(collection: ParallelCollection, folder: Path, *, task: str) -> None:
    """Write a collection's tables and ``collection.json``; the same bytes for the same collection.

    Args:
        collection: what to write.
        folder: an empty folder, or one that does not exist yet.
        task: the task whose data they are.

    Raises:
        HybridError: a text is not valid Unicode, or a file cannot be written.
    """
    manifest = Manifest(task=task, name=collection.name, languages=collection.languages, revision=collection.revision)
    for role, tables in ((QUERIES, collection.queries), (CORPUS, collection.passages)):
        for language, table in tables.items():
            columns = {"id": table.ids, "text": table.texts, "groups": [list(groups) for groups in table.groups]}
            write_parquet(folder / table_file(role, language), columns, _schema())
    try:
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {folder / MANIFEST} ({error.strerror or error}); free its disk") from None


def write_parquet(path: Path, columns: Mapping[str, Any], schema: pyarrow.Schema) -> None:
    """Write one Parquet file, and the folders above it.

    Raises:
        HybridError: a text is not valid Unicode, or the file cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pyarrow.Table.from_pydict(columns, schema=schema)
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            if len(table):  # `datasets` cannot read an empty row group, only a file without one
                writer.write_table(table)
    except UnicodeEncodeError as error:
        raise HybridError(f"cannot write {path}: a text is not valid Unicode ({one_line(error, 100)})") from None
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another place") from None


def read_manifest(text: str | bytes, where: object) -> Manifest:
    """Read ``collection.json``.

    Args:
        text: its content.
        where: what to call it in errors.

    Raises:
        HybridError: it is not of that form.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HybridError(
            f"{where} does not describe a collection ({one_line(field, 60)}: {one_line(first['msg'], 120)}); "
            f"publish the data again"
        ) from None


def read_collection(folder: Path) -> ParallelCollection:
    """Read what ``write_collection`` wrote; languages, rows and groups come in their order.

    Raises:
        HybridError: a file is missing, damaged or of another form.
    """
    path = folder / MANIFEST
    manifest = read_manifest(_bytes(path), path)
    queries, passages = (
        {language: _read_table(folder / table_file(role, language)) for language in manifest.languages}
        for role in (QUERIES, CORPUS)
    )
    _check(folder, queries, passages)
    return ParallelCollection(manifest.name, queries, passages)


def _schema() -> pyarrow.Schema:
    import pyarrow

    return pyarrow.schema({"id": pyarrow.string(), "text": pyarrow.string(), "groups": pyarrow.list_(pyarrow.string())})


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}; publish the data again") from None


def _read_table(path: Path) -> TextTable:
    import pyarrow
    from pyarrow import parquet

    if not path.is_file():
        raise HybridError(f"{path} is missing; publish the data again")
    wanted = _schema()
    try:
        check_unpacked(path)
        with parquet.ParquetFile(path) as file:
            missing = [name for name in wanted.names if name not in file.schema_arrow.names]
            if missing:
                raise HybridError(f"{path} has no column {missing[0]}; publish the data again")
            columns = file.read(columns=wanted.names).select(wanted.names).cast(wanted).to_pydict()
        return TextTable(
            _texts(columns["id"]), _texts(columns["text"]), tuple(_texts(groups) for groups in columns["groups"])
        )
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError) as error:
        raise HybridError(f"{path} is damaged ({one_line(error, 100)}); delete it, or publish the data again") from None


def _texts(values: Sequence[str | None] | None) -> tuple[str, ...]:
    texts = tuple(value for value in values or () if value is not None)
    if values is None or len(texts) < len(values):
        raise ValueError("a value is missing")
    return texts


def _check(folder: Path, queries: dict[str, TextTable], passages: dict[str, TextTable]) -> None:
    """What a collection promises and its types do not: see ``ParallelCollection``."""
    pool = [id_ for table in passages.values() for id_ in table.ids]
    for role, ids in ((CORPUS, pool), *((QUERIES, table.ids) for table in queries.values())):
        if len(set(ids)) < len(ids):
            raise HybridError(f"{folder / role} holds an id twice; publish the data again")
    if any(len(groups) != 1 for table in queries.values() for groups in table.groups):
        raise HybridError(f"{folder / QUERIES} holds a query that has not exactly one group; publish the data again")
