"""Memory that was freed, given back to the system.

A similarity matrix of a pair of languages is freed when the pair is scored, but glibc lets small things that stay
settle in its place, finds no room for the next matrix, and takes more from the system: 1.7 MB for each pair of
Belebele's languages, 25 GB for all of them. ``malloc_trim`` gives back what lies between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

BYTES_AT_MOST = 2**28
"""Freed memory that may wait to be given back."""


class Freed:
    """Counts what is freed, and gives it back when it has become much."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, number: int) -> None:
        """Count memory that was freed.

        Args:
            number: of bytes.
        """
        self._bytes += number
        if self._bytes >= BYTES_AT_MOST:
            self._bytes = 0
            trim = _trim()
            if trim is not None:
                trim(0)


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; other C libraries have none."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim
