"""Search by faiss in place of exact ranks, and what is lost by it.

- ``flat`` compares every query with all passages, a part at a time.
- ``ivf`` puts the passages into up to 4,096 lists around centres, learnt from 64 passages a list, and compares a query
  with those of the nearest lists; vectors in half precision, in a file that is mapped: 2 bytes a number, and 8 a
  passage. The same index as mining has (``building.mining.index``).
- ``hnsw`` links every passage to its neighbours (32 links, twice that at the bottom) and walks along them; vectors in
  half precision, all in memory: 2 bytes a number, and some 270 a passage.

Passages are given to faiss a part at a time. What an index finds is held against the exact ranks of the same queries.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.mining.index import FlatIndex, Index, ListIndex, lists_of, memory_of
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.evaluation.ranking import Bools, Ints, Ranking
from mteb_hybrid.large.folder import MANIFEST, VectorFolder, remove_partial, sha256_of
from mteb_hybrid.large.memory import held_now, in_words
from mteb_hybrid.large.queries import Queries
from mteb_hybrid.whole import whole_file

Kind = Literal["flat", "ivf", "hnsw"]
KINDS: tuple[Kind, ...] = ("flat", "ivf", "hnsw")

LINKS = 32
BUILD_DEPTH, SEARCH_DEPTH = 100, 128
"""How many passages a walk through an HNSW index keeps in sight when it is built, and when it is searched."""

_AT_ONCE = 4096  # queries
_SEED = 42


@dataclass(frozen=True)
class AtDepth:
    """What an index finds in so many passages.

    Attributes:
        depth: the first so many passages that it finds.
        found: share of the exact first passages that are among them, mean over queries.
        recall: of the relevant passages by exact ranks, mean over queries.
        recall_by_index: the same of what the index finds.
    """

    depth: int
    found: float
    recall: float
    recall_by_index: float

    @property
    def lost(self) -> float:
        """Recall that is lost."""
        return self.recall - self.recall_by_index


@dataclass(frozen=True)
class SearchReport:
    """What searching by an index costs and loses.

    Attributes:
        kind: of the index.
        settings: its parameters.
        bytes: of the index, in memory or in its file; 0 where the vectors themselves are searched.
        build_seconds: 0 where it was there.
        search_seconds: of all queries.
        depths: what is found, by depth.
    """

    kind: Kind
    settings: dict[str, int]
    bytes: int
    build_seconds: float
    search_seconds: float
    depths: tuple[AtDepth, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self) | {"depths": [asdict(at) | {"lost": at.lost} for at in self.depths]}


class PassageParts:
    """The passages of a folder, as an index of mining takes vectors."""

    def __init__(self, folder: VectorFolder) -> None:
        self._folder = folder

    def __len__(self) -> int:
        return self._folder.plan.passages

    @property
    def dimensions(self) -> int:
        """Of each vector."""
        return self._folder.plan.dimensions

    def parts(self) -> Iterator[NDArray[np.float32]]:
        """All vectors, a shard at a time, in single precision."""
        for shard in self._folder.shards("passages"):
            yield np.array(self._folder.vectors(shard), np.float32)

    def take(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Some vectors in single precision, shape (numbers, dimensions)."""
        taken = np.empty((len(numbers), self.dimensions), np.float32)
        for shard in self._folder.shards("passages"):
            at = np.flatnonzero((numbers >= shard.start) & (numbers < shard.stop))
            if len(at):
                taken[at] = self._folder.vectors(shard)[numbers[at] - shard.start]
        return taken


def check_memory(kind: Kind, folder: VectorFolder, memory: int, depth: int) -> None:
    """Raise a HybridError if an index takes more than an amount of memory, the process and its libraries included."""
    plan = folder.plan
    if kind == "hnsw":
        needed = plan.passages * (2 * plan.dimensions + 8 * LINKS + 16)
    else:
        needed = memory_of(kind, plan.passages, plan.dimensions, depth)
    needed += held_now() + _AT_ONCE * (4 * plan.dimensions + 24 * depth)
    if needed > memory:
        other = "" if kind == "flat" else f", or another index than {kind}"
        raise HybridError(
            f"--memory {in_words(memory)} is too little for --index {kind}: give {in_words(needed + 10**7)}{other}"
        )


