"""Folders of vectors, as ``encode`` writes them."""

from __future__ import annotations

from pathlib import Path

from mteb_hybrid.doctor.finding import Findings, ok, wrong
from mteb_hybrid.errors import HybridError
from mteb_hybrid.large.folder import MANIFEST, PLAN, Plan, open_folder, read_json


def is_vectors(folder: Path) -> bool:
    """Whether a folder is one of vectors, finished or not."""
    return (folder / PLAN).is_file() and (folder / "rows").is_dir()


def examine_vectors(folder: Path) -> Findings:
    """Whether all files are there and as they were written; reads all."""
    try:
        if not (folder / MANIFEST).exists():
            read_json(folder / PLAN, Plan)
            yield wrong(
                f"{folder} holds an unfinished encoding: the same command (`mteb-hybrid encode DATA -m MODEL -o "
                f"{folder}`) goes on, or delete it"
            )
            return
        vectors, manifest = open_folder(folder)
        vectors.check_sums(manifest)
    except HybridError as error:
        yield wrong(str(error))
        return
    yield ok(f"{folder} holds the vectors of {manifest.plan.passages:,} passages and {manifest.plan.queries:,} queries")
