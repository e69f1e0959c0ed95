"""Belebele as it lies on the Hub (Bandarkar et al. 2023, arXiv 2308.16884): a folder with files for 122 languages.

    hf download facebook/belebele --repo-type dataset --local-dir Belebele

writes ``Belebele/data/acm_Arab.jsonl`` and so on; a copy as Parquet (mteb/belebele) will do as well. A row is a
question with its passage, its language in ``dialect``; rows of one ``link`` are about one passage, and
``question_number`` tells its one or two questions apart, alike in all languages. This is the pool of mteb's
BelebeleRetrieval, except that questions of one wording on two passages stay two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.own import raw_rows
from mteb_hybrid.errors import HybridError, one_line

_Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
_DEPTH = 3
_AGAIN = "give a folder with the files of facebook/belebele, or one file of a collection"


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)
    link: _Text
    question_number: Annotated[int, Field(ge=0)]
    flores_passage: _Text
    question: _Text
    dialect: _Text


_Rows = dict[tuple[str, int], _Row]


def read_belebele(folder: Path, name: str | None = None) -> ParallelCollection:
    """Read the files of Belebele, of all languages or of some.

    Args:
        folder: it holds the files, itself or at most three folders down.
        name: what the collection is called; the folder's name by default.

    Returns:
        The collection, its languages in the order of their tags (``zho-Hans``), its questions and passages numbered by
        their links.

    Raises:
        HybridError: there are no files, or one is not of that form; the text names file and row.
    """
    languages: dict[str, _Rows] = {}
    for path in sorted(_files(folder, _DEPTH)):
        for where, row in _rows(path):
            _add(languages, where, row)
    if not languages:
        raise HybridError(f"{folder} holds no .jsonl or .parquet files with rows; {_AGAIN}")
    links = sorted({link for rows in languages.values() for link, _ in rows})
    number = {link: place for place, link in enumerate(links)}
    ordered = {tag: languages[tag] for tag in sorted(languages)}
    return ParallelCollection(
        name or folder.resolve().name,
        {tag: _questions(rows, number) for tag, rows in ordered.items()},
        {tag: _passages(tag, rows, number) for tag, rows in ordered.items()},
    )


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """The files to read; a folder too many, the whole disk say, is not walked through."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise HybridError(f"cannot read {folder}: {error.strerror or error}") from None
    for entry in entries:
        if entry.suffix in (".jsonl", ".parquet"):
            yield entry
        elif depth and entry.is_dir() and not entry.is_symlink():
            yield from _files(entry, depth - 1)


def _rows(path: Path) -> Iterator[tuple[str, _Row]]:
    try:
        for where, values in raw_rows(path):
            try:
                yield where, _Row.model_validate(values)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(map(str, first["loc"])) or "the row"
                what = f"{one_line(field, 60)}: {one_line(first['msg'], 100)}"
                raise HybridError(f"{where} is not of Belebele's form ({what}); {_AGAIN}") from None
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None


def _add(languages: dict[str, _Rows], where: str, row: _Row) -> None:
    tag = row.dialect.replace("_", "-")
    try:
        langscript(tag)
    except HybridError as error:
        raise HybridError(f"{where}: {error}") from None
    rows = languages.setdefault(tag, {})
    if (row.link, row.question_number) in rows:
        raise HybridError(
            f"{where}: question {row.question_number} of {one_line(row.link, 100)} is there twice in {tag}; keep each "
            "language once in the folder"
        )
    rows[row.link, row.question_number] = row


def _questions(rows: _Rows, number: Mapping[str, int]) -> TextTable:
    order = sorted(rows)
    ids = tuple(f"{number[link]}-{question}" for link, question in order)
    return TextTable(ids, tuple(rows[key].question for key in order), tuple((id_,) for id_ in ids))


def _passages(tag: str, rows: _Rows, number: Mapping[str, int]) -> TextTable:
    asked: dict[str, list[tuple[str, int]]] = {}
    for key in sorted(rows):
        asked.setdefault(key[0], []).append(key)
    return TextTable(
        tuple(f"{tag}-{number[link]}" for link in asked),
        tuple(rows[keys[0]].flores_passage for keys in asked.values()),
        tuple(_groups(keys, number) for keys in asked.values()),
    )


def _groups(keys: Sequence[tuple[str, int]], number: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{number[link]}-{question}" for link, question in keys)
