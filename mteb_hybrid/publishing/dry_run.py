"""What would be sent: listed, and written to a folder instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mteb_hybrid.errors import HybridError
from mteb_hybrid.whole import whole_folder

Files = Mapping[str, Path | bytes]
"""Path in the repository to the local file, or to the content."""


def tell_files(files: Files, gone: Sequence[str], say: Callable[[str], None]) -> None:
    """Say which files are sent, with their sizes, and which are deleted."""
    sizes = {path: _size(files[path]) for path in sorted(files)}
    for path, size in sizes.items():
        say(f"{size:>14,}  {path}")
    for path in gone:
        say(f"{'deleted':>14}  {path}")
    say(f"{sum(sizes.values()):>14,}  bytes in {len(sizes)} files")


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def write_files(files: Files, folder: Path) -> None:
    """Write the files to a folder, whole or not at all.

    Raises:
        HybridError: the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise HybridError(f"{folder} is there already; choose another folder for --dry-run")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as partial:
            for path, content in files.items():
                place = partial / path
                place.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    place.write_bytes(content)
                else:
                    shutil.copyfile(content, place)
    except OSError as error:
        raise HybridError(f"cannot write {folder} ({error.strerror or error}); choose another folder") from None
