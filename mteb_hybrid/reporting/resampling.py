"""How far a figure would move with other questions: the bootstrap over parallel groups.

Queries of one parallel group say the same in several languages and are no independent samples, so groups are drawn and
not queries. Every group is drawn a Poisson(1) number of times (the Poisson bootstrap: Hanley and MacGibbon 2006), by a
stream of random numbers that only its name decides: figures of different models, settings and languages are of the
same draws, and the draws of their difference are the differences of their draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    import pyarrow as pa

DRAWS = 1000
"""How often all groups are drawn; half-widths are then good to about 2 %."""

FEWEST_GROUPS = 10
"""With fewer in a subset the bootstrap's standard error says little, so none is given."""

EXPLANATION = (
    "± is half the width of the 95 % confidence interval over questions: 1.96 standard errors by the bootstrap, which "
    f"draws parallel groups of questions ({DRAWS:,} draws); none is given where a subset has fewer than "
    f"{FEWEST_GROUPS} groups."
)

KEYS = ("hf_subset", "query", "group")
"""The columns of a file of scores of single queries that are no scores."""

Floats = NDArray[np.floating[Any]]

_NORMAL_95 = 1.959964
_AT_ONCE = 20_000
_BYTES_HELD = 2**30


@dataclass(frozen=True, eq=False)
class Draws:
    """A figure, as the sample of questions makes it: a mean over subsets of means over queries, or a mean of such.

    Attributes:
        values: the figure in each draw, shape (1000,).
        groups: the parallel groups of its questions, sorted.
        shares: what each group adds to the figure, shape (groups,); their sum is the figure itself.
        queries: tells apart what figures are of: two of the same are of the same queries of the same data.
        fewest: the parallel groups of the subset that has the fewest.
    """

    values: Floats
    groups: tuple[str, ...]
    shares: Floats
    queries: tuple[str, ...]
    fewest: int

    @property
    def figure(self) -> float:
        """The figure of all questions, each once."""
        return float(self.shares.sum())

    def __add__(self, other: Draws) -> Draws:
        """The sum of two figures."""
        groups = self.groups if self.groups == other.groups else tuple(sorted({*self.groups, *other.groups}))
        shares = self.shares_of(groups) + other.shares_of(groups)
        fewest = min(self.fewest, other.fewest)
        return Draws(self.values + other.values, groups, shares, self.queries + other.queries, fewest)

    def __truediv__(self, number: float) -> Draws:
        """The figure divided by a number."""
        return replace(self, values=self.values / number, shares=self.shares / number)

    def shares_of(self, groups: Sequence[str]) -> Floats:
        """Return what each of some groups adds, shape (groups,), 0 for one that the figure has not."""
        if tuple(groups) == self.groups:
            return self.shares
        known = dict(zip(self.groups, self.shares.tolist(), strict=True))
        return np.array([known.get(group, 0.0) for group in groups])


@dataclass(frozen=True, eq=False)
class _Totals:
    """A score's sums and counts by group and subset, shape (groups, subsets), and its mean in each draw by subset."""

    groups: tuple[str, ...]
    places: dict[str, int]
    sums: Floats
    counts: Floats
    drawn: Floats
    revision: str


def query_scores_file(folder: Path, task: str) -> Path:
    """Where the scores of single queries of a run's task are; without mteb, which takes long to import."""
    return folder / f"{task}.queries.parquet"


def has_keys(schema: pa.Schema, names: Sequence[str] = KEYS) -> bool:
    """Whether the columns that are no scores are there, each once, and hold texts."""
    import pyarrow as pa

    return all(
        schema.names.count(name) == 1
        and (pa.types.is_string(kind := schema.field(name).type) or pa.types.is_large_string(kind))
        for name in names
    )


def margin(draws: Draws, base: Draws | None = None) -> float | None:
    """Half the width of the 95 % confidence interval of a figure, or of how far it is from another.

    Returns:
        1.96 standard errors; None where a subset has fewer than 10 parallel groups.
    """
    if min(draws.fewest, base.fewest if base else draws.fewest) < FEWEST_GROUPS:
        return None
    values = draws.values if base is None else draws.values - base.values
    return float(_NORMAL_95 * values.std(ddof=1))


def draw_mean(path: Path, subsets: Collection[str], metric: str) -> Draws | None:
    """Draw the mean over subsets of a score's mean over queries.

    Args:
        path: the file of scores of single queries, as ``mteb_hybrid.evaluation.query_scores`` keeps them.
        subsets: the subsets to take the mean over.
        metric: the score.

    Returns:
        None if the file is missing or damaged, or lacks the score of one of the subsets.
    """
    try:
        totals = _held_totals(path, path.stat().st_mtime_ns, metric)
    except OSError:
        return None
    if totals is None or not subsets or not totals.places.keys() >= set(subsets):
        return None
    names = sorted(set(subsets))
    columns = [totals.places[name] for name in names]
    sums, counts = totals.sums[:, columns], totals.counts[:, columns]
    there = counts.any(axis=1)
    groups = tuple(np.asarray(totals.groups, dtype=object)[there].tolist())
    of = repr((totals.revision, names, groups)).encode("utf-8", "surrogatepass") + counts[there].tobytes()
    return Draws(
        totals.drawn[:, columns].mean(axis=1),
        groups,
        (sums[there] / counts.sum(axis=0)).mean(axis=1),
        (hashlib.sha256(of).hexdigest(),),
        int(np.count_nonzero(counts, axis=0).min()),
    )


_held: dict[tuple[Path, int, str], _Totals | None] = {}


def _held_totals(path: Path, written: int, metric: str) -> _Totals | None:
    """What ``_totals`` gives, of the files looked at last: with 122 languages one takes 300 MB."""
    key = (path, written, metric)
    totals = _held.pop(key) if key in _held else _totals(path, written, metric)
    while _held and (len(_held) >= 32 or sum(map(_size, _held.values())) + _size(totals) > _BYTES_HELD):
        del _held[next(iter(_held))]
    _held[key] = totals
    return totals


def _size(totals: _Totals | None) -> int:
    return 0 if totals is None else totals.sums.nbytes + totals.counts.nbytes + totals.drawn.nbytes


def _totals(path: Path, written: int, metric: str) -> _Totals | None:
    """Of the file as it is since ``written``; None if it is damaged, none of ours, or has no such score."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_unpacked(path)
        keys, schema = ("hf_subset", "group"), pq.read_schema(path)
        if not has_keys(schema, keys) or schema.names.count(metric) != 1:
            return None
        if not pa.types.is_floating(schema.field(metric).type):
            return None
        table = pq.read_table(path, columns=[*keys, metric], read_dictionary=list(keys))
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException, HybridError):  # a ValueError of names that are no UTF-8
        return None
    if any(table[name].null_count for name in keys):
        return None
    scores = table[metric].to_numpy().astype(np.float64)
    chosen = ~np.isnan(scores)
    subsets, of_subset = _codes(table["hf_subset"], chosen)
    groups, of_group = _codes(table["group"], chosen)
    shape = (len(groups), len(subsets))
    places = of_group * len(subsets) + of_subset
    sums, counts = (
        np.bincount(places, weights, len(groups) * len(subsets)).astype(np.float64).reshape(shape)
        for weights in (scores[chosen], None)
    )
    revision = (table.schema.metadata or {}).get(b"dataset_revision", b"").decode(errors="replace")
    named = {name: place for place, name in enumerate(subsets)}
    return _Totals(groups, named, sums, counts, _drawn_means(groups, sums, counts), revision)


def _codes(column: Any, chosen: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The distinct values of the chosen rows, sorted, and which of them each of these rows has."""
    encoded = column.unify_dictionaries().combine_chunks()
    if not len(encoded):
        return (), np.zeros(0, np.intp)
    codes = encoded.indices.to_numpy(zero_copy_only=False)[chosen]
    names = np.array([*map(str, encoded.dictionary.to_pylist()), ""], dtype=object)
    used = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    order = used[np.argsort(names[used])]
    place_of = np.zeros(len(names), np.intp)
    place_of[order] = np.arange(len(order))
    return tuple(names[order].tolist()), place_of[codes]


def _drawn_means(groups: Sequence[str], sums: Floats, counts: Floats) -> Floats:
    """The mean over queries in each draw, shape (1000, subsets); where none is drawn, that of all."""
    drawn_sums, drawn_counts = np.zeros((2, DRAWS, sums.shape[1]))
    for start in range(0, len(groups), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        drawn = np.stack([_times_drawn(group) for group in groups[part]], axis=1).astype(np.float64)
        drawn_sums += drawn @ sums[part]
        drawn_counts += drawn @ counts[part]
    none = drawn_counts == 0
    drawn_sums[none] = np.broadcast_to(sums.sum(axis=0), none.shape)[none]
    drawn_counts[none] = np.broadcast_to(counts.sum(axis=0), none.shape)[none]
    drawn_sums /= drawn_counts
    return drawn_sums


@lru_cache(maxsize=50_000)
def _times_drawn(group: str) -> NDArray[np.uint8]:
    """How often a group is in each draw."""
    seed = hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[:8]
    counts = np.random.default_rng(int.from_bytes(seed, "little")).poisson(1.0, DRAWS)
    return counts.astype(np.uint8)
