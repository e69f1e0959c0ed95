"""What is asked of a reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mteb_hybrid.building.sources.files import Files
    from mteb_hybrid.building.sources.rows import Row


@dataclass(frozen=True)
class Wanted:
    """What is asked of a reader.

    Attributes:
        languages: the languages wanted; a reader may give more.
        folder: for temporary files.
        rows: how many rows; None for all. A reader may give more: they are asked for one by one.
    """

    languages: tuple[str, ...]
    folder: Path
    rows: int | None = None


class Layout(Protocol):
    """How the files of a source are laid out: knows their names and their columns."""

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read them, always in the same order."""
        ...
