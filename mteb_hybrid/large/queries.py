"""The queries of a folder in the order in which they are ranked: by language, within one as in the collection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from mteb_hybrid.evaluation.ranking import Floats, Ints
from mteb_hybrid.large.folder import VectorFolder
from mteb_hybrid.large.layout import relevant_pairs


@dataclass(frozen=True)
class Queries:
    """The queries of a folder, and which passages are relevant to them.

    Attributes:
        folder: the folder.
        rows: the row of each query, by language and then in the order of the collection, shape (queries,).
        languages: the language of each, as an index into the plan's, shape (queries,).
        ends: where the relevant passages of each end, shape (queries + 1,), the first 0.
        passages: the relevant passages of one query after the other, ascending within each.
    """

    folder: VectorFolder
    rows: Ints
    languages: Ints
    ends: Ints
    passages: Ints

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def counts(self) -> Ints:
        """How many passages are relevant to each."""
        return np.diff(self.ends)

    def relevant(self, start: int, stop: int) -> Ints:
        """The relevant passages of some queries, padded with -1, shape (queries, most relevant)."""
        counts = self.counts[start:stop]
        padded = np.full((stop - start, counts.max(initial=1)), -1, np.int64)
        padded[np.arange(padded.shape[1]) < counts[:, None]] = self.passages[self.ends[start] : self.ends[stop]]
        return padded

    def vectors(self, start: int, stop: int) -> Floats:
        """The vectors of some queries in single precision, shape (queries, dimensions)."""
        rows = self.rows[start:stop]
        taken = np.empty((len(rows), self.folder.plan.dimensions), np.float32)
        for shard in self.folder.shards("queries"):
            at = np.flatnonzero((rows >= shard.start) & (rows < shard.stop))
            if len(at):
                taken[at] = self.folder.vectors(shard)[rows[at] - shard.start]
        return taken


def read_queries(folder: VectorFolder) -> Queries:
    """Read which queries there are, and find their relevant passages by their groups.

    Raises:
        HybridError: a file is damaged.
    """
    known = pyarrow.array(folder.plan.languages, pyarrow.string())
    tables = (folder.rows(shard, "language") for shard in folder.shards("queries"))
    languages = np.concatenate([pc.index_in(table["language"], known).to_numpy() for table in tables]).astype(np.int64)
    of_query, groups, passages = _pairs(folder)
    starts = np.searchsorted(groups, np.arange(groups.max(initial=-1) + 2))
    order = np.argsort(languages, kind="stable")
    first, last = starts[of_query[order]], starts[of_query[order] + 1]
    ends = np.concatenate([[0], np.cumsum(last - first)])
    within = np.arange(ends[-1]) - np.repeat(ends[:-1], last - first)
    return Queries(folder, order, languages[order], ends, passages[np.repeat(first, last - first) + within])


def _pairs(folder: VectorFolder) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The group of each query; and pairs of a group and a passage, by group and then by passage."""
    queries, passages = (
        (folder.rows(shard, "group") for shard in folder.shards(role)) for role in ("queries", "passages")
    )
    _, of_query, found, rows = relevant_pairs(queries, passages)
    order = np.argsort(found, kind="stable")
    return of_query, found[order], rows[order]
