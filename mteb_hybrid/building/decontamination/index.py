"""The index of what a corpus must not hold: made once from the tasks' texts, in a folder that any process can open.

    index.json                        what it was made of and how
    texts.parquet                     task, role, language and id of each text, by its number
    exact_*.npy ngram_*.npy id_*.npy  tables of hashes, each with the number of the first text that has it
    query_*.npy passage_*.npy         embeddings of texts, where a model is named, and their numbers

No text is in it, and nothing of it is executed when it is opened. Texts are numbered in the order of their task, role,
language and id, so that the same tasks give the same index however they were asked for. It grows with the texts of the
tasks: 12 bytes for each run of words, which are mapped and not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from mteb_hybrid.building.decontamination.embedding import Nearest, encode, find_encoder
from mteb_hybrid.building.decontamination.hash_table import HashTable, Lookup, load_array
from mteb_hybrid.building.decontamination.hashing import Hashes, Numbers, hash_texts, text_hash
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.building.decontamination.texts import ROLES, TaskRecord, TaskTexts, load_texts
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file, whole_folder

MANIFEST, TEXTS = "index.json", "texts.parquet"

EMBEDDED_AS = {"query": "query", "passage": "passage", "paragraph": "passage"}
"""The role in which a text of a task is encoded, and the role of the training texts that it is held against."""

_TEXTS_AT_A_TIME = 2048
_ID = re.compile(r"[0-9a-f]{16,}")
_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})")


class Manifest(BaseModel):
    """What ``index.json`` says.

    Attributes:
        format: of the folder; a later one may differ.
        settings: what was asked for.
        tasks: what there is in it.
        model: the source of the encoder, where one was named.
        model_revision: its commit on the Hub, or the fingerprint of its folder.
        fingerprint: the SHA-256 of the settings, the tasks, the model and all hashes, as 40 hexadecimal digits.
            Embeddings have no part in it: machines differ in their last digits.
    """

    model_config = ConfigDict(frozen=True)
    format: Literal[1] = 1
    settings: DecontaminationSettings
    tasks: tuple[TaskRecord, ...]
    model: str | None = None
    model_revision: str | None = None
    fingerprint: str


@dataclass(frozen=True)
class Index:
    """An index that is open.

    Attributes:
        manifest: what was made of what.
        texts: task, role, language and id of each text.
        ids: the text of each id.
        exact: the text of each hash of a whole text.
        ngrams: the text of each hash of a run of words.
        nearest: embeddings, by the role of the training texts to hold against them.
    """

    manifest: Manifest
    texts: pyarrow.Table
    ids: Lookup
    exact: Lookup
    ngrams: Lookup
    nearest: dict[str, Nearest]


def distinctive_ids(id_: str) -> list[str]:
    """What of an id can be the same as that of another text only if the texts are the same: 16 hexadecimal digits or
    more in a row, and UUIDs without their dashes."""
    return _ID.findall(_UUID.sub(r"\1\2\3\4\5", id_.lower()))


def build_index(settings: DecontaminationSettings, folder: Path) -> Manifest:
    """Make the index of the tasks and files that the settings name; one that is there already is left as it is.

    Args:
        settings: what to look for.
        folder: where it goes, whole or not at all.

    Raises:
        HybridError: the texts of a task or the encoder cannot be had, or the folder holds the index of other settings.
    """
    if folder.exists():
        return read_manifest(folder, settings)
    return write_index(settings, load_texts(settings), folder)


def write_index(settings: DecontaminationSettings, tasks: Iterable[TaskTexts], folder: Path) -> Manifest:
    """Make the index of texts that are loaded already.

    Args:
        settings: how to look for them.
        tasks: the texts, in any order.
        folder: it must not exist yet.

    Raises:
        HybridError: the encoder cannot be had.
    """
    ordered = sorted(tasks, key=lambda task: task.record.model_dump_json())
    texts = _numbered(ordered)
    encoder = find_encoder(settings.embedding) if settings.embedding else None
    exact, ngrams, long_enough = _word_tables(texts, settings)
    tables = {"id": _id_table(texts) if settings.ids else HashTable.of([]), "exact": exact, "ngram": ngrams}
    manifest = Manifest(
        settings=settings,
        tasks=tuple(task.record for task in ordered),
        model=encoder.source if encoder else None,
        model_revision=encoder.revision if encoder else None,
        fingerprint="",
    )
    manifest = manifest.model_copy(update={"fingerprint": _fingerprint(manifest, tables)})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as partial:
        if encoder and settings.embedding:
            for role in ("query", "passage"):
                numbers = long_enough[_are(texts, role)[long_enough]]
                vectors = encode(settings.embedding, encoder, role, texts["text"].take(numbers).to_pylist())
                np.save(partial / f"{role}_vectors.npy", vectors, allow_pickle=False)
                np.save(partial / f"{role}_texts.npy", numbers.astype(np.int32), allow_pickle=False)
        for name, table in tables.items():
            table.save(partial, name)
        parquet.write_table(texts.select(["task", "role", "language", "id"]), partial / TEXTS, compression="zstd")
        with whole_file(partial / MANIFEST) as path:
            path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path, settings: DecontaminationSettings | None = None) -> Manifest:
    """Read what an index was made of.

    Args:
        folder: of the index.
        settings: those that it must have been made with; None takes any.

    Raises:
        HybridError: there is none, it is damaged, or it was made with other settings.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise HybridError(f"cannot read {path} ({error.strerror or error}); delete {folder} and build again") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HybridError(
            f"{path} describes no index ({one_line(where, 60)}: {one_line(first['msg'], 100)}); delete {folder} and "
            "build again"
        ) from None
    if settings is not None and manifest.settings != settings:
        raise HybridError(f"{folder} is an index of other settings of decontamination; delete it and build again")
    return manifest


