"""What needs all rows at once, such as joins and duplicates, through DuckDB: on disk where memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
"""What DuckDB may hold in memory; the rest goes to its folder."""


@contextmanager
def database(folder: Path, *, memory: str = MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database that is gone afterwards.

    Args:
        folder: where it may put what does not fit in memory.
        memory: how much it may hold, such as ``1GB``.

    Raises:
        HybridError: DuckDB is missing, or the disk or the memory is full.
    """
    try:
        import duckdb
    except ImportError:
        raise HybridError("building a corpus needs duckdb: pip install 'mteb-hybrid[data]'") from None
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(folder / ".duckdb"),
        "autoinstall_known_extensions": False,  # extensions are programs: none is fetched
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(":memory:", config=settings) as connection:
            yield connection
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise HybridError(f"{folder}: {one_line(error, 200)}; make room, and run the same command again") from None
