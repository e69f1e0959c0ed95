"""The user's own sources: whatever ``mteb_hybrid.data.corpus_files.load_corpus`` takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow

from mteb_hybrid.building.shards import schema_of
from mteb_hybrid.building.sources.errors import told
from mteb_hybrid.building.sources.rows import ROWS
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    from mteb_hybrid.data.parallel_corpus import ParallelCorpus

_COMMIT = re.compile("[0-9a-f]{40}")


def kind_of(source: str) -> Literal["built-in", "file", "hub"] | None:
    """What kind of source of one's own a name is; None if it is none that ``load_corpus`` takes."""
    from mteb_hybrid.data.corpus_files import BUILT_IN_SOURCES

    if source in BUILT_IN_SOURCES:
        return "built-in"
    path = Path(os.path.expanduser(source))
    if path.suffix in {".jsonl", ".parquet"} or os.path.exists(path):
        return "file"
    return "hub" if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source, re.ASCII) else None


def check_file(settings: SourceSettings) -> None:
    """Raise what is wrong with a file before it is read."""
    path = Path(os.path.expanduser(settings.source))
    if not os.path.isfile(path):
        raise HybridError(f"there is no file {one_line(path, 200)}; name a .jsonl or .parquet file")
    if path.suffix not in {".jsonl", ".parquet"}:
        raise HybridError(f"{path}: a parallel corpus is a .jsonl or a .parquet file, not {path.suffix or 'this'!r}")


def on_hub(settings: SourceSettings) -> tuple[str | None, str | None]:
    """The commit that is read of a data set on the Hub, and its licence by its card; one small request.

    Nothing is asked where the build file says both, or where the Hub is switched off.

    Raises:
        HybridError: there is no such data set or revision, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants

    pinned = settings.revision is not None and _COMMIT.fullmatch(settings.revision)
    if constants.HF_HUB_OFFLINE or (pinned and settings.license is not None):
        return settings.revision, settings.license
    url = f"https://huggingface.co/datasets/{settings.source}"
    with told(settings.source, url=url, revision=settings.revision):
        info = HfApi().dataset_info(settings.source, revision=settings.revision)
    license = info.card_data.get("license") if info.card_data else None
    return info.sha, settings.license or (license if isinstance(license, str) else None)


def load(settings: SourceSettings, revision: str | None) -> ParallelCorpus:
    """Load the corpus: a JSONL file is held in memory, the others are memory-mapped."""
    from mteb_hybrid.data.corpus_files import load_corpus

    return load_corpus(
        settings.source, name=settings.name, revision=revision, languages=settings.languages, rows=settings.rows
    )


def tables(corpus: ParallelCorpus) -> Iterator[pyarrow.Table]:
    """The rows of a corpus as tables of ``shards.schema_of``; hard negatives are left out, they are mined anew."""
    schema = schema_of(corpus.languages)
    for start in range(0, len(corpus), ROWS):
        piece = corpus.table.slice(start, ROWS)
        columns = [
            piece[name].cast(field.type) if name in piece.column_names else pyarrow.nulls(len(piece), field.type)
            for name, field in zip(schema.names, schema, strict=True)
        ]
        yield pyarrow.table(columns, schema=schema)
