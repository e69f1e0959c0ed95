"""The data of XQuAD-R and MLQA-R: where they are read from, and whether they are the published files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mteb_hybrid.data.corpus_lock import file_digest
from mteb_hybrid.data.download import cache_folder
from mteb_hybrid.data.lareqa import DATA_VARIABLE, MLQA_R, XQUAD_R, load_lareqa
from mteb_hybrid.doctor.finding import Findings, ok, wrong

_RELEASES = {"XQuAD-R": XQUAD_R, "MLQA-R": MLQA_R}


def data() -> Findings:
    """A folder that the user names, or what was downloaded."""
    folder = os.environ.get(DATA_VARIABLE)
    if folder:
        for name, release in _RELEASES.items():
            load_lareqa(release, name)
            yield ok(f"{name} is whole in {folder}")
        return
    damaged = list(_damaged())
    for path in damaged:
        yield wrong(f"{path} is not the published file (its SHA-256 differs): delete it, and it is downloaded again")
    if not damaged:
        yield ok(f"XQuAD-R and MLQA-R are downloaded when first needed, to {cache_folder()}")


def _damaged() -> Iterator[Path]:
    """Downloads that are not what was published; those that are not there yet are no fault."""
    for release in _RELEASES.values():
        for language, sha256 in release.checksums.items():
            path = cache_folder() / "lareqa" / release.folder / f"{language}.json"
            if path.is_file() and file_digest(path) != sha256:
                yield path
