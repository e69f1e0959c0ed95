"""The end of a build: the corpus's files, the list of what was found, and the lock."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
from pyarrow import parquet

from mteb_hybrid.building.shards import read_shard
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, FileRecord, file_digest, write_lock
from mteb_hybrid.errors import HybridError
from mteb_hybrid.licences import choose_license
from mteb_hybrid.whole import replace_folder, whole_folder

if TYPE_CHECKING:
    from mteb_hybrid.building.build import Progress

FOUND = "decontamination.jsonl"
"""What was found of benchmarks, a line each: of which row and of which text, but no text."""

_PACKAGES = (
    "mteb-hybrid",
    "ctranslate2",
    "datasets",
    "duckdb",
    "mteb",
    "pyarrow",
    "py3langid",
    "rensa",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def write_corpus(progress: Progress, name: str, output: Path, say: Callable[[str], None]) -> CorpusLock:
    """Write the corpus, whole or not at all.

    Args:
        progress: with the shards of what is left.
        name: what to call it.
        output: its folder; one that is there is replaced.
        say: is told what is left out.

    Raises:
        HybridError: nothing is left, or the folder cannot be written.
    """
    files = []
    new = output.absolute().with_name(f".{output.name}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a run that was killed just before the end
        with whole_folder(new) as folder:
            for facts, pinned in zip(progress.facts, progress.pinned, strict=True):
                stages = progress.stages[facts.name]
                if not stages[-1].rows:
                    say(f"{facts.name}: nothing is left of it; it is no part of the corpus")
                    continue
                path = folder / f"{facts.name}.parquet"
                _write_file(progress.shards[facts.name], path)
                files.append(
                    FileRecord(
                        name=facts.name,
                        source=facts.source,
                        revision=facts.revision or pinned,
                        url=facts.url,
                        license=facts.license,
                        mteb_tasks=list(facts.mteb_tasks),
                        stages=stages,
                        sha256=file_digest(path),
                    )
                )
            if not files:
                raise HybridError("nothing is left of any source; see what the stages dropped, and ask for less")
            if progress.decontamination is not None:
                lines = (json.dumps(hit, ensure_ascii=False) + "\n" for hit in progress.found)
                (folder / FOUND).write_text("".join(lines), encoding="utf-8")
            lock = _lock(progress, name, files)
            write_lock(lock, folder / LOCK)
        replace_folder(new, output.absolute())
    except OSError as error:
        raise HybridError(f"cannot write {output} ({error.strerror or error}); make room, or choose another") from None
    return lock


def _write_file(shards: Sequence[Path], path: Path) -> None:
    """Join the shards of a source, a shard in memory at a time, without the columns that nothing is left in."""
    filled = dict.fromkeys(parquet.read_schema(shards[0]).names, False)
    for shard in shards:
        table = read_shard(shard)
        for name in filled:
            filled[name] |= table[name].null_count < len(table)
    names = [name for name, some in filled.items() if some]
    schema = pyarrow.schema([parquet.read_schema(shards[0]).field(name) for name in names])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for shard in shards:
            table = read_shard(shard).select(names)
            if len(table):
                writer.write_table(table.combine_chunks(), row_group_size=10_000)


def _lock(progress: Progress, name: str, files: list[FileRecord]) -> CorpusLock:
    settings = progress.settings
    return CorpusLock(
        name=name,
        settings=settings.model_dump(mode="json"),
        files=files,
        license=_license(files),
        translation=progress.translation,
        decontaminated=[*settings.decontamination.tasks] if settings.decontamination else [],
        decontamination=progress.decontamination,
        versions=_versions(),
    )


def _license(files: Sequence[FileRecord]) -> str:
    """What follows from the sources' licences; ``other`` where none does, and each file is under its own."""
    try:
        return choose_license(None, {file.name: file.license for file in files})
    except HybridError:
        return "unknown" if any(file.license in (None, "unknown") for file in files) else "other"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
