"""The card of a task's data set: ``README.md``, whose YAML tells ``datasets`` and mteb which files a subset has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mteb_hybrid.data.collection_folder import CORPUS, QUERIES, table_file
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.declare import SPLIT
from mteb_hybrid.publishing.escape import fence
from mteb_hybrid.publishing.task_data import QRELS, LanguageCounts, TaskData, license_title

_TEMPLATE = Path(__file__).with_name("task_card_template.md")


def write_card(data: TaskData, folder: Path) -> None:
    """Write the card of a task's data set into its folder.

    Raises:
        HybridError: the file cannot be written.
    """
    path = folder / "README.md"
    try:
        path.write_text(card_text(data), encoding="utf-8", newline="\n")
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another place") from None


def card_text(data: TaskData) -> str:
    """Make the card of a task's data set: YAML and Markdown."""
    from huggingface_hub import DatasetCard, DatasetCardData

    card_data = DatasetCardData(
        license=data.license or "unknown",
        language=list(dict.fromkeys(tag.partition("-")[0] for tag in data.languages)),  # the Hub takes no more
        multilinguality="multilingual" if len(data.languages) > 1 else "monolingual",
        task_categories=["text-retrieval"],
        tags=["mteb", "text"],
        pretty_name=data.name,
        configs=list(_configs(data)),
    )
    organisation, _, repository = data.repo_id.rpartition("/")
    card = DatasetCard.from_template(
        card_data,
        template_path=str(_TEMPLATE),
        data=data,
        license=license_title(data.license) if data.license else "not stated",
        total=_total(data),
        evaluable=bool(organisation) and repository == data.hub_name,
        organisation=organisation,
        example=next((name for name in data.subsets if name.endswith("-all")), next(iter(data.subsets))),
        split=SPLIT,
        citation=fence(data.citation, "bibtex"),
    )
    return str(card.content)


def _configs(data: TaskData) -> Iterator[dict[str, Any]]:
    """The three configurations of each subset, by the names under which mteb asks for them."""
    for name, subset in data.subsets.items():
        corpus = [table_file(CORPUS, language) for language in subset.corpus_languages]
        # mteb batches every column it finds, and cannot batch lists of different lengths: no `groups` for it
        yield _config(f"{name}-queries", [table_file(QUERIES, subset.query_language)]) | {"columns": ["id", "text"]}
        yield _config(f"{name}-corpus", corpus) | {"columns": ["id", "text"]}
        yield _config(f"{name}-qrels", [f"{QRELS}/{name}.parquet"])


def _config(name: str, files: Sequence[str]) -> dict[str, Any]:
    path = files[0] if len(files) == 1 else list(files)
    return {"config_name": name, "data_files": [{"split": SPLIT, "path": path}]}


def _total(data: TaskData) -> LanguageCounts:
    counts = data.languages.values()
    return LanguageCounts(
        queries=sum(part.queries for part in counts),
        passages=sum(part.passages for part in counts),
        query_characters=sum(part.query_characters for part in counts),
        passage_characters=sum(part.passage_characters for part in counts),
    )
