"""The texts of tasks, in all their languages: what a training corpus must not hold."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.hub_collection import HUB_VARIABLE
from mteb_hybrid.data.lareqa import MLQA_R, XQUAD_R, load_lareqa
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.abstasks.abstask import AbsTask

ROLES = ("query", "passage", "paragraph")
"""What a text is in its task; a paragraph is what passages were cut from."""

SCHEMA = pyarrow.schema([(name, pyarrow.large_string()) for name in ("role", "language", "id", "group", "text")])
"""A text of a task; ``group`` is what a query shares with its translations."""

_ROWS_AT_A_TIME = 10_000
_PASSAGE_ID = re.compile(r"(?P<paragraph>.+-\d{4,})-\d{3,}")  # as read_lareqa makes them

Row = tuple[str, str, str, str | None, str]
"""Role, language, id, group and text."""


class TaskRecord(BaseModel):
    """A task that a corpus was held against.

    Attributes:
        name: of the task, or of the user's file.
        dataset: where its texts are from.
        revision: of the data set, as the task pins it.
        fingerprint: the SHA-256 of all its texts, as 40 hexadecimal digits.
        languages: of its texts.
        queries: how many distinct ones.
        passages: likewise.
        paragraphs: likewise.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    dataset: str
    revision: str
    fingerprint: str
    languages: tuple[str, ...]
    queries: int
    passages: int
    paragraphs: int


@dataclass(frozen=True)
class TaskTexts:
    """The texts of a task.

    Attributes:
        record: what there is to say about them.
        texts: in SCHEMA, each once, ordered by all columns.
    """

    record: TaskRecord
    texts: pyarrow.Table


@dataclass(frozen=True)
class _Source:
    """Where the texts of a task are had from; tasks that differ only in their settings have equal ones."""

    dataset: str
    revision: str
    load: Any  # gives a ParallelCollection; or a task of mteb's
    paragraphs: bool


def load_texts(settings: DecontaminationSettings) -> Iterator[TaskTexts]:
    """Load the texts of all tasks and files of the settings.

    Tasks that are made of the same data give it once, under the name that comes first in the alphabet.

    Raises:
        HybridError: a task is unknown, has no texts, or its data cannot be had.
    """
    sources: dict[tuple[Any, ...], tuple[list[str], _Source]] = {}
    for name in sorted(set(settings.tasks)):
        for task in _parts(name):
            source = _source(task)
            sources.setdefault((source.dataset, source.revision, id(source.load)), ([], source))[0].append(name)
    for names, source in sources.values():
        yield task_texts(names[0], source.dataset, source.revision, _loaded(names[0], source))
    for file in sorted(set(settings.files)):
        for path in _files(file):
            yield _own_texts(path)


# ---- tasks


def _parts(name: str) -> list[AbsTask]:
    from mteb_hybrid.evaluation.run import select_tasks

    tasks = list(select_tasks([name], None, None, None))
    parts: list[AbsTask] = []
    while tasks:
        task = tasks.pop(0)
        below = getattr(task, "tasks", None)
        tasks = [*below, *tasks] if below else tasks
        parts += [] if below else [task]
    return parts


def _source(task: AbsTask) -> _Source:
    from mteb.abstasks import AbsTaskRetrieval

    from mteb_hybrid.tasks import mlqa_r, xquad_r

    name, dataset = task.metadata.name, task.metadata.dataset
    if not isinstance(task, AbsTaskRetrieval):
        raise HybridError(
            f"decontamination.tasks: {one_line(name, 60)} is no retrieval task; give its texts as a file, under "
            "decontamination.files"
        )
    load = getattr(type(task), "load_collection", task)
    paragraphs = load in (xquad_r.BENCHMARK.load, mlqa_r.BENCHMARK.load)
    return _Source(str(dataset["path"]), str(dataset["revision"]), load, paragraphs)


def _loaded(name: str, source: _Source) -> Iterator[Row]:
    try:
        if not callable(source.load):
            yield from _mteb_rows(source.load)
            return
        collection = source.load()
        yield from _collection_rows(collection)
        if source.paragraphs:
            yield from _paragraph_rows(source.dataset, collection)
    except HybridError as error:
        raise HybridError(f"decontamination.tasks: {name}: {error}") from None
    except Exception as error:  # loaders of tasks are other people's code: whatever they raise
        fault = one_line(f"{type(error).__name__}: {error}", 200)
        raise HybridError(
            f"decontamination.tasks: cannot load the data of {name} ({fault}); connect, or leave the task out: the "
            "corpus is then not called clean of it"
        ) from None


def _collection_rows(collection: ParallelCollection) -> Iterator[Row]:
    for role, tables in (("query", collection.queries), ("passage", collection.passages)):
        for language, table in tables.items():
            for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True):
                yield role, language, id_, groups[0] if role == "query" and groups else None, text


