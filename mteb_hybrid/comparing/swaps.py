"""The paired randomisation test: what differences would be if it did not matter which model a score is of.

Under that hypothesis the two models' scores may be swapped, by whole parallel groups, whose queries are not
independent. A difference of means over subsets of means over queries is a sum over groups,

    d = sum_g c_g,   c_g = 1/S sum_s (sum of the differences of scores of g in subset s) / n_s

for S subsets of n_s queries, so to swap a group is to change the sign of its c_g (Fisher 1935; for retrieval Smucker,
Allan and Carterette 2007, doi 10.1145/1321440.1321528).

scipy.stats.permutation_test gives the same figures (the tests hold it against this). It sorts random numbers to change
signs, which takes 6 s for 48 comparisons over 1,190 groups, where one product of matrices takes 0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LEAST_SWAPS = 9_999
SEED = 0

_AT_ONCE = 1_000
_ROUNDING = 1e-12


def swap_count(comparisons: int) -> int:
    """Return how many random swaps a family of comparisons needs.

    The least p-value, 1 over their number and 1, must stay far below a level of .05 when it is multiplied by the size
    of the family: it is at most .01 then.
    """
    return max(LEAST_SWAPS, 100 * comparisons - 1)


def swap_p_values(shares: Floats, swaps: int | None = None, pairs: Sequence[tuple[int, int]] | None = None) -> Floats:
    """Return the two-sided p-value of each difference.

    Exact if there are no more ways to swap than ``swaps``. Otherwise (b + 1) / (m + 1), where b of m random swaps gave
    a difference as great (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585), which is never 0. The swaps are the same
    for all differences, and the same in every call (seed 0).

    Args:
        shares: what each group adds to each difference, shape (groups, differences); with ``pairs``, to each figure.
        swaps: m; by default as many as ``swap_count`` gives.
        pairs: the two figures of each difference, as columns of ``shares``. Sums over groups, which cost the most, are
            then taken for figures, of which there are fewer than pairs.

    Returns:
        Shape (differences,).
    """
    groups, figures = shares.shape
    one, other = np.array(pairs).T if pairs is not None else (np.arange(figures), None)

    def differences(of_figures: Floats) -> Floats:
        return of_figures[..., one] if other is None else of_figures[..., one] - of_figures[..., other]

    swaps = swap_count(len(one)) if swaps is None else swaps
    found, sizes = shares.sum(axis=0), np.abs(shares).sum(axis=0)
    # Sums of the same numbers in another order differ in their last digits.
    least = np.abs(differences(found)) - _ROUNDING * (sizes[one] + (0 if other is None else sizes[other]))
    exact = is_exact(groups, swaps)
    as_great = np.zeros(len(one)) if exact else np.ones(len(one))
    total = 0 if exact else 1
    for swapped in _all_swaps(groups) if exact else _random_swaps(groups, swaps):
        as_great += (np.abs(differences(found - 2 * (swapped @ shares))) >= least).sum(axis=0)
        total += len(swapped)
    p_values: Floats = as_great / total
    return p_values


def is_exact(groups: int, swaps: int) -> bool:
    """Whether all ways to swap are tried: a way and its opposite are one, as only the size of a difference counts."""
    return groups <= 62 and 2 ** max(groups - 1, 0) <= swaps


def describe_swaps(groups: int, comparisons: int) -> str:
    """Say in words how a family of comparisons is tested, such as ``9,999 random swaps, seed 0``."""
    swaps = swap_count(comparisons)
    if is_exact(groups, swaps):
        return f"all {2 ** max(groups - 1, 0):,} ways to swap"
    return f"{swaps:,} random swaps, seed {SEED}"


def _all_swaps(groups: int) -> Iterator[Floats]:
    """Each way to swap groups once, the last never: shape (ways at once, groups), 1 where a group is swapped."""
    for start in range(0, 2 ** max(groups - 1, 0), _AT_ONCE):
        ways = np.arange(start, min(start + _AT_ONCE, 2 ** max(groups - 1, 0)), dtype=np.int64)
        yield (ways[:, None] >> np.arange(groups) & 1).astype(np.float64)


def _random_swaps(groups: int, swaps: int) -> Iterator[Floats]:
    random = np.random.default_rng(SEED)
    for start in range(0, swaps, _AT_ONCE):
        shape = (min(_AT_ONCE, swaps - start), -(-groups // 8))
        bits = random.integers(0, 256, shape, dtype=np.uint8)
        yield np.unpackbits(bits, axis=1, count=groups).astype(np.float64)
