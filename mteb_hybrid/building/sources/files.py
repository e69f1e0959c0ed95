"""The files of a source, streamed by ``datasets`` from the Hub or a folder; those on GitHub are small, and kept."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow

from mteb_hybrid.building.sources.errors import told
from mteb_hybrid.building.sources.items import Item
from mteb_hybrid.errors import HybridError, one_line

_BATCH = 1_000
"""Rows taken at a time: as few as that are read in vain where only the first rows are wanted."""

_PIECE = 1 << 20
_LINE_AT_MOST = 16_000_000  # bytes: a page of questions has some thousands
_DOCUMENT_AT_MOST = 512_000_000

_NO_QUOTING = 3  # csv.QUOTE_NONE


@dataclass(frozen=True)
class Files:
    """Where the files of a source are, and what its faults are told with.

    Attributes:
        source: what it is called.
        root: the address that all paths start from: a folder, ``hf://`` or ``https://``.
        url: where a person finds it.
        revision: a commit; None for the newest, or for files in a folder.
        remedy: what to do about files that are not of the form expected.
        folder: for files of no known revision, which are fetched anew for each reading.
    """

    source: str
    root: str
    url: str
    revision: str | None
    remedy: str
    folder: Path

    def table(self, path: str, columns: Sequence[str]) -> Iterator[pyarrow.Table]:
        """Stream some columns of Parquet files.

        Args:
            path: of the file, or a pattern for several, which are taken by name.
            columns: texts, or what the reader makes of them; whether they are there is checked, not their types.

        Raises:
            HybridError: a column is missing, or the files cannot be fetched or read.
        """
        with self._told(path):
            address = self._address(path)
            data = _stream("parquet", address)
            found = data.features or {}
            for name in columns:
                if name not in found:
                    raise self.fault(path, f"has no column {name!r} (found: {_listed(found)})")
            data = _stream("parquet", address, columns=list(columns), batch_size=_BATCH)
            for table in data.with_format("arrow").iter(batch_size=_BATCH):
                table.validate(full=True)  # texts may be no UTF-8, of which nothing was said so far
                yield table

    def lines(self, path: str) -> Iterator[Item]:
        """Stream the objects of a JSONL file, which may be compressed.

        Raises:
            HybridError: a line is not an object, or the file cannot be fetched or read.
        """
        with self._told(path):
            for number, line in enumerate(self._lines(path), start=1):
                if line.strip():
                    where = f"{path}, line {number}"
                    yield Item(self._parsed(line, where), where, self)

    def document(self, path: str) -> Any:
        """Read a JSON file whole; those that are not JSONL have some megabytes.

        Raises:
            HybridError: it is not JSON, or cannot be fetched.
        """
        with self._told(path):
            text = bytearray()
            for piece in _pieces(self._address(path, escape=False)):
                text += piece
                if len(text) > _DOCUMENT_AT_MOST:
                    raise self.fault(path, f"is larger than {_DOCUMENT_AT_MOST // 1_000_000} MB")
            if text:
                return self._parsed(text, path)
        raise self.fault(path, "is empty")

    def _lines(self, path: str) -> Iterator[bytes]:
        """The lines of a file, of bounded length: a few megabytes, packed, may be a line of gigabytes."""
        left = b""
        for piece in _pieces(self._address(path, escape=False)):
            *whole, left = (left + piece).split(b"\n")
            if len(left) > _LINE_AT_MOST:
                raise self.fault(path, f"holds a line of more than {_LINE_AT_MOST // 1_000_000} MB")
            yield from whole
        if left:
            yield left

    def texts(self, path: str) -> Iterator[pyarrow.Table]:
        """Stream a file of lines ``id TAB text``, without quoting, as columns ``id`` (int64) and ``text``.

        Raises:
            HybridError: a line is not of the form, or the file cannot be fetched.
        """
        yield from self._separated(path, {"id": "int64", "text": "string"})

    def numbers(self, path: str, names: Sequence[str]) -> Iterator[pyarrow.Table]:
        """Stream a file of lines of whole numbers separated by tabs.

        Raises:
            HybridError: a line is not of the form, or the file cannot be fetched.
        """
        yield from self._separated(path, dict.fromkeys(names, "int64"))

    def fault(self, where: str, what: str) -> HybridError:
        """What is raised for a file that is not of the form expected."""
        return HybridError(f"{self.source}: {where} {what}; {self.remedy}")

    def _address(self, path: str, *, escape: bool = True) -> str:
        """What ``datasets`` opens; a file on GitHub is fetched first, for it cannot be streamed without aiohttp.

        A reader takes the address for a pattern, so what is none is escaped.
        """
        from huggingface_hub import constants, errors

        from mteb_hybrid.data.download import download

        if "://" not in self.root:
            return f"{glob.escape(self.root) if escape else self.root}/{path}"
        if constants.HF_HUB_OFFLINE:
            raise errors.OfflineModeIsEnabled(path)
        if self.root.startswith("hf://"):
            return f"{self.root}/{path}"
        kept = f"sources/{self.source}/{self.revision}" if self.revision else str(self.folder.absolute() / self.source)
        local = download(
            f"{self.root}/{path}", sha256=None, folder=kept, instead="name a folder with its files (`files`)"
        )
        return glob.escape(str(local)) if escape else str(local)

    def _separated(self, path: str, columns: Mapping[str, str]) -> Iterator[pyarrow.Table]:
        import datasets

        features = datasets.Features({name: datasets.Value(kind) for name, kind in columns.items()})
        with self._told(path):
            data = _stream(
                "csv",
                self._address(path),
                sep="\t",
                column_names=list(columns),
                features=features,
                quoting=_NO_QUOTING,
                na_filter=False,  # a text may well be "null" or "NA"
                lineterminator="\n",  # a text may hold a carriage return
                chunksize=100_000,
            )
            try:
                yield from data.with_format("arrow").iter(batch_size=100_000)
            except ValueError as error:  # pandas' errors are such
                raise self.fault(path, f"is not lines of {' TAB '.join(columns)} ({one_line(error, 120)})") from None

    def _parsed(self, text: bytes | bytearray, where: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.fault(where, f"is not JSON ({one_line(error, 100)})") from None

    def _told(self, path: str) -> Any:
        return told(self.source, url=self.url, path=path, revision=self.revision)


def _pieces(address: str) -> Iterator[bytes]:
    """The content of a file, unpacked if it is packed, as ``datasets`` reads it: from anywhere, with new tries."""
    from datasets import StreamingDownloadManager
    from datasets.utils.file_utils import xopen

    with xopen(StreamingDownloadManager().download_and_extract(address), "rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _stream(kind: str, address: str, **settings: Any) -> Any:
    """An iterable data set of one of the packaged readers: nothing that is fetched is run."""
    import datasets

    try:
        return datasets.load_dataset(kind, data_files=address, split="train", streaming=True, **settings)
    except ValueError as error:
        if "At least one valid data file" in str(error):  # a pattern that fits no file
            raise FileNotFoundError(address) from None
        raise


def _listed(names: Any) -> str:
    return one_line(", ".join(map(str, names)), 200) or "none"
