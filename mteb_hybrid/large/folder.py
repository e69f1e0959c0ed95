"""A folder of vectors: what lies in it, and whether it is whole.

    manifest.json               what was encoded, by which model and how, with checksums; written last
    plan.json                   the same but for the checksums; written first
    rows/queries-00000.parquet  id, language, group, text and place in the file, of up to 16,384 queries
    rows/passages-00000.parquet
    rows/order.npy              the place of each passage among equal similarities: 0 for the greatest id
    rows/languages.npy          the language of each passage, as an index into the languages
    vectors/queries-00000.npy   the vectors of the rows of the same name, shape (rows, dimensions)
    vectors/passages-00000.npy
    ranks-*/                    what was ranked of it, some queries a file

Rows are in the order of the collection. Where the similarity is the cosine, vectors are of unit length, so that the
similarity of two vectors is their dot product in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

SHARD_ROWS = 16_384
"""Rows of a shard, but for the last: a killed run loses no more of each process's work."""

MANIFEST, PLAN = "manifest.json", "plan.json"
ROLES: tuple[Role, ...] = ("queries", "passages")

Role = Literal["queries", "passages"]
_Count = Annotated[int, Field(ge=0)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_MOST_BYTES = 64 * 2**20  # of a manifest: a million shards


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Plan(_Model):
    """What decides the vectors, byte for byte.

    Attributes:
        version: of this form.
        name: what the collection is called.
        data_sha256: of its file.
        languages: its language tags, in the order of their first row.
        queries: rows.
        passages: rows.
        shard_rows: rows of a shard.
        model: the name that results are kept under.
        revision: of the model, where it has one.
        similarity: what the model compares vectors by.
        dimensions: of a vector.
        dtype: of its numbers.
        prompts: what is put before texts, by role; None where nothing is known of one.
        batch_size: texts encoded at once.
    """

    version: Literal[1] = 1
    name: str
    data_sha256: _Digest
    languages: Annotated[list[str], Field(min_length=1, max_length=2**15 - 1)]
    queries: Annotated[int, Field(ge=1)]
    passages: Annotated[int, Field(ge=1)]
    shard_rows: Annotated[int, Field(ge=1)] = SHARD_ROWS
    model: str
    revision: str | None
    similarity: Literal["cosine", "dot"]
    dimensions: Annotated[int, Field(ge=1, le=2**20)]
    dtype: Literal["float32", "float16"]
    prompts: dict[str, str | None]
    batch_size: _Count

    @property
    def shards(self) -> tuple[Shard, ...]:
        """All shards, those of the queries first."""
        counts: dict[Role, int] = {"queries": self.queries, "passages": self.passages}
        return tuple(
            Shard(role, number, start, min(start + self.shard_rows, rows))
            for role, rows in counts.items()
            for number, start in enumerate(range(0, rows, self.shard_rows))
        )


class Manifest(_Model):
    """What lies in a folder.

    Attributes:
        plan: what decides the vectors.
        sha256: the checksum of each file of rows and vectors, by its path in the folder.
    """

    plan: Plan
    sha256: dict[str, _Digest]


@dataclass(frozen=True)
class Shard:
    """Some rows of a role: those from ``start`` to before ``stop``, counted over all shards."""

    role: Role
    number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Of its files, without their ends."""
        return f"{self.role}-{self.number:05}"

    def __len__(self) -> int:
        return self.stop - self.start


T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class VectorFolder:
    """A folder that is being made, or is whole.

    Attributes:
        path: the folder.
        plan: what decides the vectors.
    """

    path: Path
    plan: Plan

    def rows_file(self, shard: Shard) -> Path:
        """Where the rows of a shard are."""
        return self.path / "rows" / f"{shard.name}.parquet"

    def vectors_file(self, shard: Shard) -> Path:
        """Where the vectors of a shard are."""
        return self.path / "vectors" / f"{shard.name}.npy"

    def shards(self, role: Role) -> tuple[Shard, ...]:
        """The shards of a role."""
        return tuple(shard for shard in self.plan.shards if shard.role == role)

    def vectors(self, shard: Shard) -> NDArray[np.floating[Any]]:
        """The vectors of a shard, mapped, shape (rows, dimensions).

        Raises:
            HybridError: the file is not there or not whole.
        """
        path = self.vectors_file(shard)
        shape, again = (len(shard), self.plan.dimensions), "delete it, and `mteb-hybrid encode` makes it again"
        return _mapped(path, shape, self.plan.dtype, again)

    def rows(self, shard: Shard, *columns: str) -> pyarrow.Table:
        """Some columns of the rows of a shard.

        Raises:
            HybridError: the file is not there or not whole.
        """
        path = self.rows_file(shard)
        try:
            table = parquet.read_table(path, columns=list(columns))
        except (OSError, pyarrow.ArrowException, ValueError) as error:
            raise _damaged(path, one_line(error, 120), _ANEW) from None
        if table.num_rows != len(shard) or table.column_names != list(columns):
            raise _damaged(path, f"{table.num_rows} rows of {table.column_names}", _ANEW)
        return table

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The place of each passage among equal similarities, mapped, shape (passages,)."""
        return _mapped(self.path / "rows" / "order.npy", (self.plan.passages,), "int64", _ANEW)

    @cached_property
    def languages(self) -> NDArray[np.int16]:
        """The language of each passage, as an index into the plan's, mapped, shape (passages,)."""
        return _mapped(self.path / "rows" / "languages.npy", (self.plan.passages,), "int16", _ANEW)

    def files(self) -> Iterator[Path]:
        """All files that the manifest has checksums of."""
        yield self.path / "rows" / "order.npy"
        yield self.path / "rows" / "languages.npy"
        for shard in self.plan.shards:
            yield self.rows_file(shard)
            yield self.vectors_file(shard)

    def check_sizes(self) -> None:
        """Raise a HybridError if a file is missing or of another size than it must be; no vector is read."""
        _ = self.order, self.languages
        for shard in self.plan.shards:
            self.vectors(shard)
            try:
                rows = parquet.read_metadata(self.rows_file(shard)).num_rows
            except (OSError, pyarrow.ArrowException) as error:
                raise _damaged(self.rows_file(shard), one_line(error, 120), _ANEW) from None
            if rows != len(shard):
                raise _damaged(self.rows_file(shard), f"{rows} rows", _ANEW)

    def check_sums(self, manifest: Manifest) -> None:
        """Raise a HybridError if a file is another than was written; reads all."""
        for path in self.files():
            name = path.relative_to(self.path).as_posix()
            if manifest.sha256.get(name) != sha256_of(path):
                raise _damaged(path, "its checksum is not that of the manifest", "encode into a new folder")

    @property
    def digest(self) -> str:
        """What tells folders apart."""
        return hashlib.sha256(self.plan.model_dump_json().encode()).hexdigest()


_ANEW = "encode into a new folder"


def open_folder(path: Path) -> tuple[VectorFolder, Manifest]:
    """Open a folder that ``encode`` has finished.

    Raises:
        HybridError: it is none, or a file is missing or damaged.
    """
    if not path.is_dir():
        raise HybridError(f"{path} is no folder; make one with `mteb-hybrid encode DATA -m MODEL -o {path}`")
    if not (path / MANIFEST).exists():
        state = "is not finished; the same `mteb-hybrid encode` goes on" if (path / PLAN).exists() else "has no vectors"
        raise HybridError(f"{path} {state} ({MANIFEST} is missing)")
    manifest = read_json(path / MANIFEST, Manifest)
    folder = VectorFolder(path, manifest.plan)
    folder.check_sizes()
    return folder, manifest


def read_json(path: Path, kind: type[T]) -> T:
    """Read a manifest or a plan.

    Raises:
        HybridError: it cannot be read, or is not of that form.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _damaged(path, f"more than {_MOST_BYTES >> 20} MB", _ANEW)
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValidationError, RecursionError) as error:
        text = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
        raise _damaged(path, one_line(text, 120), _ANEW) from None


def write_json(path: Path, model: BaseModel) -> None:
    """Write a manifest or a plan, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def remove_partial(folder: Path) -> None:
    """Remove what processes that were killed had begun to write."""
    for path in folder.glob(".*.partial"):
        if path.is_file():
            path.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mapped(path: Path, shape: tuple[int, ...], dtype: str, remedy: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _damaged(path, one_line(getattr(error, "strerror", None) or error, 120), remedy) from None
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise _damaged(path, f"{array.dtype} numbers of shape {array.shape}", remedy)
    return array


def _damaged(path: Path, fault: str, remedy: str) -> HybridError:
    return HybridError(f"{path} is not what it must be ({fault}); {remedy}")
