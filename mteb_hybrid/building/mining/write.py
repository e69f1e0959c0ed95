"""Writes the files of a corpus anew, with negatives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from mteb_hybrid.building.mining.corpus import ROWS, Corpus, Numbers
from mteb_hybrid.building.mining.search import load_found
from mteb_hybrid.building.shards import drop_pairs, in_shards, languages_of
from mteb_hybrid.whole import whole_file


def write_file(
    corpus: Corpus, file: int, passages: Mapping[str, pyarrow.LargeStringArray], found: Path, count: int, path: Path
) -> int:
    """Write one file, whole or not at all.

    Args:
        corpus: the corpus.
        file: the number of the file.
        passages: the distinct passages of each language that was mined.
        found: the folder of what was found, with a folder for each language.
        count: of negatives of each passage.
        path: where to write it.

    Returns:
        The rows that were written: those that have a pair left.
    """
    chunks = [chunk for chunk in corpus.chunks if chunk.file == file]
    schema = _schema(corpus.schemas[file], count)
    rows = 0
    with whole_file(path) as partial, parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for chunk, table in zip(chunks, in_shards(corpus.tables(file), ROWS), strict=True):
            negatives = {
                language: load_found(found / language / f"{chunk.start}.npz").negatives
                for language in languages_of(table)
                if language in passages
            }
            whole = _with_negatives(table, negatives, passages, count).select(schema.names).cast(schema)
            rows += len(whole)
            writer.write_table(whole.combine_chunks(), row_group_size=10_000)
    return rows


def _schema(schema: pyarrow.Schema, count: int) -> pyarrow.Schema:
    """The schema of a file with so many negatives behind each passage."""
    fields = []
    for name in schema.names:
        if name.startswith("negative_"):
            continue
        fields.append(pyarrow.field(name, pyarrow.large_string()))
        role, _, language = name.partition("_")
        if role == "passage":
            names = [f"negative_{number + 1}_{language}" for number in range(count)]
            fields += [pyarrow.field(each, pyarrow.large_string()) for each in names]
    return pyarrow.schema(fields)


def _with_negatives(
    table: pyarrow.Table, negatives: Mapping[str, Numbers], passages: Mapping[str, pyarrow.LargeStringArray], count: int
) -> pyarrow.Table:
    """A piece of a file with its negatives, without the pairs that have none."""
    for language in languages_of(table):
        found = negatives.get(language, np.full((len(table), count), -1, np.int32))
        texts = passages.get(language, pyarrow.array([], pyarrow.large_string()))
        for number in range(count):
            numbers = found[:, number]
            column = texts.take(pyarrow.array(numbers, mask=numbers < 0))
            table = table.append_column(f"negative_{number + 1}_{language}", column)
    return drop_pairs(table, {tag: pyarrow.array(found[:, 0] < 0) for tag, found in negatives.items()})
