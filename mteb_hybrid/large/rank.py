"""Ranks the passages of a folder of vectors for all of its queries, in memory that is bounded by a setting.

256 queries are a unit: what is ranked of one is a file, written whole, so that a killed run goes on with the units
that are missing. As many units as fit in the memory go through the vectors together.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.evaluation.ranking import Floats, Ints, Ranking, concatenate
from mteb_hybrid.large.folder import MANIFEST, VectorFolder, remove_partial, sha256_of
from mteb_hybrid.large.memory import PASSAGES_AT_ONCE, QUERIES_AT_ONCE, Demand, queries_at_once
from mteb_hybrid.large.queries import Queries
from mteb_hybrid.large.streaming import StreamedRanking
from mteb_hybrid.whole import whole_file

_TOGETHER = 64  # queries that one thread counts at once: a block of their similarities stays in its cache
_PADDING = {"ranks": 0, "passages": -1, "retrieved": False}

Bar = Callable[..., "tqdm[Any]"]


@dataclass(frozen=True)
class Unit:
    """Queries that are ranked in the same products: those from ``start`` to before ``stop``."""

    start: int
    stop: int


def rank_folder(folder: VectorFolder, queries: Queries, *, memory: int, depth: int, bar: Bar) -> list[Ranking]:
    """Rank all passages for each query, going on with what is ranked already.

    Args:
        folder: the vectors.
        queries: of the folder.
        memory: bytes that this process may hold, all in all.
        depth: how many of the best-ranked passages to name.
        bar: makes a progress bar.

    Returns:
        The rankings of consecutive queries, some at a time.

    Raises:
        HybridError: the memory is too little, or a file is damaged or cannot be written.
    """
    threads = min(os.cpu_count() or 1, 8)
    counts = queries.counts
    demand = Demand(
        queries=len(queries),
        dimensions=folder.plan.dimensions,
        shard_rows=min(folder.plan.shard_rows, folder.plan.passages),
        pairs=int(counts.sum()),
        most_relevant=int(counts.max()),
        depth=min(depth, folder.plan.passages),
        ties=folder.order.nbytes,
    )
    at_once = queries_at_once(memory, demand)
    made = folder.path / f"ranks-{_digest(folder, depth)}"
    try:
        made.mkdir(exist_ok=True)
        units = [Unit(at, min(at + QUERIES_AT_ONCE, len(queries))) for at in range(0, len(queries), QUERIES_AT_ONCE)]
        missing = [unit for unit in units if not _file(made, unit).exists()]
        together = at_once // QUERIES_AT_ONCE
        work = [missing[at : at + together] for at in range(0, len(missing), together)]
        with (
            ThreadPoolExecutor(threads) as pool,
            bar(total=2 * len(work) * folder.plan.passages, desc="ranking", unit=" passages", unit_scale=True) as told,
        ):
            for some in work:
                Round(folder, queries, some, depth, pool, told).run(made)
        remove_partial(made)
        return [_load(_file(made, unit), unit, queries) for unit in units]
    except ValueError as error:  # products of large numbers may be none
        raise HybridError(f"{folder.path}: cannot rank: {error}; encode with another model") from None
    except OSError as error:
        fault = error.strerror or error
        raise HybridError(f"{made}: {fault}; mend that, and the same command goes on where it was") from error


class Round:
    """Some units, which go through the vectors of the passages together."""

    def __init__(
        self,
        folder: VectorFolder,
        queries: Queries,
        units: Sequence[Unit],
        depth: int,
        pool: ThreadPoolExecutor,
        told: tqdm[Any],
    ) -> None:
        self._folder, self._units, self._pool, self._told = folder, units, pool, told
        self._products = [_Products(queries, unit, folder.order, depth) for unit in units]
        self._block = np.zeros((PASSAGES_AT_ONCE, folder.plan.dimensions), np.float32)
        self._scores = np.empty((QUERIES_AT_ONCE, PASSAGES_AT_ONCE), np.float32)

    def run(self, made: Path) -> None:
        """Rank the units, and write a file for each."""
        self._each_block(lambda products, start, stop: products.any_relevant(start, stop), _Products.note)
        self._each_block(lambda *_: True, _Products.count)
        for unit, products in zip(self._units, self._products, strict=True):
            _save(_file(made, unit), products.ranking())

    def _each_block(
        self, needed: Callable[[_Products, int, int], bool], use: Callable[[_Products, int, Floats, Any], None]
    ) -> None:
        for start, stop, read in self._blocks():
            asked = [products for products in self._products if needed(products, start, stop)]
            if asked:
                vectors = read()
                if not np.isfinite(vectors).all():
                    raise HybridError(f"{self._folder.path}: a vector is not finite; encode into a new folder")
                self._block[: stop - start], self._block[stop - start :] = vectors, 0
            for products in asked:
                scores = np.matmul(products.vectors, self._block.T, out=self._scores)
                use(products, start, scores[:, : stop - start], self._pool)
            self._told.update(stop - start)

    def _blocks(self) -> Iterator[tuple[int, int, Callable[[], Floats]]]:
        for shard in self._folder.shards("passages"):
            vectors = self._folder.vectors(shard)
            for at in range(0, len(shard), PASSAGES_AT_ONCE):
                rows = slice(at, min(at + PASSAGES_AT_ONCE, len(shard)))
                yield shard.start + rows.start, shard.start + rows.stop, lambda v=vectors, r=rows: v[r]  # type: ignore[misc]
            del vectors  # what is mapped of one shard is not held while the next is read


class _Products:
    """A unit and its matrix products, always of the same shape."""

    def __init__(self, queries: Queries, unit: Unit, order: Ints, depth: int) -> None:
        relevant = queries.relevant(unit.start, unit.stop)
        self.vectors = np.zeros((QUERIES_AT_ONCE, queries.folder.plan.dimensions), np.float32)
        self.vectors[: unit.stop - unit.start] = queries.vectors(unit.start, unit.stop)
        self._sought = np.unique(relevant[relevant >= 0])
        self._parts = [
            (slice(at, at + _TOGETHER), StreamedRanking(relevant[at : at + _TOGETHER], order, depth))
            for at in range(0, len(relevant), _TOGETHER)
        ]

    def any_relevant(self, start: int, stop: int) -> bool:
        """Whether a passage of a block is relevant to a query of the unit."""
        first, last = np.searchsorted(self._sought, (start, stop))
        return bool(last > first)

    def note(self, start: int, scores: Floats, _: ThreadPoolExecutor) -> None:
        """As of ``StreamedRanking``."""
        for rows, part in self._parts:
            part.note(start, scores[rows][: len(part)])

    def count(self, start: int, scores: Floats, pool: ThreadPoolExecutor) -> None:
        """As of ``StreamedRanking``; numpy lets threads sort side by side."""
        list(pool.map(lambda each: each[1].count(start, scores[each[0]][: len(each[1])]), self._parts))

    def ranking(self) -> Ranking:
        """Of all queries of the unit."""
        return join([part.ranking() for _, part in self._parts])


def join(parts: Sequence[Ranking]) -> Ranking:
    """Join rankings of consecutive queries, padded as far as the query with the most relevant passages needs."""
    most = max((int(part.counts.max(initial=0)) for part in parts), default=0)
    return concatenate([_of_width(part, most) for part in parts])


def _of_width(part: Ranking, width: int) -> Ranking:
    def fit(array: Any, padding: Any) -> Any:
        missing = max(width - array.shape[1], 0)
        return np.pad(array[:, :width], ((0, 0), (0, missing)), constant_values=padding)

    return replace(part, **{name: fit(getattr(part, name), padding) for name, padding in _PADDING.items()})


# ---- files


def _digest(folder: VectorFolder, depth: int) -> str:
    return hashlib.sha256(f"1 {sha256_of(folder.path / MANIFEST)} {depth}".encode()).hexdigest()[:12]


def _file(made: Path, unit: Unit) -> Path:
    return made / f"{unit.start:09}.npz"


def _save(path: Path, ranking: Ranking) -> None:
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **{field.name: getattr(ranking, field.name) for field in fields(Ranking)})


def _load(path: Path, unit: Unit, queries: Queries) -> Ranking:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ranking = Ranking(**{field.name: arrays[field.name] for field in fields(Ranking)})
        if not np.array_equal(ranking.counts, queries.counts[unit.start : unit.stop]):
            raise ValueError("it is of other queries")
    except Exception as error:  # a damaged archive fails in many ways
        raise HybridError(f"{path} is damaged ({one_line(error, 100)}); delete it, and rank again") from None
    return ranking
