"""Duplicates among all rows of all sources: which rows go, and which may never meet in a batch.

What is a duplicate of training pairs:

- A row *comes before* another if it has more languages or, with as many, stands earlier: parallel rows are worth most.
- A row is an *exact duplicate* if each of its pairs is, in its language, a pair of a row before it. A row that has one
  language more than any such row stays whole: it says something new.
- A row is a *near duplicate* if a row before it, which stays, has all its languages, and a query and a passage near its
  own. They are looked for anew until none is found, so that a corpus without duplicates is left as it is. The row that
  another went for may itself go for a third in a later round.
- The same passage with other questions is no duplicate. Rows of one source that share a passage in any language, or the
  group that they came with, are one group, and so are the rows that they share another with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from mteb_hybrid.building.shards import Kept, pairs_of, write_shard
from mteb_hybrid.building.signatures import BANDS, DuplicateSettings
from mteb_hybrid.building.sql import database

if TYPE_CHECKING:
    import duckdb

REASONS = (None, "exact duplicate", "near duplicate")

_BATCH = 100_000  # rows fetched at a time
_NEIGHBOURS = 4  # how many rows of a band before it each row is compared with, beside the first
_ROW = (1 << 40) - 1
_PLACE = "((255 - len(pairs)) << 40) + (? + file_row_number)::BIGINT AS place"
"""The place of a row in the order of who comes before whom; its lower 40 bits are the number of the row."""


def duplicates(sources: Sequence[Sequence[Path]], settings: DuplicateSettings, folder: Path) -> list[list[Path]]:
    """Find the duplicates among all rows.

    Memory is bounded: some ten bytes a row, and what DuckDB may have; the rest is on disk in the folder.

    Args:
        sources: of each source, the files of ``Signatures`` of its shards, in order, all made with the settings.
        settings: what is a duplicate.
        folder: where the verdicts go. It exists.

    Returns:
        For each shard the file of its verdict, which ``without_duplicates`` takes.

    Raises:
        HybridError: the disk or the memory is full, or DuckDB is missing.
    """
    shards = [shard for source in sources for shard in source]
    starts = _starts(shards)
    gone = np.zeros(starts[-1], dtype=np.uint8)
    if settings.exact:
        with database(folder) as db:
            _mark_exact(db, shards, starts, gone)
    if settings.threshold is not None:
        with database(folder) as db:
            _mark_near(db, shards, starts, settings.threshold, gone)
    verdicts = []
    start = 0
    for number, source in enumerate(sources):
        of_source = _starts(source)
        kept = gone[start : start + of_source[-1]] == 0
        with database(folder) as db:
            groups = _groups(db, source, of_source, kept)
        paths = [folder / f"{number:04}-{place:06}.parquet" for place in range(len(source))]
        for path, (first, end) in zip(paths, pairwise(of_source), strict=True):
            _write_verdict(gone[start + first : start + end], groups[first:end], path)
        verdicts.append(paths)
        start += of_source[-1]
    return verdicts


def without_duplicates(table: pyarrow.Table, verdict: pyarrow.Table) -> Kept:
    """Take the duplicates out of a shard, and name the groups of the others.

    Args:
        table: the shard that the signatures were made of.
        verdict: what ``duplicates`` wrote for it: a row for each row.
    """
    reasons = verdict["reason"]
    counts = {reason: sum(pairs_of(table.filter(pc.equal(reasons, reason))).values()) for reason in REASONS[1:]}
    group = pc.coalesce(verdict["group"], table["group"])
    kept = table.set_column(table.column_names.index("group"), "group", group).filter(pc.is_null(reasons))
    return Kept(kept, {reason: count for reason, count in counts.items() if count and reason})


def _starts(shards: Sequence[Path]) -> list[int]:
    """The number of the first row of each shard, and after them the number of all rows."""
    rows = [parquet.read_metadata(shard).num_rows for shard in shards]
    return [0, *np.cumsum(rows).tolist()]


def _write_verdict(gone: NDArray[np.uint8], groups: NDArray[np.int32], path: Path) -> None:
    reasons = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(gone.astype(np.int8) - 1, mask=gone == 0), pyarrow.array(REASONS[1:], pyarrow.string())
    )
    numbers = pc.cast(pyarrow.array(groups, mask=groups < 0), pyarrow.large_string())
    prefix, between = (pyarrow.scalar(text, pyarrow.large_string()) for text in ("passage", "-"))
    names = pc.binary_join_element_wise(prefix, numbers, between)
    columns = {"reason": pc.cast(reasons, pyarrow.string()), "group": names}
    write_shard(pyarrow.table(columns), path)


def _batches(db: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """The rows that a query finds, in batches: its columns of whole numbers."""
    for batch in db.sql(query).to_arrow_reader(_BATCH):
        yield tuple(column.to_numpy(zero_copy_only=False).astype(np.int64) for column in batch.columns)


# ---- exact


def _mark_exact(
    db: duckdb.DuckDBPyConnection, shards: Sequence[Path], starts: Sequence[int], gone: NDArray[np.uint8]
) -> None:
    db.execute("CREATE TABLE pairs (place BIGINT, key UBIGINT)")
    for shard, start in zip(shards, starts, strict=False):
        insert = f"INSERT INTO pairs SELECT {_PLACE}, unnest(pairs) FROM read_parquet(?, file_row_number = true)"
        db.execute(insert, [start, str(shard)])
    db.execute("CREATE TABLE shared AS SELECT key, min(place) AS first FROM pairs GROUP BY key HAVING count(*) > 1")
    nothing_new = """
        SELECT place FROM pairs JOIN shared USING (key) WHERE first < place
        GROUP BY place HAVING count(*) = 255 - (place >> 40)
    """
    for (places,) in _batches(db, nothing_new):
        gone[places & _ROW] = 1


# ---- near


def _mark_near(
    db: duckdb.DuckDBPyConnection,
    shards: Sequence[Path],
    starts: Sequence[int],
    threshold: float,
    gone: NDArray[np.uint8],
) -> None:
    bands = ", ".join(f"band_{band}" for band in range(BANDS))
    db.execute(f"CREATE TABLE rows (place BIGINT, {bands.replace(',', ' UBIGINT,')} UBIGINT)")
    db.execute("CREATE TABLE compared (a BIGINT, b BIGINT)")
    for shard, (start, end) in zip(shards, pairwise(starts), strict=True):
        with _registered(db, kept=np.flatnonzero(gone[start:end] == 0)):
            db.execute(
                f"INSERT INTO rows SELECT {_PLACE}, {bands} FROM read_parquet(?, file_row_number = true) "
                "WHERE band_0 IS NOT NULL AND file_row_number IN (SELECT number FROM kept)",
                [start, str(shard)],
            )
    while _find_candidates(db):
        before = np.count_nonzero(gone)
        for pairs in _near_pairs(db, shards, starts, threshold):
            for first, second in zip(*(places & _ROW for places in pairs), strict=True):
                if not gone[first]:
                    gone[second] = 2
        if np.count_nonzero(gone) == before:
            return
        with _registered(db, dropped=np.flatnonzero(gone == 2)):
            db.execute(f"DELETE FROM rows WHERE (place & {_ROW}) IN (SELECT number FROM dropped)")


def _find_candidates(db: duckdb.DuckDBPyConnection) -> bool:
    """List the rows that have a band in common and were not compared yet, as ``fresh``; say whether there are any.

    Many rows may share a band, as with boilerplate: each is compared with the first, and with the few before it. Those
    that get by are met in another band, or in the next round, when what stood between them has gone.
    """
    db.execute("CREATE OR REPLACE TABLE candidates (a BIGINT, b BIGINT)")
    lags = ", ".join(f"lag(place, {steps}) OVER same" for steps in range(1, _NEIGHBOURS + 1))
    for band in range(BANDS):
        db.execute(f"""
            INSERT INTO candidates SELECT DISTINCT unnest(others) AS a, place FROM (
                SELECT place, [first_value(place) OVER same, {lags}] AS others FROM rows
                WHERE band_{band} IN (SELECT band_{band} FROM rows GROUP BY 1 HAVING count(*) > 1)
                WINDOW same AS (PARTITION BY band_{band} ORDER BY place)
            )
        """)
    db.execute("CREATE OR REPLACE TABLE fresh AS SELECT a, b FROM candidates WHERE a < b EXCEPT FROM compared")
    db.execute("INSERT INTO compared FROM fresh")
    return bool(db.execute("SELECT count(*) FROM fresh").fetchall()[0][0])


def _near_pairs(
    db: duckdb.DuckDBPyConnection, shards: Sequence[Path], starts: Sequence[int], threshold: float
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """The fresh candidates that are near: the places of both, by that of the second."""
    db.execute("CREATE OR REPLACE TABLE sets (place BIGINT, languages TEXT[], query UINTEGER[], passage UINTEGER[])")
    for shard, start in zip(shards, starts, strict=False):
        db.execute(
            f"""
            INSERT INTO sets FROM (
                SELECT {_PLACE}, languages, query, passage FROM read_parquet(?, file_row_number = true)
            ) WHERE place IN (SELECT a FROM fresh UNION ALL SELECT b FROM fresh)
            """,
            [start, str(shard)],
        )
    return _batches(
        db,
        f"""
        SELECT a, b FROM fresh JOIN sets one ON a = one.place JOIN sets two ON b = two.place
        WHERE list_has_all(one.languages, two.languages)
        AND {_jaccard("query")} >= {threshold!r}::DOUBLE AND {_jaccard("passage")} >= {threshold!r}::DOUBLE
        ORDER BY b, a
        """,
    )


def _jaccard(column: str) -> str:
    shared = f"len(list_intersect(one.{column}, two.{column}))"
    return f"{shared} / (len(one.{column}) + len(two.{column}) - {shared})"


@contextmanager
def _registered(db: duckdb.DuckDBPyConnection, **numbers: NDArray[np.int64]) -> Iterator[None]:
    """Let queries read an array of numbers as a table."""
    ((name, values),) = numbers.items()
    db.register(name, pyarrow.table({"number": values}))
    try:
        yield
    finally:
        db.unregister(name)


# ---- groups


def _groups(
    db: duckdb.DuckDBPyConnection, shards: Sequence[Path], starts: Sequence[int], kept: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """The group of each row of a source: the number of its first row; -1 where the group it came with will do."""
    db.execute("CREATE TABLE passages (number INTEGER, key UBIGINT, own UBIGINT)")
    for shard, (start, end) in zip(shards, pairwise(starts), strict=True):
        with _registered(db, kept=np.flatnonzero(kept[start:end])):
            db.execute(
                """
                INSERT INTO passages
                SELECT ? + file_row_number, unnest(if(own IS NULL, passages, list_append(passages, own))), own
                FROM read_parquet(?, file_row_number = true) WHERE file_row_number IN (SELECT number FROM kept)
                """,
                [start, str(shard)],
            )
    # rows of one passage that do not all come with one group get a new one
    db.execute("""
        CREATE TABLE links AS
        SELECT first AS one, number AS two, bool_or(own IS NULL OR own IS DISTINCT FROM first_own) AS new
        FROM passages JOIN (
            SELECT key, min(number) AS first, arg_min_null(own, number) AS first_own
            FROM passages GROUP BY key HAVING count(*) > 1
        ) USING (key) WHERE first < number GROUP BY ALL
    """)
    return _components(db, len(kept))


def _components(db: duckdb.DuckDBPyConnection, rows: int) -> NDArray[np.int32]:
    """Number what is linked, directly or not, by its first row; -1 where no link is new."""
    labels = np.arange(rows, dtype=np.int32)
    changed = True
    while changed:
        changed = False
        for one, two in _batches(db, "SELECT one, two FROM links"):
            mine, other = labels[one], labels[two]
            apart = mine != other
            changed |= bool(apart.any())
            lower = np.minimum(mine, other)[apart]
            for ends in (one[apart], two[apart], mine[apart], other[apart]):
                np.minimum.at(labels, ends, lower)
        while not np.array_equal(further := labels[labels], labels):
            labels = further
    new = np.zeros(rows, dtype=bool)
    for (one,) in _batches(db, "SELECT one FROM links WHERE new"):
        new[labels[one]] = True
    return np.where(new[labels], labels, np.int32(-1))
