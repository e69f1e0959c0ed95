"""Puts translations into the rows that their texts came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
import pyarrow.compute as pc
from pyarrow import parquet

from mteb_hybrid.building.shards import read_shard, write_shard
from mteb_hybrid.building.sql import database
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.texts import PLACES, languages_in, quoted, tables
from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class PutBack:
    """What came of a translation.

    Attributes:
        shards: the files, in the order of the shards that they were made of.
        made: how many pairs were added, by language.
        dropped: how many failed, by language and reason: the query's, or else the passage's.
    """

    shards: list[Path]
    made: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]

    @property
    def reasons(self) -> Counter[str]:
        """How many pairs failed, by reason."""
        return sum(map(Counter, self.dropped.values()), Counter())


def put_back(
    shards: Sequence[Path],
    translated: Mapping[str, Sequence[Path]],
    settings: TranslationSettings,
    folder: Path,
    outputs: Sequence[Path],
) -> PutBack:
    """Give the rows their translations. What a row has already in a language stays as it is.

    Args:
        shards: those that ``distinct_texts`` was given, in the same order.
        translated: by language, the files of its jobs.
        settings: as given to it.
        folder: the one that it was given.
        outputs: the file for each shard; one that is there is replaced. Shards without the language that is translated
            from come out as they are; the others have the columns of all languages, the new ones last.

    Raises:
        HybridError: a translation is missing, or the disk is full.
    """
    made: dict[str, int] = {}
    dropped: dict[str, Counter[str]] = {language: Counter() for language in settings.languages}
    with TemporaryDirectory(dir=folder, prefix="back-") as work:
        for language in settings.languages:
            target = Path(work) / language
            target.mkdir()
            with database(folder) as db:
                for number, pairs, reasons in _pairs(db, language, translated[language], folder):
                    write_shard(pairs, target / f"{number}.parquet")
                    made[language] = made.get(language, 0) + len(pairs)
                    dropped[language].update(reasons)
        for number, (shard, output) in enumerate(zip(shards, outputs, strict=True)):
            write_shard(_with_languages(shard, number, settings, Path(work)), output)
    counts = {language: dict(sorted(reasons.items())) for language, reasons in dropped.items()}
    return PutBack(list(outputs), {language: made.get(language, 0) for language in settings.languages}, counts)


def _pairs(
    db: duckdb.DuckDBPyConnection, language: str, files: Sequence[Path], folder: Path
) -> Iterator[tuple[int, pyarrow.Table, Counter[str]]]:
    """The pairs of a language, a shard at a time: its number; row, query and passage; and why others failed."""
    if not files:
        return
    wanted = quoted(f"into_{language}")
    sources: list[object] = [str(folder / "texts" / f"{PLACES}.parquet"), [str(path) for path in files]]
    missing = db.execute(
        f"SELECT count(*) FROM (SELECT number FROM read_parquet(?) WHERE {wanted}) "
        "ANTI JOIN (SELECT number FROM read_parquet(?)) USING (number)",
        sources,
    ).fetchall()[0][0]
    if missing:
        raise HybridError(f"{missing} translations into {language} are missing; run the same command again")
    lines = tables(
        db,
        "SELECT shard, row, role, translation, reason FROM read_parquet(?) JOIN read_parquet(?) USING (number) "
        f"WHERE {wanted} ORDER BY shard, row, role",
        sources,
    )
    for table in _by_shard(lines):
        yield table["shard"][0].as_py(), *_joined(table)


def _by_shard(lines: Iterator[pyarrow.Table]) -> Iterator[pyarrow.Table]:
    waiting: list[pyarrow.Table] = []
    for table in lines:
        for shard in table["shard"].unique().to_pylist():
            if waiting and waiting[0]["shard"][0].as_py() != shard:
                yield pyarrow.concat_tables(waiting)
                waiting = []
            waiting.append(table.filter(pc.equal(table["shard"], shard)))
    if waiting:
        yield pyarrow.concat_tables(waiting)


def _joined(lines: pyarrow.Table) -> tuple[pyarrow.Table, Counter[str]]:
    """Queries and passages side by side: of each row there are two lines."""
    query, passage = (lines.filter(pc.equal(lines["role"], role)) for role in (0, 1))
    reasons = pc.coalesce(query["reason"], passage["reason"])
    good = pc.is_null(reasons)
    columns = {"row": query["row"], "query": query["translation"], "passage": passage["translation"]}
    failed = {entry["values"]: entry["counts"] for entry in pc.value_counts(reasons.drop_null()).to_pylist()}
    return pyarrow.table(columns).filter(good), Counter(failed)


def _with_languages(shard: Path, number: int, settings: TranslationSettings, work: Path) -> pyarrow.Table:
    """A shard with the columns of all languages."""
    table = read_shard(shard)
    if settings.language not in languages_in(shard, settings):
        return table
    for language in settings.languages:
        path = work / language / f"{number}.parquet"
        pairs = parquet.read_table(path) if path.is_file() else None
        for role in ("query", "passage"):
            table = _filled(table, f"{role}_{language}", role, pairs)
    return table


def _filled(table: pyarrow.Table, name: str, role: str, pairs: pyarrow.Table | None) -> pyarrow.Table:
    """Fill the nulls of a column, which is made if need be, with what the pairs have for their rows."""
    there = name in table.column_names
    column = table[name] if there else pyarrow.nulls(len(table), pyarrow.large_string())
    if pairs is not None and len(pairs):
        places = np.full(len(table), -1, dtype=np.int64)
        places[pairs["row"].to_numpy()] = np.arange(len(pairs))
        texts = pairs[role].cast(pyarrow.large_string()).take(pyarrow.array(places, mask=places < 0))
        column = pc.coalesce(column, texts)
    return (
        table.set_column(table.column_names.index(name), name, column) if there else table.append_column(name, column)
    )
