"""mMARCO: the passages and queries of MS MARCO in many languages, tied by MS MARCO's ids."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
from pyarrow import parquet

from mteb_hybrid.building.sources.files import Files
from mteb_hybrid.building.sources.rows import Pair, Row
from mteb_hybrid.building.sources.wanted import Wanted
from mteb_hybrid.building.sql import database

if TYPE_CHECKING:
    import duckdb

_BATCH = 5_000


@dataclass(frozen=True)
class Marco:
    """Every relevant pair of a query and a passage in the triples of training, once, in the order of the triples.

    The triples (40 million lines of query, relevant passage, other passage) hold about half a million such pairs. They
    are joined with the texts one language after the other, in DuckDB; nothing of the size of a collection is held.
    With a limit the first so many pairs are taken, and less is read. The passage's id is the group.

    Attributes:
        triples: lines of three ids.
        queries: lines of an id and a text, a file for each language.
        passages: the same.
        languages: what each language is called in the names of the files, by its tag.
    """

    triples: str
    queries: str
    passages: str
    languages: Mapping[str, str]

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Join, then read the joined texts of all languages side by side."""
        with tempfile.TemporaryDirectory(dir=wanted.folder, prefix="mmarco-") as name:
            folder = Path(name)
            with database(folder) as db:
                _take_pairs(db, files.numbers(self.triples, ("query", "passage", "other")), wanted.rows)
                ids = folder / "ids.parquet"
                _write(db, "SELECT query, passage FROM pairs ORDER BY n", ids)
                texts = {tag: self._join(db, files, tag, folder) for tag in wanted.languages}
            yield from _side_by_side(ids, texts)

    def _join(self, db: duckdb.DuckDBPyConnection, files: Files, tag: str, folder: Path) -> Path:
        """Write the texts of all pairs in one language, in the order of the pairs."""
        name = self.languages[tag]
        for role, texts in (("query", self.queries), ("passage", self.passages)):
            _take_texts(db, role, files.texts(texts.format(language=name)))
        path = folder / f"{tag}.parquet"
        _write(
            db,
            "SELECT q.text AS query, p.text AS passage FROM pairs LEFT JOIN query_texts q ON q.id = pairs.query "
            "LEFT JOIN passage_texts p ON p.id = pairs.passage ORDER BY pairs.n",
            path,
        )
        return path


def _take_pairs(db: duckdb.DuckDBPyConnection, triples: Iterable[pyarrow.Table], rows: int | None) -> None:
    """Fill the table ``pairs`` of n (the line of the first triple), query and passage."""
    db.execute("CREATE TABLE pairs (n BIGINT, query BIGINT, passage BIGINT)")
    line = taken = 0
    for batch in triples:
        _insert(
            db,
            batch,
            line,
            "INSERT INTO pairs SELECT min(n), query, passage FROM batch ANTI JOIN pairs USING (query, passage) "
            "GROUP BY query, passage",
        )
        line += len(batch)
        taken = _count(db, "pairs")
        if rows is not None and taken >= rows:
            db.execute("DELETE FROM pairs WHERE n NOT IN (SELECT n FROM pairs ORDER BY n LIMIT ?)", [rows])
            break
    for role in ("query", "passage"):
        db.execute(f"CREATE TABLE {role}_ids AS SELECT DISTINCT {role} AS id FROM pairs")


def _take_texts(db: duckdb.DuckDBPyConnection, role: str, texts: Iterable[pyarrow.Table]) -> None:
    """Fill a table with the texts of the ids that the pairs have; of one id the first."""
    db.execute(f"CREATE OR REPLACE TABLE {role}_texts (id BIGINT, text VARCHAR)")
    wanted = _count(db, f"{role}_ids")
    line = 0
    for batch in texts:
        _insert(
            db,
            batch,
            line,
            f"INSERT INTO {role}_texts SELECT id, arg_min(text, n) FROM batch SEMI JOIN {role}_ids USING (id) "
            f"ANTI JOIN {role}_texts USING (id) GROUP BY id",
        )
        line += len(batch)
        if _count(db, f"{role}_texts") == wanted:
            break


def _insert(db: duckdb.DuckDBPyConnection, batch: pyarrow.Table, line: int, statement: str) -> None:
    """Run a statement on a batch, with the numbers of its lines as column n."""
    numbered = batch.append_column("n", pyarrow.array(np.arange(line, line + len(batch))))
    db.register("batch", numbered)
    try:
        db.execute(statement)
    finally:
        db.unregister("batch")


def _count(db: duckdb.DuckDBPyConnection, table: str) -> int:
    [(count,)] = db.execute(f"SELECT count(*) FROM {table}").fetchall()  # to the end, or DuckDB takes it for unfinished
    return int(count)


def _write(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    reader = db.sql(query).to_arrow_reader(_BATCH)
    with parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _side_by_side(ids: Path, texts: Mapping[str, Path]) -> Iterator[Row]:
    with ExitStack() as stack:
        opened = (parquet.ParquetFile(path, pre_buffer=False) for path in (ids, *texts.values()))
        files = [stack.enter_context(file) for file in opened]
        for batches in zip(*(file.iter_batches(_BATCH) for file in files), strict=True):
            numbers, *columns = ([column.to_pylist() for column in batch.columns] for batch in batches)
            for row, (query, passage) in enumerate(zip(*numbers, strict=True)):
                pairs: dict[str, Pair] = {
                    tag: (queries[row], passages[row]) for tag, (queries, passages) in zip(texts, columns, strict=True)
                }
                yield Row(pairs, f"{query}-{passage}", str(passage))
