"""Tables of hashes in files that are mapped into memory, and fast lookups of what mostly is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.decontamination.hashing import Hashes, Numbers
from mteb_hybrid.errors import HybridError, one_line

_FILTER_BITS = 27  # 128 MB at most
_SMALL = 4096  # bytes; of an empty array nothing can be mapped


@dataclass(frozen=True)
class HashTable:
    """What each hash stands for: the number of the first text that has it.

    Attributes:
        hashes: increasing, shape (entries,).
        texts: the number of a text for each, shape (entries,).
    """

    hashes: Hashes
    texts: NDArray[np.int32]

    @classmethod
    def of(cls, parts: Sequence[tuple[Hashes, Numbers]]) -> HashTable:
        """Make a table from hashes and the texts that they are of, in any order."""
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *(part[0] for part in parts)])
        texts = np.concatenate([np.empty(0, dtype=np.int64), *(part[1] for part in parts)])
        order = np.lexsort((texts, hashes))
        hashes = hashes[order]
        first = np.concatenate([[True], hashes[1:] != hashes[:-1]])[: len(hashes)]
        return cls(hashes[first], texts[order][first].astype(np.int32))

    def save(self, folder: Path, name: str) -> None:
        """Write two files of numpy, ``NAME_hashes.npy`` and ``NAME_texts.npy``."""
        np.save(folder / f"{name}_hashes.npy", self.hashes, allow_pickle=False)
        np.save(folder / f"{name}_texts.npy", self.texts, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, name: str) -> HashTable:
        """Map what ``save`` wrote into memory.

        Raises:
            HybridError: a file is missing or damaged.
        """
        return cls(load_array(folder / f"{name}_hashes.npy"), load_array(folder / f"{name}_texts.npy"))


@dataclass(frozen=True)
class Lookup:
    """A table that can be asked.

    Attributes:
        table: what each hash stands for.
        filter: which lowest bits occur among the hashes: most lookups fail, and end here.
    """

    table: HashTable
    filter: NDArray[np.bool_]

    @classmethod
    def of(cls, table: HashTable) -> Lookup:
        """Make a table ready to be asked."""
        bits = min(_FILTER_BITS, max(8, len(table.hashes).bit_length() + 4))
        found = np.zeros(1 << bits, dtype=np.bool_)
        found[table.hashes & np.uint64(len(found) - 1)] = True
        return cls(table, found)

    def find(self, hashes: Hashes) -> NDArray[np.int32]:
        """The text that each hash stands for, -1 where it stands for none; shape as ``hashes``."""
        found = np.full(len(hashes), -1, dtype=np.int32)
        likely = np.flatnonzero(self.filter[hashes & np.uint64(len(self.filter) - 1)])
        if len(likely):
            places = np.searchsorted(self.table.hashes, hashes[likely]).clip(max=len(self.table.hashes) - 1)
            same = self.table.hashes[places] == hashes[likely]
            found[likely[same]] = self.table.texts[places[same]]
        return found


def load_array(path: Path) -> NDArray[Any]:
    """Map a file of numpy into memory.

    Raises:
        HybridError: it is missing or damaged.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > _SMALL else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise HybridError(
            f"{path} cannot be read ({one_line(error, 100)}); delete its folder and build again"
        ) from None
    return array
