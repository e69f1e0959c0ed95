"""Which languages each row of a training source has, and which rows share a passage; a few bytes a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.uint8]

_ROWS_AT_A_TIME = 1 << 20  # a multiple of 8


def in_bitmap(bitmap: Bitmap, rows: NDArray[np.signedinteger]) -> NDArray[np.bool_]:
    """Whether each of ``rows`` is in a bitmap, shape (rows,); of bitmaps (n, bytes), shape (n, rows)."""
    present: NDArray[np.bool_] = ((bitmap[..., rows >> 3] >> (rows & 7).astype(np.uint8)) & 1).view(bool)
    return present


def _bits(bitmap: Bitmap, rows: int) -> NDArray[np.bool_]:
    return np.unpackbits(bitmap, count=rows, bitorder="little").view(bool)


@dataclass(frozen=True, eq=False)
class RowIndex:
    """What batches are made from.

    Attributes:
        name: of the source, for errors.
        languages: its languages.
        rows: how many rows it has.
        presence: a bitmap of the rows for each language, shape (languages, ceil(rows / 8)), little-endian as
            ``numpy.packbits`` writes it: which rows have that language.
        groups: the passage group of each row, shape (rows,); None if no passage is shared.
    """

    name: str
    languages: tuple[str, ...]
    rows: int
    presence: Bitmap
    groups: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def complete(self) -> bool:
        """Whether every row has every language, of which there are two or more."""
        counts = [self.count(present) for present in self.presence]
        return len(counts) > 1 and all(count == self.rows for count in counts)

    def count(self, bitmap: Bitmap) -> int:
        """How many rows a bitmap holds."""
        return int(np.bitwise_count(bitmap).sum(dtype=np.int64))

    def numbers(self, bitmap: Bitmap | None = None) -> NDArray[np.signedinteger]:
        """The row numbers of a bitmap, or all, in the smallest type that holds them."""
        dtype = np.int32 if self.rows < 2**31 else np.int64
        if bitmap is None:
            return np.arange(self.rows, dtype=dtype)
        numbers: NDArray[np.signedinteger] = np.empty(self.count(bitmap), dtype=dtype)
        end = 0
        for start in range(0, self.rows, _ROWS_AT_A_TIME):  # numpy counts in 8 bytes a row, for a while
            found = np.flatnonzero(_bits(bitmap[start // 8 :], min(_ROWS_AT_A_TIME, self.rows - start)))
            numbers[end : end + len(found)] = found + start
            end += len(found)
        return numbers

    def with_languages(self, least: int) -> Bitmap:
        """The rows that have so many languages or more; ``least`` is 1 or 2."""
        one: Bitmap = np.zeros_like(self.presence[0])
        two: Bitmap = np.zeros_like(self.presence[0])
        for present in self.presence:
            two |= one & present
            one |= present
        return one if least == 1 else two

    def languages_of(self, rows: NDArray[np.signedinteger]) -> NDArray[np.bool_]:
        """Which languages rows have, shape (rows, languages)."""
        return in_bitmap(self.presence, rows).T

    def passages(self, bitmap: Bitmap, enough: int | None = None) -> int:
        """How many different passage groups the rows of a bitmap are in; counting may stop at ``enough``."""
        if self.groups is None:
            return self.count(bitmap)
        seen = np.zeros(int(self.groups.max(initial=-1)) + 1, dtype=bool)
        for start in range(0, self.rows, _ROWS_AT_A_TIME):
            groups = self.groups[start : start + _ROWS_AT_A_TIME]
            seen[groups[_bits(bitmap[start // 8 :], len(groups))]] = True
            if enough is not None and np.count_nonzero(seen) >= enough:
                break
        return int(np.count_nonzero(seen))
