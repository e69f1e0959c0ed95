"""How far a figure would move with other questions: the bootstrap over parallel groups.

Queries of one parallel group say the same in several languages and are no independent samples, so groups are drawn and
not queries. Every group is drawn a Poisson(1) number of times (the Poisson bootstrap: Hanley and MacGibbon 2006), by a
stream of random numbers that only its name decides: figures of different models, settings and languages are of the
same draws, and the draws of their difference are the differences of their draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

DRAWS = 1000
"""How often all groups are drawn; half-widths are then good to about 2 %."""

EXPLANATION = (
    "± is half the width of the 95 % confidence interval over questions: 1.96 standard errors by the bootstrap, which "
    f"draws parallel groups of questions ({DRAWS:,} draws)."
)

Draws = NDArray[np.floating[Any]]

_NORMAL_95 = 1.959964
_AT_ONCE = 20_000


def margin(draws: Draws) -> float:
    """Half the width of the 95 % confidence interval: 1.96 standard errors."""
    return float(_NORMAL_95 * draws.std(ddof=1))


def draw_mean(path: Path, subsets: Collection[str], metric: str) -> Draws | None:
    """Draw the mean over subsets of a score's mean over queries.

    Args:
        path: the file of scores of single queries, as ``mteb_hybrid.evaluation.query_scores`` keeps them.
        subsets: the subsets to take the mean over.
        metric: the score.

    Returns:
        Shape (1000,); None if the file is missing or damaged, or lacks the score of one of the subsets.
    """
    try:
        table = _read(path, path.stat().st_mtime_ns)
    except OSError:
        return None
    if table is None or metric not in table.column_names or not subsets:
        return None
    names, groups, values = (table[name] for name in ("hf_subset", "group", metric))
    codes = {name: code for code, name in enumerate(subsets)}
    of_subset = np.array([codes.get(name, -1) for name in names.to_pylist()])
    scores = values.to_numpy(zero_copy_only=False).astype(np.float64)
    chosen = (of_subset >= 0) & ~np.isnan(scores)
    if set(of_subset[chosen].tolist()) != set(codes.values()):
        return None
    distinct, of_group = np.unique(np.asarray(groups.to_pylist(), dtype=object)[chosen], return_inverse=True)
    totals = np.zeros((2, len(distinct), len(codes)))
    np.add.at(totals[0], (of_group, of_subset[chosen]), scores[chosen])
    np.add.at(totals[1], (of_group, of_subset[chosen]), 1.0)
    return _weighted_mean(distinct.tolist(), totals)


def _weighted_mean(groups: Sequence[str], totals: Draws) -> Draws:
    """The mean over subsets in each draw, from sums and counts by group and subset."""
    sums = np.zeros((2, DRAWS, totals.shape[2]))
    for start in range(0, len(groups), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        drawn = np.stack([_times_drawn(group) for group in groups[part]], axis=1).astype(np.float64)
        sums += drawn @ totals[:, part]
    means: Draws = (sums[0] / np.maximum(sums[1], 1)).mean(axis=1)
    return means


@lru_cache(maxsize=50_000)
def _times_drawn(group: str) -> NDArray[np.uint8]:
    """How often a group is in each draw."""
    seed = hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[:8]
    counts = np.random.default_rng(int.from_bytes(seed, "little")).poisson(1.0, DRAWS)
    return counts.astype(np.uint8)


@lru_cache(maxsize=16)
def _read(path: Path, written: int) -> pa.Table | None:
    """The file as it is since ``written``; None if it is none of ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    return table if {"hf_subset", "group"} <= set(table.column_names) else None
