"""Scores of single queries, kept beside the results of their task: what confidence is computed from.

One Parquet file a task, ``TASK.queries.parquet`` beside ``TASK.json``: a row for each query of each subset, with the
columns ``hf_subset``, ``query``, ``group`` and a column for each score, null where a subset has none. The mean of a
column over a subset is the subset's score of that name.

Tasks whose pool holds several languages also keep where the parallel answers land: in the columns ``rank_de`` and so
on, of whole numbers, the best rank of a relevant passage in that language; null where there is none. None is a score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.resampling import has_keys
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

    from mteb_hybrid.evaluation.ranking import Floats, Ints

logger = logging.getLogger(__name__)

COLUMNS = ("hf_subset", "query", "group")
RANK_PREFIX = "rank_"
_REVISION = b"dataset_revision"
_SUBSETS_AT_ONCE = 500


def query_scores_path(results: Path) -> Path:
    """Where the scores of a result file's queries are kept."""
    return results.with_name(f"{results.stem}.queries.parquet")


def rank_columns(schema: pa.Schema) -> dict[str, str]:
    """The columns of ranks: language to column. What is called likewise and is a score, ``rank_distance``, is none."""
    import pyarrow as pa

    return {
        field.name.removeprefix(RANK_PREFIX): field.name
        for field in schema
        if field.name.startswith(RANK_PREFIX) and pa.types.is_integer(field.type)
    }


class QueryScores:
    """Scores of a run's queries, until the results that they belong to are written.

    Tables of subsets are held without their name, and share their columns of queries and groups: with 122 languages
    13 million rows are held in 100 MB.
    """

    def __init__(self) -> None:
        self._new: dict[str, dict[str, pa.Table]] = {}  # by task and subset
        self._kept: dict[Path, dict[str, pa.Table]] = {}
        self._columns: dict[tuple[str, ...], pa.Array] = {}

    def add(
        self,
        task: str,
        hf_subset: str,
        query_ids: Sequence[str],
        groups: Sequence[str],
        scores: Mapping[str, Floats],
        ranks: Mapping[str, Ints] | None = None,
    ) -> None:
        """Hold the scores of a subset's queries.

        Args:
            task: the task's name.
            hf_subset: the subset.
            query_ids: the queries.
            groups: the parallel group of each: queries of one group say the same.
            scores: name to values, shape (queries,); kept in single precision.
            ranks: language to the best rank of a relevant passage in it, 0 where there is none; shape (queries,).
        """
        import pyarrow as pa

        columns: dict[str, Any] = {"query": self._shared(query_ids), "group": self._shared(groups)}
        columns |= {name: np.asarray(values, dtype=np.float32) for name, values in scores.items()}
        for language, values in (ranks or {}).items():
            # a collection of one's own may have a language that it calls "distance"
            columns.setdefault(RANK_PREFIX + language, pa.array(values, type=pa.int32(), mask=values == 0))
        self._new.setdefault(task, {})[hf_subset] = pa.table(columns)

    def save(self, task: str, results: Path, dataset_revision: str) -> None:
        """Write what is held of a task beside its result file, whole or not at all.

        Subsets that the file has already stay, unless they are held anew or are of other data. Subsets are written in
        the order of their names, whatever the order in which they were evaluated.

        Args:
            task: the task's name.
            results: the path of its result file.
            dataset_revision: of the data.

        Raises:
            HybridError: the file cannot be written.
        """
        new = self._new.pop(task, None)
        if not new:
            return
        path = query_scores_path(results)
        if path not in self._kept:
            self._kept[path] = self._read(path, dataset_revision)
        tables = self._kept[path] = self._kept[path] | new
        try:
            with whole_file(path) as partial:
                _write(partial, tables, dataset_revision)
        except OSError as error:
            raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another folder") from None

    def _shared(self, texts: Sequence[str]) -> pa.Array:
        """A column that the subsets of a query language have in common."""
        import pyarrow as pa

        key = tuple(texts)
        if key not in self._columns:
            self._columns[key] = pa.array(key, pa.string())
        return self._columns[key]

    def _read(self, path: Path, dataset_revision: str) -> dict[str, pa.Table]:
        """What was kept before; nothing if that is of other data, or damaged: it is written anew then."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        found: dict[str, list[pa.Table]] = {}
        try:
            check_unpacked(path)
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                same = (schema.metadata or {}).get(_REVISION, b"").decode() == dataset_revision
                if not (same and _is_ours(schema)):
                    return {}
                for batch in file.iter_batches():
                    for name, table in _by_subset(pa.Table.from_batches([batch])):
                        found.setdefault(name, []).append(table)
        except FileNotFoundError:
            return {}
        except (OSError, pa.ArrowException, ValueError, HybridError):
            logger.warning(f"{path} is damaged: scores of single queries are kept anew")
            return {}
        return {name: self._sharing(pa.concat_tables(tables)) for name, tables in found.items()}

    def _sharing(self, table: pa.Table) -> pa.Table:
        for place, name in enumerate(table.column_names):
            if name in COLUMNS:
                table = table.set_column(place, name, self._shared(table[name].to_pylist()))
        return table.replace_schema_metadata(None)


def _is_ours(schema: pa.Schema) -> bool:
    """Whether a file is of the form that is written here, to which more can be added."""
    import pyarrow as pa

    kinds = [field.type for field in schema if field.name not in COLUMNS]
    unique = len(set(schema.names)) == len(schema.names)
    return unique and has_keys(schema) and set(kinds) <= {pa.float32(), pa.int32()}


def _by_subset(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each subset, without its name; rows of one stand together."""
    names = table["hf_subset"].to_pylist()
    if None in names:
        raise ValueError("a row without a subset")
    rows = table.drop_columns(["hf_subset"])
    start = 0
    for name, members in groupby(names):
        size = len(list(members))
        yield name, rows.slice(start, size)
        start += size


def _write(path: Path, tables: Mapping[str, pa.Table], dataset_revision: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.unify_schemas([table.schema for table in tables.values()])
    schema = pa.schema([pa.field("hf_subset", pa.string()), *columns], {_REVISION: dataset_revision})
    names = sorted(tables)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(names), _SUBSETS_AT_ONCE):
            named = [_named(name, tables[name]) for name in names[start : start + _SUBSETS_AT_ONCE]]
            part = pa.concat_tables([schema.empty_table(), *named], promote_options="default")
            writer.write_table(part.select(schema.names).replace_schema_metadata(schema.metadata))


def _named(name: str, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return table.add_column(0, "hf_subset", pa.repeat(pa.scalar(name, pa.string()), len(table)))
