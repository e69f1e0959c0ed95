"""Shards: what a corpus is while it is built. Each stage makes shards of shards, one at a time.

A shard is a table of the columns of a parallel corpus (``mteb_hybrid.data.parallel_corpus``) with ``group`` always
there, so that all shards of one source have one schema. A *pair* is what a row has in one language: its query and its
passage, both or neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import pyarrow
import pyarrow.compute as pc
from pyarrow import parquet

from mteb_hybrid.whole import whole_file


@dataclass(frozen=True)
class Kept:
    """What a stage left of a shard.

    Attributes:
        table: the rows that have a pair left, in their order, in the schema that they came in.
        dropped: how many pairs went, by reason: a few words in lower case, such as ``too short``.
        found: what a stage lists one by one, each a flat mapping that JSON can hold.
    """

    table: pyarrow.Table
    dropped: Mapping[str, int] = field(default_factory=dict)
    found: tuple[Mapping[str, str | int | float], ...] = ()


Stage = Callable[[pyarrow.Table], Kept]
"""What is done to each shard on its own: the same rows give the same outcome, in whatever process. Can be pickled."""


def schema_of(languages: Iterable[str]) -> pyarrow.Schema:
    """The schema of a shard: id, group, and a query and a passage for each language."""
    names = [f"{role}_{language}" for language in languages for role in ("query", "passage")]
    return pyarrow.schema([(name, pyarrow.large_string()) for name in ("id", "group", *names)])


def languages_of(table: pyarrow.Table) -> tuple[str, ...]:
    """The languages that a shard has columns for, in their order."""
    return tuple(name.removeprefix("query_") for name in table.column_names if name.startswith("query_"))


def pairs_of(table: pyarrow.Table) -> Counter[str]:
    """How many pairs a shard has, by language."""
    return Counter({tag: len(table) - table[f"query_{tag}"].null_count for tag in languages_of(table)})


def drop_pairs(table: pyarrow.Table, dropped: Mapping[str, pyarrow.Array | pyarrow.ChunkedArray]) -> pyarrow.Table:
    """Take pairs out, and the rows that have none left.

    Args:
        table: a shard.
        dropped: by language, which of its pairs go: a truth value for each row.
    """
    for language, mask in dropped.items():
        for name in (f"query_{language}", f"passage_{language}"):
            kept = pc.if_else(pc.fill_null(mask, False), pyarrow.scalar(None, table[name].type), table[name])
            table = table.set_column(table.column_names.index(name), name, kept)
    return with_pairs(table)


def with_pairs(table: pyarrow.Table) -> pyarrow.Table:
    """Keep the rows that have a pair in some language."""
    present = [pc.is_valid(table[f"query_{language}"]) for language in languages_of(table)]
    return table.filter(reduce(pc.or_, present)) if present else table.slice(0, 0)


def write_shard(table: pyarrow.Table, path: Path) -> None:
    """Write a shard, whole or not at all; the same rows give the same bytes."""
    with whole_file(path) as partial:
        parquet.write_table(table.combine_chunks(), partial, compression="zstd", row_group_size=10_000)


def read_shard(path: Path) -> pyarrow.Table:
    """Read a shard."""
    return parquet.read_table(path, memory_map=True)


def in_shards(tables: Iterable[pyarrow.Table], rows: int) -> Iterator[pyarrow.Table]:
    """Cut tables of one schema anew: so many rows each, the last perhaps fewer."""
    waiting: list[pyarrow.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        while count >= rows:
            joined = pyarrow.concat_tables(waiting)
            yield joined.slice(0, rows)
            waiting = [joined.slice(rows)]
            count -= rows
    if count:
        yield pyarrow.concat_tables(waiting)
