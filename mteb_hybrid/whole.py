"""Files and folders that are whole under their name, or not there: written beside it, and renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mteb_hybrid.interrupts import held_back


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written takes the file's place in one step, or if that fails nothing does."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        with held_back(), suppress(OSError):
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
        with held_back():
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """Give a folder within a place, for files that are moved out of it one by one; it is gone afterwards."""
    partial = place / f".{os.getpid()}.partial"
    partial.mkdir(exist_ok=True)
    try:
        yield partial
    finally:
        with held_back():
            shutil.rmtree(partial, ignore_errors=True)


def discard_folder(folder: Path) -> None:
    """Take a folder away. It is gone from its name in one step, so that nobody goes on with a half of it.

    Raises:
        OSError: it stays where it is.
    """
    gone = folder.with_name(f".{folder.name}.gone")
    with held_back():
        shutil.rmtree(gone, ignore_errors=True)  # of a process that was killed in the middle of this
        with suppress(FileNotFoundError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def replace_folder(new: Path, place: Path) -> None:
    """Put a whole folder in a place; what was there is gone afterwards.

    Killed in the middle, what was there may lie beside it as ``.NAME.old``, whole, until ``put_back``: nothing is
    removed before the new one is in its place.
    """
    old = place.with_name(f".{place.name}.old")
    with held_back():
        discard_folder(old)
        if place.exists():
            place.rename(old)
        new.rename(place)
        discard_folder(old)


def put_back(place: Path) -> None:
    """Undo half of a replacement, which a process was killed in: what was there is there again."""
    old = place.with_name(f".{place.name}.old")
    if not place.exists() and old.is_dir():
        old.rename(place)
