"""The data of a task as a data set for the Hub, in the layout that mteb's retrieval tasks are loaded from.

README.md                     the card; its YAML names SUBSET-queries, SUBSET-corpus and SUBSET-qrels
collection.json               with queries/ and corpus/: see mteb_hybrid.data.collection_folder
queries/de.parquet            shared by all subsets that ask in German
corpus/de.parquet             shared by all subsets that search German passages
qrels/de-all.parquet          query-id, corpus-id, score of one subset
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.collection_folder import write_collection, write_parquet
from mteb_hybrid.data.hub_collection import PublishedCollection
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_folder

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask

    from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval
    from mteb_hybrid.subsets import Subset

QRELS = "qrels"

_RESTRICTIONS = {"nc": "non-commercial", "nd": "no derivatives"}


@dataclass(frozen=True)
class LanguageCounts:
    """How much there is in one language.

    Attributes:
        queries: how many queries.
        passages: how many passages.
        query_characters: characters of all queries.
        passage_characters: characters of all passages.
    """

    queries: int
    passages: int
    query_characters: int
    passage_characters: int


@dataclass(frozen=True)
class TaskData:
    """What was written, and what there is to say about it.

    Attributes:
        name: the task.
        repo_id: the data set they are for.
        description: what the task is, in its own words.
        license: as mteb names it (``cc-by-sa-4.0``); None where the task states none.
        reference: where to read about the data; None likewise.
        source: where the data come from.
        commit: the revision of the source.
        citation: BibTeX; empty where there is none.
        collection: what the collection is called.
        revision: the fingerprint of the collection's content.
        hub_name: the name below an organisation at which ``MTEB_HYBRID_HUB`` looks for them; None where it does not.
        subsets: each ``hf_subset``, and which language is asked against which.
        languages: the amounts, by language tag, in the collection's order.
        judgements: relevance judgements, over all subsets.
    """

    name: str
    repo_id: str
    description: str
    license: str | None
    reference: str | None
    source: str
    commit: str
    citation: str
    collection: str
    revision: str
    hub_name: str | None
    subsets: Mapping[str, Subset]
    languages: Mapping[str, LanguageCounts]
    judgements: int


def check_license(task: str, yes: bool) -> str | None:
    """Return the licence of a task's data, if they may be published.

    Args:
        task: the task's name.
        yes: whether the user knows what a licence forbids, and takes care of it.

    Raises:
        HybridError: there is no such task of ours, or its licence restricts what may be done with the data.
    """
    license_ = _license(_parts(find_task(task))[0])
    if yes:
        return license_
    if license_ is None:
        raise HybridError(f"{task} states no licence: publish its data only if you may; --yes says that you may")
    restrictions = [_RESTRICTIONS[part] for part in license_.lower().split("-") if part in _RESTRICTIONS]
    if restrictions:
        raise HybridError(
            f"the data of {task} are under {license_title(license_)} ({', '.join(restrictions)}): whoever publishes "
            f"or uses them is bound by it; give --yes if that is kept"
        )
    return license_


def license_title(license_: str) -> str:
    """How to write a licence in prose: ``cc-by-nc-4.0`` is CC BY-NC 4.0."""
    first, *others = license_.split("-")
    if first == "cc" and len(others) > 1:
        return f"CC {'-'.join(others[:-1]).upper()} {others[-1]}"
    return license_


def find_task(name: str) -> AbsTask:
    """Find a task of ours.

    Raises:
        HybridError: no task has this name, or it is not one of this package.
    """
    import mteb

    from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval
    from mteb_hybrid.registry import register, registered_tasks

    register()
    try:
        task = mteb.get_task(name)
    except KeyError:
        near = difflib.get_close_matches(name, registered_tasks(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(registered_tasks())}"
        raise HybridError(f"no task is named {one_line(name, 60)!r}; {hint}") from None
    if not all(isinstance(part, AbsTaskParallelRetrieval) for part in getattr(task, "tasks", [task])):
        raise HybridError(
            f"{task.metadata.name} is not a task of this package, and its data are not ours to publish; "
            f"there are {', '.join(registered_tasks())}"
        )
    return task


def write_task_data(task_name: str, folder: Path, repo_id: str) -> TaskData:
    """Write a task's data set, whole or not at all; the same bytes for the same data.

    Args:
        task_name: a task of ours; an aggregate's data set has the subsets of all its parts.
        folder: where to write it; it must not exist, or be empty.
        repo_id: the data set it is for.

    Raises:
        HybridError: there is no such task, its data cannot be had, or the folder cannot be written.
    """
    from mteb_hybrid.publishing.task_card import write_card

    task = find_task(task_name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HybridError(f"{folder} is not an empty folder; name another one")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as partial:
            data = _write(task, partial, repo_id)
            write_card(data, partial)
    except OSError as error:
        raise HybridError(f"cannot write {folder} ({error.strerror or error}); choose another place") from None
    return data


def _write(task: AbsTask, folder: Path, repo_id: str) -> TaskData:
    parts = _parts(task)
    metadata = parts[0].metadata
    load = type(parts[0]).load_collection
    published = load if isinstance(load, PublishedCollection) else None
    collection = published.source() if published else load()  # never from the Hub
    subsets = {name: part.setting.subsets(collection.languages)[name] for part in parts for name in part.hf_subsets}
    write_collection(collection, folder, task=task.metadata.name)
    return TaskData(
        name=task.metadata.name,
        repo_id=repo_id,
        description=task.metadata.description,
        license=_license(parts[0]),
        reference=str(metadata.reference) if metadata.reference else None,
        source=metadata.dataset["path"],
        commit=metadata.revision,
        citation=(metadata.bibtex_citation or "").strip(),
        collection=collection.name,
        revision=collection.revision,
        hub_name=published.repository if published else None,
        subsets=subsets,
        languages={tag: _counts(collection.queries[tag], collection.passages[tag]) for tag in collection.languages},
        judgements=_write_qrels(collection, subsets, folder),
    )


def _write_qrels(collection: ParallelCollection, subsets: Mapping[str, Subset], folder: Path) -> int:
    """Write the judgements as the tasks make them, and return how many there are."""
    import pyarrow

    from mteb_hybrid.evaluation.declare import SPLIT
    from mteb_hybrid.evaluation.splits import build_splits

    schema = pyarrow.schema({"query-id": pyarrow.string(), "corpus-id": pyarrow.string(), "score": pyarrow.int32()})
    judgements = 0
    for name, splits in build_splits(collection, subsets, SPLIT).items():
        qrels = splits[SPLIT]["relevant_docs"]
        rows = [(query, passage, score) for query, found in qrels.items() for passage, score in found.items()]
        columns = dict(zip(schema.names, zip(*rows, strict=True) if rows else ((), (), ()), strict=True))
        write_parquet(folder / QRELS / f"{name}.parquet", columns, schema)
        judgements += len(rows)
    return judgements


def _parts(task: AbsTask) -> list[AbsTaskParallelRetrieval]:
    parts: list[AbsTaskParallelRetrieval] = getattr(task, "tasks", [task])
    return parts


def _license(part: AbsTask) -> str | None:
    license_ = part.metadata.license
    return None if license_ in {None, "not specified"} else str(license_)


def _counts(queries: TextTable, passages: TextTable) -> LanguageCounts:
    return LanguageCounts(
        queries=len(queries),
        passages=len(passages),
        query_characters=sum(map(len, queries.texts)),
        passage_characters=sum(map(len, passages.texts)),
    )