def open_index(folder: Path, settings: DecontaminationSettings) -> Index:
    """Open an index; the files of the one opened last stay mapped.

    Raises:
        HybridError: as ``read_manifest``; or a file is missing or damaged.
    """
    return _opened(str(folder), read_manifest(folder, settings).fingerprint)


@lru_cache(maxsize=1)
def _opened(name: str, fingerprint: str) -> Index:
    folder = Path(name)
    manifest = read_manifest(folder)
    try:
        texts = parquet.read_table(folder / TEXTS)
    except (OSError, pyarrow.ArrowException) as error:
        raise HybridError(f"{folder / TEXTS} cannot be read ({one_line(error, 100)}); delete {folder}") from None
    nearest = {}
    if manifest.model is not None:
        for role in ("query", "passage"):
            vectors, numbers = (load_array(folder / f"{role}_{part}.npy") for part in ("vectors", "texts"))
            nearest[role] = Nearest(vectors, numbers)
    ids, exact, ngrams = (Lookup.of(HashTable.load(folder, name)) for name in ("id", "exact", "ngram"))
    return Index(manifest, texts, ids, exact, ngrams, nearest)


# ---- making


def _numbered(tasks: Iterable[TaskTexts]) -> pyarrow.Table:
    """All texts; a query goes before the passages that say the same, a passage before its paragraph."""
    tables = []
    for task in tasks:
        places = pc.index_in(task.texts["role"], pyarrow.array(ROLES, pyarrow.large_string()))
        table = task.texts.append_column("place", places)
        table = table.append_column("task", pyarrow.array([task.record.name] * len(table), pyarrow.large_string()))
        tables.append(table)
    order = [(name, "ascending") for name in ("task", "place", "language", "id", "group", "text")]
    return pyarrow.concat_tables(tables).sort_by(order).drop_columns("place").combine_chunks()


def _are(texts: pyarrow.Table, role: str) -> NDArray[np.bool_]:
    roles = [name for name, encoded in EMBEDDED_AS.items() if encoded == role]
    mask: NDArray[np.bool_] = pc.is_in(texts["role"], pyarrow.array(roles, pyarrow.large_string())).to_numpy()
    return mask


def _word_tables(texts: pyarrow.Table, settings: DecontaminationSettings) -> tuple[HashTable, HashTable, Numbers]:
    """The tables of whole texts and of runs of words, and which texts are long enough for the first."""
    exact: list[tuple[Hashes, Numbers]] = []
    ngrams: list[tuple[Hashes, Numbers]] = []
    long_enough = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        hashed = hash_texts(texts["text"].slice(start, _TEXTS_AT_A_TIME).to_pylist())
        long = np.flatnonzero(hashed.half_words >= 2 * settings.min_words)
        long_enough.append(start + long)
        if settings.exact:
            exact.append((hashed.whole()[long], start + long))
        if settings.ngram:
            runs, numbers = hashed.runs(settings.ngram)
            ngrams.append((runs, start + numbers))
    return HashTable.of(exact), HashTable.of(ngrams), np.concatenate(long_enough)


def _id_table(texts: pyarrow.Table) -> HashTable:
    found = sorted(set(_ids(texts)))
    hashes = np.fromiter((text_hash(id_) for id_, _ in found), dtype=np.uint64, count=len(found))
    return HashTable.of([(hashes, np.array([number for _, number in found], dtype=np.int64))])


def _ids(texts: pyarrow.Table) -> Iterator[tuple[str, int]]:
    for column in ("id", "group"):
        for number, id_ in enumerate(texts[column].to_pylist()):
            for part in distinctive_ids(id_ or ""):
                yield part, number


def _fingerprint(manifest: Manifest, tables: dict[str, HashTable]) -> str:
    named = manifest.settings.model_copy(update={"tasks": [], "files": []})  # the tasks themselves are in it, in order
    digest = hashlib.sha256(manifest.model_copy(update={"settings": named}).model_dump_json().encode())
    for table in tables.values():
        digest.update(len(table.hashes).to_bytes(8, "little") + table.hashes.tobytes() + table.texts.tobytes())
    return digest.hexdigest()[:40]
