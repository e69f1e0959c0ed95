"""The distinct texts of a corpus that are to be translated, so that none is translated twice."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.compute as pc
from pyarrow import parquet

from mteb_hybrid.building.shards import in_shards, languages_of, read_shard, write_shard
from mteb_hybrid.building.sql import database
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.tags import same_language
from mteb_hybrid.errors import HybridError
from mteb_hybrid.whole import whole_folder

if TYPE_CHECKING:
    import duckdb

PLACES = "places"
"""The table of where texts stand: ``shard``, ``row``, ``role`` (0 query, 1 passage), the text's ``number``, and for
each language ``into_XX``: whether the row lacks it."""

_SAME = "made_of.json"
_ROWS = 1 << 14


def distinct_texts(shards: Sequence[Path], settings: TranslationSettings, folder: Path) -> list[Path]:
    """Collect the texts of all shards that some row needs in another language, each once.

    They come in the order in which the shards first have them, so that the same rows give the same files.

    Args:
        shards: of all sources, in their order; the rows may have other languages already, which they keep.
        settings: the languages, and how many texts a shard has.
        folder: what is found comes to lie in its folder ``texts``; found there of the same shards, it is taken as is.

    Returns:
        Shards of texts: ``number`` (0 for the first of all), ``text``, and for each language ``into_XX``, whether it
        is needed. Beside them lies the table of ``PLACES``.

    Raises:
        HybridError: shards write a language in another way than the settings, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, made_of = folder / "texts", _made_of(shards, settings)
    if _read(made / _SAME) != made_of:
        _clear(made)
        with whole_folder(made) as partial, database(folder) as db:
            _find_places(db, shards, settings)
            _number(db, settings, partial)
            for count, table in enumerate(in_shards(_in_order(db, shards, settings), settings.shard_texts)):
                write_shard(table, partial / f"{count:06}.parquet")
            (partial / _SAME).write_text(made_of, encoding="utf-8")
    return sorted(made.glob("[0-9]*.parquet"))


def into(settings: TranslationSettings) -> list[str]:
    """The columns that say whether a language is needed."""
    return [f"into_{language}" for language in settings.languages]


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def tables(db: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> Iterator[pyarrow.Table]:
    """What a query gives, some rows at a time."""
    reader: Any = db.sql(query, params=list(parameters)).to_arrow_reader(_ROWS)
    for batch in reader:
        yield pyarrow.Table.from_batches([batch])


def languages_in(shard: Path, settings: TranslationSettings) -> tuple[str, ...]:
    """The languages of a shard, seen from its schema.

    Raises:
        HybridError: it writes one in another way than the settings.
    """
    languages = languages_of(parquet.read_schema(shard).empty_table())
    for asked in (settings.language, *settings.languages):
        for own in languages:
            if own != asked and same_language(own, asked):
                raise HybridError(f"translation.languages: the corpus has {asked} as {own}; write it so here as well")
    return languages


def _find_places(db: duckdb.DuckDBPyConnection, shards: Sequence[Path], settings: TranslationSettings) -> None:
    """Make the table ``spots``: a row for each pair to be translated, with the checksums of its texts."""
    needs = "".join(f", {quoted(name)} BOOLEAN" for name in into(settings))
    db.execute(f"CREATE TABLE spots (shard BIGINT, row BIGINT, query UHUGEINT, passage UHUGEINT{needs})")
    start = settings.language
    for number, path in enumerate(shards):
        languages = languages_in(path, settings)
        lacking = [
            f"{quoted(f'query_{language}')} IS NULL" if language in languages else "true"
            for language in settings.languages
        ]
        if start in languages:
            query, passage = quoted(f"query_{start}"), quoted(f"passage_{start}")
            db.execute(
                f"INSERT INTO spots SELECT {number}, file_row_number, md5_number({query}), md5_number({passage}), "
                f"{', '.join(lacking)} FROM read_parquet(?, file_row_number = true) "
                f"WHERE {query} IS NOT NULL AND ({' OR '.join(lacking)})",
                [str(path)],
            )


def _number(db: duckdb.DuckDBPyConnection, settings: TranslationSettings, folder: Path) -> None:
    """Make the table ``numbered`` of the distinct texts, by where they first stand, and write ``places``."""
    needs = ", ".join(map(quoted, into(settings)))
    some = ", ".join(f"bool_or({name}) AS {name}" for name in map(quoted, into(settings)))
    db.execute(
        f"CREATE VIEW uses AS SELECT shard, row, 0 AS role, query AS key, {needs} FROM spots "
        f"UNION ALL SELECT shard, row, 1 AS role, passage AS key, {needs} FROM spots"
    )
    db.execute(
        f"CREATE TABLE numbered AS SELECT *, row_number() OVER (ORDER BY place) - 1 AS number FROM "
        f"(SELECT key, min((shard << 33) | (row << 1) | role) AS place, {some} FROM uses GROUP BY key)"
    )
    own = ", ".join(f"uses.{name}" for name in map(quoted, into(settings)))
    target = str(folder / f"{PLACES}.parquet").replace("'", "''")
    db.execute(
        f"COPY (SELECT shard, row, role, number, {own} FROM uses JOIN numbered USING (key)) TO '{target}' "
        "(FORMAT parquet, COMPRESSION zstd)"
    )


def _in_order(
    db: duckdb.DuckDBPyConnection, shards: Sequence[Path], settings: TranslationSettings
) -> Iterator[pyarrow.Table]:
    """The distinct texts by their number; each shard is opened once."""
    needs = ", ".join(map(quoted, into(settings)))
    found = tables(
        db,
        f"SELECT place >> 33 AS shard, (place >> 1) & 4294967295 AS row, place & 1 AS role, number, {needs} "
        "FROM numbered ORDER BY number",
    )
    opened, texts, rows = -1, pyarrow.chunked_array([], pyarrow.large_string()), 0
    for table in found:
        for shard in table["shard"].unique().to_pylist():
            if shard != opened:
                opened, source = shard, read_shard(shards[shard])
                columns = [source[f"{role}_{settings.language}"] for role in ("query", "passage")]
                texts = pyarrow.chunked_array([chunk for column in columns for chunk in column.chunks])
                rows = len(source)
            part = table.filter(pc.equal(table["shard"], shard))
            where = pc.add(part["row"], pc.multiply(part["role"], rows))
            yield part.select(["number", *into(settings)]).add_column(1, "text", texts.take(where))


def _made_of(shards: Sequence[Path], settings: TranslationSettings) -> str:
    digests = []
    for path in shards:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return json.dumps([settings.language, settings.languages, settings.shard_texts, digests])


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _clear(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
