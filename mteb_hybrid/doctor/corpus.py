"""Built corpora, and the folders of builds and minings that have not ended."""

from __future__ import annotations

import json
from pathlib import Path

from mteb_hybrid.alone import holder_of
from mteb_hybrid.data.corpus_lock import LOCK, check_files, read_lock
from mteb_hybrid.doctor.finding import Findings, ok, wrong
from mteb_hybrid.errors import HybridError

_WORK = {".building": "build", ".mining": "mining"}


def is_corpus(folder: Path) -> bool:
    """Whether a folder is a corpus that was built."""
    return (folder / LOCK).is_file()


def examine_corpus(folder: Path) -> Findings:
    """The lock, and each file that it tells of."""
    try:
        lock = read_lock(folder / LOCK)
        check_files(lock, folder)
    except HybridError as error:
        text = str(error)
        yield wrong(text if "build the corpus again" in text else f"{text}; build the corpus again")
        return
    known = {file.file for file in lock.files}
    for path in sorted(folder.glob("*.parquet")):
        if path.name not in known:
            yield wrong(f"{path} is no part of the corpus, {LOCK} beside it does not tell of it: move it away")
    yield ok(f"{folder} is a whole corpus of {len(known)} files")


def is_work(folder: Path) -> bool:
    """Whether a folder is that of a build or a mining."""
    return folder.suffix in _WORK


def examine_work(folder: Path) -> Findings:
    """Whether it can go on."""
    what, output = _WORK[folder.suffix], folder.with_suffix("")
    holder = holder_of(output)
    if holder is not None:
        yield ok(f"{folder} is a {what} that process {holder} is at")
        return
    anew = f"delete {folder}, and begin anew"
    damaged = [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_damaged(path)]
    for path in damaged:
        yield wrong(f"{path} is damaged: {anew}")
    if not damaged:
        command = f"`mteb-hybrid data {'build' if what == 'build' else 'mine'} ... -o {output}`"
        yield wrong(f"{folder} holds an unfinished {what}: the same command ({command}) goes on, or {anew}")


def _is_damaged(path: Path) -> bool:
    """Whether a file of what is in between is not whole; those that are being written have names of their own."""
    import pyarrow
    from pyarrow import parquet

    if any(part.startswith(".") and part != ".mining" for part in path.parts[-3:]):
        return False
    try:
        if path.suffix == ".parquet":
            parquet.read_metadata(path)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError, pyarrow.ArrowException):
        return True
    return False
