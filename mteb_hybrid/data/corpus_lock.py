"""The lock file of a corpus that was built: what went in, what was done, and the checksums of what came out.

It lies beside the corpus's Parquet files. Building again from it gives the same bytes; training and publishing read
from it what a corpus holds, and against which tasks it was decontaminated.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

LOCK = "corpus.lock.json"

_BYTES_AT_MOST = 10_000_000


def _file_stem(name: str) -> str:
    """A name that is no path: a lock may come from anywhere, and no file outside its folder is any of its business."""
    if name.startswith(".") or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError("is no name of a file")
    return name


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageRecord(_Record):
    """What a stage did to a source."""

    stage: str
    """``read``, ``clean``, ``duplicates``, ``translate``, ``decontaminate`` or ``mine``."""
    rows: int
    """Rows after it."""
    pairs: dict[str, int]
    """Pairs after it, by language."""
    dropped: dict[str, int]
    """Pairs that went, by reason."""


class FileRecord(_Record):
    """A source of the corpus, as it came out: one file."""

    name: Annotated[str, AfterValidator(_file_stem)]
    """What the source is called; its file is ``NAME.parquet``."""
    source: str
    """Where it came from: a declared source, a Hub id, a file."""
    revision: str | None
    """Commit on the Hub, or what else pins it; None where nothing does."""
    url: str | None
    """Where the source is described."""
    license: str | None
    """As the Hub names it; None if it is not known."""
    mteb_tasks: list[str]
    """Tasks whose texts it holds by its origin."""
    stages: Annotated[list[StageRecord], Field(min_length=1)]
    """What was done, in this order."""
    sha256: str
    """Of the file."""

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.name}.parquet"

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return self.stages[-1].rows

    @property
    def pairs(self) -> dict[str, int]:
        """Pairs of the file, by language."""
        return self.stages[-1].pairs


class CorpusLock(_Record):
    """All that is known of a corpus that was built."""

    format: int = 1
    name: str
    settings: dict[str, Any]
    """The build file, every revision in it as it was resolved."""
    files: list[FileRecord]
    license: str
    """What follows for the whole, as the Hub names licences."""
    translation: dict[str, Any] | None = None
    """By which models, how many pairs of each language, and how many failed for which reason; None if not done."""
    decontaminated: list[str] = []
    """The tasks whose texts were taken out, as the build file names them."""
    decontamination: dict[str, Any] | None = None
    """What it was held against, and what was found; None if that was not done."""
    negatives: dict[str, Any] | None = None
    """How hard negatives were mined; None if they were not."""
    versions: dict[str, str]
    """Of the packages that built it."""


def lock_path(path: Path) -> Path | None:
    """The lock of a corpus: of its folder, of one of its files, or the lock itself; None if there is none."""
    if path.name == LOCK and os.path.isfile(path):
        return path
    is_folder = os.path.isdir(path)  # also of what can be no path
    folder = path if is_folder else path.parent
    lock = folder / LOCK
    return lock if os.path.isfile(lock) and (is_folder or path.suffix == ".parquet") else None


def read_lock(path: Path) -> CorpusLock:
    """Read a lock file.

    Raises:
        HybridError: it cannot be read, or is none.
    """
    try:
        if path.stat().st_size > _BYTES_AT_MOST:
            raise HybridError(f"{path} is larger than {_BYTES_AT_MOST // 1_000_000} MB: no lock of a corpus")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HybridError(f"cannot read {path} ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise HybridError(f"{path} is broken ({one_line(error, 100)}); build the corpus again") from None
    try:
        return CorpusLock.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise HybridError(
            f"{path} is no lock of a corpus: {one_line(place, 80)}: {one_line(first['msg'], 120)}"
        ) from None


def write_lock(lock: CorpusLock, path: Path) -> None:
    """Write a lock file, whole or not at all."""
    with whole_file(path) as partial:
        text = json.dumps(lock.model_dump(mode="json"), indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def check_files(lock: CorpusLock, folder: Path, names: set[str] | None = None) -> None:
    """Hold the files of a corpus against its lock.

    Args:
        lock: of the corpus.
        folder: where its files are.
        names: of sources, to look at their files alone; all by default.

    Raises:
        HybridError: a file is missing, or is not the one that the lock tells of.
    """
    for record in lock.files:
        if names is not None and record.name not in names:
            continue
        path = folder / record.file
        if not path.is_file():
            raise HybridError(f"{path} is missing, and {folder / LOCK} tells of it; build the corpus again")
        if file_digest(path) != record.sha256:
            raise HybridError(f"{path} is not the file that {LOCK} beside it tells of; build the corpus again")


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
