"""Scores of single queries in the mixed pool, of one model on one benchmark, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.query_scores import COLUMNS, query_scores_path, rank_columns
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.resampling import has_keys
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Queries:
    """Every query that was asked of the mixed pool.

    Attributes:
        languages: the language of each query, shape (queries,).
        ids: its id.
        groups: its parallel group.
        precision: its average precision.
        distance: its rank distance.
        ranks: the best rank of an answer in each language, NaN where there is none; empty where they were not kept.
    """

    languages: Sequence[str]
    ids: Sequence[str]
    groups: Sequence[str]
    precision: Floats
    distance: Floats
    ranks: Mapping[str, Floats]

    def ranks_by_language(self) -> dict[str, dict[str, Floats]]:
        """The ranks by language of the query and of the answer."""
        of_query = np.asarray(self.languages, dtype=object)
        rows_of = {query: np.flatnonzero(of_query == query) for query in dict.fromkeys(self.languages)}
        return {query: {tag: values[rows] for tag, values in self.ranks.items()} for query, rows in rows_of.items()}


def read_queries(run: ModelResults, benchmark: Benchmark) -> Queries | None:
    """Read what was kept of a model's queries; None if nothing was, or the file is damaged."""
    found = [_read(run.folder, setting, benchmark.name) for setting in (Setting.LANGUAGE_BIAS, Setting.MULTILINGUAL)]
    # both tasks rank the same pool; ranks were not kept in older files
    kept = [each for each in found if each is not None]
    return next((each for each in kept if each.ranks), kept[0] if kept else None)


def _read(folder: Path, setting: Setting, benchmark: str) -> Queries | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        path = query_scores_path(folder / f"{setting.task_name(benchmark)}.json")
        check_unpacked(path)
        table = pq.read_table(path)
        table.validate(full=True)
        names = table.column_names
    except (OSError, ValueError, pa.ArrowException, HybridError):  # a ValueError of names that are no UTF-8
        return None
    if not has_keys(table.schema) or len(set(names)) < len(names) or not {"map", "rank_distance"} <= set(names):
        return None
    if not all(pa.types.is_floating(table.schema.field(name).type) for name in ("map", "rank_distance")):
        return None
    return _of_table(table, setting)


def _of_table(table: pa.Table, setting: Setting) -> Queries | None:
    subsets, ids, groups = (table[name].to_pylist() for name in COLUMNS)
    languages = [(setting.languages_of(subset) or ("",))[0] for subset in subsets]
    precision, distance = (_floats(table[name]) for name in ("map", "rank_distance"))
    rows = [row for row, tag in enumerate(languages) if tag and np.isfinite(precision[row] + distance[row])]
    if not rows:
        return None
    ranks = {tag: _floats(table[column])[rows] for tag, column in rank_columns(table.schema).items()}
    return Queries(
        languages=[languages[row] for row in rows],
        ids=[ids[row] for row in rows],
        groups=[groups[row] for row in rows],
        precision=precision[rows],
        distance=distance[rows],
        ranks={tag: values for tag, values in ranks.items() if not np.isnan(values).all()},
    )


def _floats(column: pa.ChunkedArray) -> Floats:
    values: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return values