def _paragraph_rows(dataset: str, collection: ParallelCollection) -> Iterator[Row]:
    """The paragraphs that LAReQA's passages are the sentences of.

    A collection from the Hub has the sentences alone. Put together they lack a few words of 17 of 6,286 paragraphs.
    """
    paragraphs: dict[tuple[str, str], str] = {}
    if os.environ.get(HUB_VARIABLE):
        for language, table in collection.passages.items():
            for id_, text in zip(table.ids, table.texts, strict=True):
                if match := _PASSAGE_ID.fullmatch(id_):
                    key = language, match["paragraph"]
                    paragraphs[key] = f"{paragraphs[key]} {text}" if key in paragraphs else text
    else:
        release = next(release for release in (XQUAD_R, MLQA_R) if dataset.endswith(release.folder))
        longer = load_lareqa(release, collection.name, with_paragraph=True).passages
        for language, table in longer.items():
            sentences = collection.passages[language].texts
            for id_, text, sentence in zip(table.ids, table.texts, sentences, strict=True):
                paragraphs.setdefault((language, id_.rpartition("-")[0]), text[len(sentence) + 1 :])
    for (language, id_), text in paragraphs.items():
        yield "paragraph", language, id_, None, text


def _mteb_rows(task: Any) -> Iterator[Row]:
    """The queries and documents of a retrieval task of mteb, whatever subset and split they are in."""
    task.load_data()
    task.convert_v1_dataset_format_to_v2(num_proc=None)
    tags = task.metadata.hf_subsets_to_langscripts
    for subset, splits in task.dataset.items():
        language = "+".join(sorted(set(tags.get(subset, ())))) or str(subset)
        for data in splits.values():
            for role, rows in (("query", data["queries"]), ("passage", data["corpus"])):
                for id_, text in _dataset_texts(rows):
                    yield role, language, id_, None, text
    task.unload_data()


def _dataset_texts(rows: Dataset) -> Iterator[tuple[str, str]]:
    if "text" not in rows.column_names:
        raise HybridError("the task has no texts; leave it out")
    for batch in rows.select_columns([c for c in ("id", "text", "title") if c in rows.column_names]).iter(1000):
        titles = batch.get("title") or [None] * len(batch["id"])
        for id_, text, title in zip(batch["id"], batch["text"], titles, strict=True):
            plain = " ".join(turn["content"] for turn in text) if isinstance(text, list) else text or ""
            yield str(id_), plain
            if title:  # a training passage may begin with it or not
                yield str(id_), f"{title} {plain}"


# ---- files of the user's own


def _files(name: str) -> Iterator[Path]:
    path = Path(os.path.expanduser(name))
    if not path.is_dir():
        yield path
        return
    from mteb_hybrid.data.collection_folder import MANIFEST

    files = [path] if (path / MANIFEST).is_file() else sorted([*path.glob("*.jsonl"), *path.glob("*.parquet")])
    if not files:
        raise HybridError(f"decontamination.files: {path} holds no .jsonl or .parquet file; name another folder")
    yield from files


def _own_texts(path: Path) -> TaskTexts:
    from mteb_hybrid.data.collection_folder import read_collection
    from mteb_hybrid.data.own import load_collection

    try:
        collection = read_collection(path) if path.is_dir() else load_collection(path)
    except HybridError as error:
        raise HybridError(f"decontamination.files: {error}") from None
    return task_texts(collection.name, path.name, collection.revision, _collection_rows(collection))


# ---- tables


def task_texts(name: str, dataset: str, revision: str, rows: Iterable[Row]) -> TaskTexts:
    """Put the texts of a task in order.

    Args:
        name: of the task.
        dataset: where they are from.
        revision: of the data set.
        rows: role, language, id, group and text of each, in any order and as often as they come.

    Raises:
        HybridError: there are none, or one is not valid Unicode.
    """
    batches = list(map(_table, _in_batches(rows, _ROWS_AT_A_TIME)))
    texts = pyarrow.concat_tables([SCHEMA.empty_table(), *batches])
    names = SCHEMA.names
    texts = texts.group_by(names).aggregate([]).select(names).sort_by([(column, "ascending") for column in names])
    counts = {role: pc.sum(pc.equal(texts["role"], role)).as_py() or 0 for role in ROLES}
    if not (counts["query"] or counts["passage"]):
        raise HybridError(f"decontamination: {one_line(name, 60)} has no texts; leave it out")
    record = TaskRecord(
        name=name,
        dataset=dataset,
        revision=revision,
        fingerprint=_fingerprint(texts),
        languages=tuple(sorted(pc.unique(texts["language"]).to_pylist())),
        queries=counts["query"],
        passages=counts["passage"],
        paragraphs=counts["paragraph"],
    )
    return TaskTexts(record, texts)


def _in_batches(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def _table(rows: Sequence[Row]) -> pyarrow.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(SCHEMA)
    try:
        return pyarrow.table([pyarrow.array(column, pyarrow.large_string()) for column in columns], schema=SCHEMA)
    except UnicodeEncodeError as error:
        raise HybridError(f"decontamination: a text is not valid Unicode ({one_line(error, 100)})") from None


def _fingerprint(texts: pyarrow.Table) -> str:
    digest = hashlib.sha256()
    for batch in texts.to_batches(max_chunksize=_ROWS_AT_A_TIME):
        for value in chain.from_iterable(zip(*(column.to_pylist() for column in batch.columns), strict=True)):
            field = b"" if value is None else b"=" + value.encode()
            digest.update(len(field).to_bytes(8, "little") + field)
    return digest.hexdigest()[:40]
