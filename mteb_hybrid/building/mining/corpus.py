"""The files of a corpus, one column at a time, and the distinct texts of each column in files that are mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

ROWS = 16_384
"""Rows of a file that are searched, and written, at once."""

Numbers = NDArray[np.int32]
T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        file: the number of the file.
        start: the first row, counted over all files.
        stop: the row after the last.
    """

    file: int
    start: int
    stop: int


@dataclass(frozen=True)
class Corpus:
    """A corpus in several Parquet files, whose rows are counted through.

    Attributes:
        paths: the files.
    """

    paths: tuple[Path, ...]

    @cached_property
    def schemas(self) -> tuple[pyarrow.Schema, ...]:
        """The schema of each file."""
        return tuple(_read(path, parquet.read_schema) for path in self.paths)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The rows of each file."""
        return tuple(int(_read(path, parquet.read_metadata).num_rows) for path in self.paths)

    def __len__(self) -> int:
        return sum(self.sizes)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """All languages, in the order in which the files name them."""
        names = [name for schema in self.schemas for name in schema.names]
        tags = dict.fromkeys(name.removeprefix("query_") for name in names if name.startswith("query_"))
        return tuple(tag for tag in tags if f"passage_{tag}" in names)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """All rows, in pieces of one file each."""
        found, begin = [], 0
        for file, size in enumerate(self.sizes):
            found += [Chunk(file, begin + start, begin + min(start + ROWS, size)) for start in range(0, size, ROWS)]
            begin += size
        return tuple(found)

    def place(self, row: int) -> str:
        """Where a row is, for errors."""
        begin = 0
        for path, size in zip(self.paths, self.sizes, strict=True):
            if row < begin + size:
                return f"{path}, row {row - begin + 1}"
            begin += size
        raise IndexError(row)

    def column(self, name: str) -> Iterator[tuple[int, pyarrow.LargeStringArray]]:
        """A column over all files, piece by piece, with the number of its file; null where a file has it not."""
        for file, path in enumerate(self.paths):
            if name not in self.schemas[file].names:
                for start in range(0, self.sizes[file], ROWS):
                    yield file, pyarrow.nulls(min(ROWS, self.sizes[file] - start), pyarrow.large_string())
                continue
            with parquet.ParquetFile(path, pre_buffer=False) as opened:
                for batch in opened.iter_batches(batch_size=ROWS, columns=[name]):
                    yield file, batch.column(0).cast(pyarrow.large_string())

    def tables(self, file: int) -> Iterator[pyarrow.Table]:
        """The rows of a file without negatives, some at a time."""
        names = [name for name in self.schemas[file].names if not name.startswith("negative_")]
        with parquet.ParquetFile(self.paths[file], pre_buffer=False) as opened:
            for batch in opened.iter_batches(batch_size=ROWS, columns=names):
                yield pyarrow.Table.from_batches([batch]).select(names)


def open_corpus(paths: Sequence[Path]) -> Corpus:
    """Look at the files of a corpus.

    Raises:
        HybridError: one cannot be read, has no ids, two have one name, or there is no pair in any language.
    """
    corpus = Corpus(tuple(paths))
    names = [path.name for path in paths]
    for path, schema in zip(paths, corpus.schemas, strict=True):
        if "id" not in schema.names:
            raise HybridError(f"{path} is no parallel corpus: it has no column id")
        if names.count(path.name) > 1:
            raise HybridError(f"two files are called {path.name}; give each its own name")
    if not corpus.languages or not len(corpus):
        raise HybridError(f"{', '.join(names) or 'no file'}: no pair of a query and a passage; name a corpus with some")
    return corpus


def _read(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise HybridError(f"cannot read {path} as Parquet ({one_line(error, 120)}); build it again") from None


# ---- distinct texts


class Texts:
    """The distinct texts of a column, and which of them each row has.

    Two texts are one if their comparable forms are (of texts that have none, if they are the same); the first of them
    stands for all.

    Args:
        folder: where they are, or are to be put.
        name: of the column.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._rows, self._ends, self._text = (folder / f"{name}{end}" for end in (".rows.npy", ".ends.npy", ".txt"))

    def make(self, corpus: Corpus, name: str) -> None:
        """Read the column, unless that was done before."""
        if self._rows.exists():  # written last
            return
        rows, firsts = number_texts(_keys(corpus.column(name), len(corpus), _text_key))
        lengths = [np.zeros(1, np.int64)]
        begin = 0
        with whole_file(self._text) as partial, partial.open("wb") as file:
            for _, piece in corpus.column(name):
                kept = piece.filter(pyarrow.array(firsts[begin : begin + len(piece)]))
                begin += len(piece)
                ends = np.frombuffer(kept.buffers()[1], np.int64)[kept.offset : kept.offset + len(kept) + 1]
                if len(kept):
                    file.write(memoryview(kept.buffers()[2])[ends[0] : ends[-1]])
                    lengths.append(np.diff(ends))
        save(self._ends, np.cumsum(np.concatenate(lengths)))
        save(self._rows, rows)

    def rows(self) -> Numbers:
        """The number of each row's text, -1 where it has none, shape (rows,), mapped."""
        return load(self._rows)

    def __len__(self) -> int:
        return len(load(self._ends)) - 1

    def array(self) -> pyarrow.LargeStringArray:
        """The texts, mapped."""
        ends = load(self._ends)
        if ends[-1] == 0:
            return pyarrow.array([], pyarrow.large_string())
        with pyarrow.memory_map(str(self._text)) as file:
            data = file.read_buffer()
        return pyarrow.LargeStringArray.from_buffers(len(ends) - 1, pyarrow.py_buffer(ends), data)


def groups_of(corpus: Corpus) -> Numbers:
    """A number for each row, the same for rows of one group of one file; -1 where a row has no group."""
    return number_texts(_keys(corpus.column("group"), len(corpus), lambda file, text: f"{file} {text}"))[0]


def number_texts(keys: NDArray[np.uint64]) -> tuple[Numbers, NDArray[np.bool_]]:
    """Number keys by their first rows; 0 stands for no text.

    Returns:
        The number of each row, -1 for none; and whether the row is the first of its key.
    """
    valid = np.flatnonzero(keys)
    _, first, inverse = np.unique(keys[valid], return_index=True, return_inverse=True)
    order = np.argsort(first)
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    numbers = np.full(len(keys), -1, np.int32)
    numbers[valid] = ranks[inverse]
    firsts = np.zeros(len(keys), bool)
    firsts[valid[first]] = True
    return numbers, firsts


def _keys(
    pieces: Iterator[tuple[int, pyarrow.LargeStringArray]], rows: int, key: Callable[[int, str], str]
) -> NDArray[np.uint64]:
    """A number for each text, from a hash of 64 bits, 0 for none.

    Of ten million texts two share one by chance once in 400,000 corpora; a passage is then no negative of one row.
    """
    keys = np.zeros(rows, np.uint64)
    begin = 0
    for file, piece in pieces:
        for row, text in enumerate(piece.to_pylist(), start=begin):
            if text is not None:
                digest = hashlib.blake2b(key(file, text).encode(), digest_size=8).digest()
                keys[row] = int.from_bytes(digest, "little") or 1
        begin += len(piece)
    return keys


def _text_key(_: int, text: str) -> str:
    from mteb_hybrid.building.normalise import comparable

    return comparable(text) or f" {text}"


# ---- arrays in files


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load(path: Path) -> NDArray[Any]:
    """Map an array."""
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