def search(kind: Kind, folder: VectorFolder, queries: Queries, rankings: Sequence[Ranking], depth: int) -> SearchReport:
    """Search the passages by an index, and hold what it finds against the exact ranks.

    Args:
        kind: of the index. One that was built before is taken from its file in the folder.
        folder: the vectors.
        queries: of the folder.
        rankings: exact, of consecutive queries; each names at least ``depth`` of the best-ranked passages.
        depth: how many passages to search for.

    Raises:
        HybridError: an index cannot be written or read.
    """
    depth = min(depth, folder.plan.passages)
    begun = time.perf_counter()
    try:
        built = _open(kind, folder)
        searched = time.perf_counter()
        found = np.concatenate(
            [
                built.index.search(queries.vectors(at, min(at + _AT_ONCE, len(queries))), depth)[1]
                for at in range(0, len(queries), _AT_ONCE)
            ]
        )
        done = time.perf_counter()
    except (OSError, RuntimeError) as error:  # faiss tells every fault as a RuntimeError
        raise HybridError(
            f"{folder.path}: --index {kind}: {one_line(error, 150)}; delete what lies in index-*, and try again"
        ) from None
    depths = [k for k in (1, 10, 100, 1000) if k < depth] + [depth]
    return SearchReport(
        kind=kind,
        settings=built.settings,
        bytes=built.bytes,
        build_seconds=0.0 if built.was_there else searched - begun,
        search_seconds=done - searched,
        depths=tuple(_at_depth(found, queries, rankings, k) for k in depths),
    )


# ---- indexes


@dataclass(frozen=True)
class _Built:
    index: Index
    settings: dict[str, int]
    bytes: int
    was_there: bool


def _open(kind: Kind, folder: VectorFolder) -> _Built:
    vectors = PassageParts(folder)
    if kind == "flat":
        return _Built(FlatIndex(vectors), {}, 0, False)
    made = folder.path / f"index-{kind}-{_digest(folder)}"
    was_there = made.exists()
    if kind == "ivf":
        lists, probes = lists_of(len(vectors))
        index: Index = ListIndex(vectors, made, _SEED)
        return _Built(index, {"lists": lists, "probes": probes}, _size(made), was_there)
    settings = {"links": LINKS, "build_depth": BUILD_DEPTH, "search_depth": SEARCH_DEPTH}
    return _Built(LinkedIndex(vectors, made), settings, _size(made), was_there)


class LinkedIndex:
    """An HNSW index of faiss, in memory, kept in a file.

    Args:
        vectors: of the passages.
        path: where the index is, or is to be put.
    """

    def __init__(self, vectors: PassageParts, path: Path) -> None:
        import faiss

        if not path.exists():
            remove_partial(path.parent)  # as large as the index
            kind = faiss.ScalarQuantizer.QT_fp16
            index = faiss.IndexHNSWSQ(
                vectors.dimensions,
                kind,  # type: ignore[arg-type]  # faiss names the kinds of a quantizer otherwise than it takes them
                LINKS,
                faiss.METRIC_INNER_PRODUCT,
            )
            index.hnsw.efConstruction = BUILD_DEPTH
            for number, part in enumerate(vectors.parts()):
                if number == 0:
                    index.train(part)  # which half precision needs in name only
                index.add(part)
            with whole_file(path) as partial:
                faiss.write_index(index, str(partial))
            del index
        self._index: Any = faiss.read_index(str(path))

    def search(self, queries: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As of ``Index``."""
        self._index.hnsw.efSearch = max(SEARCH_DEPTH, count)
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = self._index.search(queries, count)
        return found


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))


def _digest(folder: VectorFolder) -> str:
    return hashlib.sha256(f"1 {sha256_of(folder.path / MANIFEST)}".encode()).hexdigest()[:12]


# ---- what is lost


def _at_depth(found: NDArray[np.int64], queries: Queries, rankings: Sequence[Ranking], depth: int) -> AtDepth:
    shares, exact, by_index, begin = [], [], [], 0
    for ranking in rankings:
        rows = found[begin : begin + len(ranking.ranks), :depth]
        begin += len(rows)
        counts = ranking.counts
        shares.append(_among(ranking.top[:, :depth], rows).mean(axis=1))
        exact.append(((ranking.ranks > 0) & (ranking.ranks <= depth)).sum(axis=1) / counts)
        by_index.append((_among(ranking.passages, rows) & (ranking.passages >= 0)).sum(axis=1) / counts)
    return AtDepth(depth, *(float(np.concatenate(values).mean()) for values in (shares, exact, by_index)))


def _among(passages: Ints, found: Ints) -> Bools:
    """Whether each query's passages are among those found for it; both of shape (queries, any number)."""
    return np.stack([np.isin(own, other) for own, other in zip(passages, found, strict=True)])
