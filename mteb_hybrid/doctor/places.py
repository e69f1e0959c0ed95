"""Disks and folders that cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mteb_hybrid.doctor.finding import Findings, ok, wrong

ENOUGH = 100_000_000
"""Bytes free below which a disk is as good as full."""


def own_places() -> Findings:
    """Where names and downloads are kept."""
    from mteb_hybrid.data.download import cache_folder
    from mteb_hybrid.models import MODELS_VARIABLE, models_file

    yield from writable(models_file().parent, f"set {MODELS_VARIABLE} to a file elsewhere")
    yield from writable(cache_folder(), "set XDG_CACHE_HOME to a folder elsewhere")


def writable(folder: Path, instead: str, *, well: bool = True) -> Findings:
    """Whether a folder can be written, or made, and its disk has room.

    Args:
        folder: need not be there.
        instead: what else to do, for the text.
        well: also say that it is so.
    """
    there = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()), Path("/"))
    room = _free(there)
    if not there.is_dir():
        yield wrong(f"{folder} cannot be made, as {there} is a file: move it away, or {instead}")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield wrong(f"{there} cannot be written: make it writable (chmod u+wx), or {instead}")
    elif room is not None and room < ENOUGH:
        yield wrong(f"the disk of {there} is full ({room / 1e6:.0f} MB free): make room, or {instead}")
    elif well:
        yield ok(f"{folder} can be written" + (f" ({room / 1e9:.0f} GB free)" if room is not None else ""))


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
