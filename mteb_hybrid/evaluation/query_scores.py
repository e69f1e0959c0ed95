"""Scores of single queries, kept beside the results of their task: what confidence is computed from.

One Parquet file a task, ``TASK.queries.parquet`` beside ``TASK.json``: a row for each query of each subset, with the
columns ``hf_subset``, ``query``, ``group`` and a column for each score, null where a subset has none. The mean of a
column over a subset is the subset's score of that name.

Tasks whose pool holds several languages also keep where the parallel answers land: in the columns ``rank_de`` and so
on, of whole numbers, the best rank of a relevant passage in that language; null where there is none. None is a score.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mteb_hybrid.errors import HybridError
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

    from mteb_hybrid.evaluation.ranking import Floats, Ints

logger = logging.getLogger(__name__)

COLUMNS = ("hf_subset", "query", "group")
RANK_PREFIX = "rank_"
_REVISION = b"dataset_revision"


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
    """Scores of a run's queries, until the results that they belong to are written."""

    def __init__(self) -> None:
        self._new: dict[str, dict[str, pa.Table]] = {}  # by task and subset
        self._kept: dict[Path, pa.Table] = {}

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

        columns: dict[str, Any] = {"hf_subset": [hf_subset] * len(query_ids), "query": query_ids, "group": groups}
        columns |= {name: np.asarray(values, dtype=np.float32) for name, values in scores.items()}
        for language, values in (ranks or {}).items():
            # a collection of one's own may have a language that it calls "distance"
            columns.setdefault(RANK_PREFIX + language, pa.array(values, type=pa.int32(), mask=values == 0))
        self._new.setdefault(task, {})[hf_subset] = pa.table(columns)

    def save(self, task: str, results: Path, dataset_revision: str) -> None:
        """Write what is held of a task beside its result file, whole or not at all.

        Subsets that the file has already stay, unless they are held anew or are of other data.

        Args:
            task: the task's name.
            results: the path of its result file.
            dataset_revision: of the data.

        Raises:
            HybridError: the file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        new = self._new.pop(task, None)
        if not new:
            return
        path = query_scores_path(results)
        kept = self._kept.get(path)
        if kept is None:
            kept = _read(path, dataset_revision)
        if kept is not None:
            kept = kept.filter(pc.invert(pc.is_in(kept["hf_subset"], pa.array(list(new)))))
        tables = [*([kept] if kept is not None else []), *new.values()]
        table = pa.concat_tables(tables, promote_options="default")
        self._kept[path] = table
        try:
            with whole_file(path) as partial:
                marked = table.replace_schema_metadata({_REVISION: dataset_revision})
                pq.write_table(marked, partial, compression="zstd")
        except OSError as error:
            raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another folder") from None


def _read(path: Path, dataset_revision: str) -> pa.Table | None:
    """What was kept before; None if that is nothing, of other data, or damaged: it is written anew then."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException):
        logger.warning(f"{path} is damaged: scores of single queries are kept anew")
        return None
    same = (table.schema.metadata or {}).get(_REVISION, b"").decode() == dataset_revision
    return table if same and set(COLUMNS) <= set(table.column_names) else None
