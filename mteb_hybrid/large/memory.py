"""How much memory ranking may take, and what fits into it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.evaluation.ranking import CONFIDENCE_DEPTH

QUERIES_AT_ONCE = 256
"""Queries of one matrix product."""
PASSAGES_AT_ONCE = 4096
"""Passages of one matrix product. Every product is of this shape, whatever the memory, so that a similarity is the same
to the last bit wherever its passage stands."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_MOST_QUERIES = 16 * QUERIES_AT_ONCE  # beyond, reading the vectors again costs little beside the products
_LIBRARIES = 64 * 2**20  # what numpy, BLAS, Parquet and Python take for themselves


def bytes_of(text: str) -> int:
    """Read an amount of memory, such as ``2GB``, ``1.5 GiB`` or ``500M``.

    Raises:
        HybridError: it is none.
    """
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?I?)B?\s*", text.upper())
    if match is None or match[2] not in _UNITS or not float(match[1]):
        raise HybridError(f"--memory {one_line(text, 40)!r} is no amount of memory; give one such as 2GB")
    return int(float(match[1]) * _UNITS[match[2]])


def in_words(size: int) -> str:
    """An amount of memory to show."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def held_now() -> int:
    """Bytes that this process holds in memory."""
    try:
        words = Path("/proc/self/statm").read_text().split()
        import resource

        return int(words[1]) * resource.getpagesize()
    except (OSError, ImportError):  # another system tells only what was held at most
        try:
            import resource
        except ImportError:
            return 400 * 2**20
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


@dataclass(frozen=True)
class Demand:
    """What ranking takes.

    Attributes:
        queries: all of them.
        dimensions: of a vector.
        shard_rows: rows of a shard.
        pairs: of a query and a relevant passage.
        most_relevant: passages of one query.
        depth: how many of the best-ranked passages are named.
        ties: bytes of the order of passages, which is looked up where similarities are equal.
    """

    queries: int
    dimensions: int
    shard_rows: int
    pairs: int
    most_relevant: int
    depth: int
    ties: int

    @property
    def a_query(self) -> int:
        """Bytes for each query that is ranked at once: its vector, its relevant passages, its best passages twice."""
        best = max(self.depth, CONFIDENCE_DEPTH)
        return 4 * self.dimensions + 40 * self.most_relevant + 2 * best * (4 + 8) + best * (4 + 8)

    @property
    def constant(self) -> int:
        """Bytes whatever is ranked at once: a product, its parts sorted, a shard, a block; what is known of queries."""
        product = QUERIES_AT_ONCE * PASSAGES_AT_ONCE * 4
        block = PASSAGES_AT_ONCE * self.dimensions * (4 + 4)
        shard = 2 * self.shard_rows * self.dimensions * 4  # the next is mapped before the last is given back
        ranked = self.queries * (64 + 12 * self.depth) + self.pairs * (16 + 2 * 17)
        return _LIBRARIES + 3 * product + block + shard + 2 * ranked + self.ties


def queries_at_once(memory: int, demand: Demand) -> int:
    """How many queries to rank at once, so that the process stays within an amount of memory.

    Args:
        memory: bytes that the process may hold, all in all.
        demand: what ranking takes.

    Returns:
        A multiple of ``QUERIES_AT_ONCE``.

    Raises:
        HybridError: it is too little for any.
    """
    free = memory - held_now() - demand.constant
    at_once = min(free // demand.a_query, _MOST_QUERIES) // QUERIES_AT_ONCE * QUERIES_AT_ONCE
    if at_once < QUERIES_AT_ONCE:
        least = memory - free + QUERIES_AT_ONCE * demand.a_query
        raise HybridError(
            f"--memory {in_words(memory)} is too little: give {in_words(least + 10**7)} (libraries "
            f"{in_words(held_now())}, blocks and results {in_words(demand.constant)}, {QUERIES_AT_ONCE} queries "
            f"{in_words(QUERIES_AT_ONCE * demand.a_query)})"
        )
    return at_once
