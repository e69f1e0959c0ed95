"""Files and folders that are whole under their name, or not there: written beside it, and renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written takes the file's place in one step, or if that fails nothing does."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that gets its name when all is written; if that fails, nothing stays."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        usual = partial.stat().st_mode & 0o666  # safetensors lets nobody but the owner read what it writes
        for path in partial.rglob("*"):
            if path.is_file():
                path.chmod(usual)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(new: Path, place: Path) -> None:
    """Put a whole folder in a place; what was there is gone afterwards.

    Killed in the middle, what was there may lie beside it as ``.NAME.old``: nothing is removed before the new one is
    in its place.
    """
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)
