"""Corpora that ``mteb-hybrid data build`` made: a folder of Parquet files, one a source, with a lock beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import CorpusLock, FileRecord, check_files, lock_path, read_lock
from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import HybridError


@dataclass(frozen=True)
class Built:
    """A built corpus, or one file of it.

    Attributes:
        folder: where its files are.
        lock: what is known of it.
        files: those that are meant.
    """

    folder: Path
    lock: CorpusLock
    files: tuple[FileRecord, ...]


def find_built(source: str | Path) -> Built | None:
    """The built corpus that a source names by its folder or by one of its files; None if it is none.

    Raises:
        HybridError: its lock is broken, or its files are not those that the lock tells of.
    """
    path = Path(os.path.expanduser(source))
    found = lock_path(path)
    if found is None:
        return None
    lock = read_lock(found)
    files = tuple(file for file in lock.files if path.is_dir() or file.file == path.name)
    if not files:
        return None  # a file that somebody put beside them
    check_files(lock, found.parent, {file.name for file in files})
    return Built(found.parent, lock, files)


def load_built(
    built: Built,
    *,
    name: str | None = None,
    languages: Sequence[str] | None = None,
    rows: int | None = None,
    sample: int | None = None,
) -> list[tuple[FileRecord, ParallelCorpus]]:
    """Load the corpora of a built corpus, one a file.

    Args:
        built: of ``find_built``.
        name: put before the files' names where there are several, and in their place where there is one.
        languages: some of its languages; a file that has none of them is left out.
        rows: the first so many rows of its one file.
        sample: whether rows will be drawn, which can be done of one file only.

    Raises:
        HybridError: no file has a language that was asked for, or rows of several files were.
    """
    if len(built.files) > 1 and (rows or sample):
        files = ", ".join(file.file for file in built.files[:3])
        raise HybridError(f"{built.folder} has several files; name one ({files}) to take some of its rows")
    for language in languages or ():
        if not any(language in file.pairs for file in built.files):
            there = ", ".join(dict.fromkeys(tag for file in built.files for tag in file.pairs))
            raise HybridError(f"language {language!r} is in no file of {built.folder}; there are {there}")
    return list(_load(built, name, languages, rows))


def _load(
    built: Built, name: str | None, languages: Sequence[str] | None, rows: int | None
) -> Iterator[tuple[FileRecord, ParallelCorpus]]:
    for file in built.files:
        wanted = None if languages is None else [language for language in languages if language in file.pairs]
        if wanted is not None and not wanted:
            continue
        own = file.name if name is None else name if len(built.files) == 1 else f"{name}-{file.name}"
        corpus = load_corpus(built.folder / file.file, name=own, languages=wanted, rows=rows)
        yield file, replace(corpus, trained_on=tuple(file.mteb_tasks))
