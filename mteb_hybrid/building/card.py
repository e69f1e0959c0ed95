"""The card of a corpus: its sizes by source and language, what was done to it, licences, and some of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mteb_hybrid.data.built_corpus import Built, find_built, load_built
from mteb_hybrid.data.corpus_lock import LOCK, FileRecord
from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.card_tables import table
from mteb_hybrid.publishing.escape import code, inline
from mteb_hybrid.whole import whole_file

_SAMPLES = 2  # rows of each source
_SAMPLE_LENGTH = 160
_LANGUAGES_SHOWN = 3


def card_text(corpus: Path) -> str:
    """Make the card of a built corpus: YAML and Markdown, as the Hub shows it for a data set.

    Raises:
        HybridError: there is no such corpus.
    """
    built = find_built(corpus)
    if built is None or not corpus.is_dir():
        raise HybridError(f"{corpus} is no corpus that was built ({LOCK} is not in it); see mteb-hybrid data build")
    sections = {
        "Sizes": _sizes(built),
        "Sources": _sources(built),
        "What was done": _stages(built),
        "Decontamination": _of_record(_decontamination, built),
        "Hard negatives": _of_record(_negatives, built),
        "Samples": "\n\n".join(_samples(built)),
        "Use": _use(),
    }
    parts = [_front_matter(built), f"# {inline(built.lock.name)}", _head(built)]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(parts) + "\n"


def write_card(text: str, path: Path) -> None:
    """Write a card, whole or not at all.

    Raises:
        HybridError: it cannot be written.
    """
    try:
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another --output") from None


def _languages(built: Built) -> list[str]:
    return list(dict.fromkeys(language for file in built.files for language in file.pairs if file.pairs[language]))


def _front_matter(built: Built) -> str:
    from huggingface_hub import DatasetCardData

    languages = _languages(built)
    data = DatasetCardData(
        license=built.lock.license,
        language=list(dict.fromkeys(language.partition("-")[0] for language in languages)),
        multilinguality="multilingual" if len(languages) > 1 else "monolingual",
        task_categories=["text-retrieval"],
        tags=["sentence-transformers", "mteb-hybrid"],
        pretty_name=built.lock.name,
        configs=[
            {"config_name": file.name, "data_files": [{"split": "train", "path": file.file}]} for file in built.files
        ],
    )
    return f"---\n{data.to_yaml()}\n---"


def _head(built: Built) -> str:
    rows, pairs = sum(file.rows for file in built.files), sum(sum(file.pairs.values()) for file in built.files)
    languages = _languages(built)
    return (
        f"Training pairs for retrieval across languages: {rows:,} rows, each one question and its passage in some of "
        f"{len(languages)} languages, {pairs:,} pairs in all. Licence of the whole: {code(built.lock.license)}. Built "
        f"by mteb-hybrid; {code(LOCK)} says from what, and builds it again."
    )


def _sizes(built: Built) -> str:
    """Pairs by source and language, as Table 9 of arXiv 2408.10536 tells them for the data of that paper."""
    languages = _languages(built)
    rows = [
        [inline(file.name), f"{file.rows:,}", *(f"{file.pairs.get(tag, 0):,}" for tag in languages)]
        for file in built.files
    ]
    if len(rows) > 1:
        totals = [sum(file.pairs.get(tag, 0) for file in built.files) for tag in languages]
        rows.append(["all", f"{sum(file.rows for file in built.files):,}", *(f"{total:,}" for total in totals)])
    return table(["source", "rows", *map(inline, languages)], rows, numeric=range(1, len(languages) + 2))


def _sources(built: Built) -> str:
    rows = [
        [
            inline(file.name),
            inline(file.url or file.source),
            code(file.revision) if file.revision else "not pinned",
            inline(file.license or "unknown"),
            ", ".join(map(inline, file.mteb_tasks)) or "none known",
        ]
        for file in built.files
    ]
    return table(["source", "from", "revision", "licence", "mteb tasks that hold its texts"], rows)


def _stages(built: Built) -> str:
    rows = [row for file in built.files for row in _file_stages(file)]
    return table(["source", "stage", "rows after it", "pairs after it", "pairs dropped"], rows, numeric={2, 3})


def _file_stages(file: FileRecord) -> Iterator[list[str]]:
    for stage in file.stages:
        dropped = ", ".join(f"{inline(reason)} {count:,}" for reason, count in stage.dropped.items()) or "none"
        yield [inline(file.name), stage.stage, f"{stage.rows:,}", f"{sum(stage.pairs.values()):,}", dropped]


def _of_record(section: Callable[[Built], str], built: Built) -> str:
    """A section made of a record whose form the lock leaves open."""
    try:
        return section(built)
    except (LookupError, TypeError, AttributeError, ValueError):
        what = section.__name__.strip("_")
        raise HybridError(
            f"{built.folder / LOCK} does not say what a build writes about {what}; build the corpus again"
        ) from None


def _decontamination(built: Built) -> str:
    lock = built.lock
    if lock.decontamination is None:
        return "None was done: it may hold texts of any benchmark."
    record = lock.decontamination
    rows = [[inline(task["name"]), inline(task["dataset"]), code(task["revision"])] for task in record["tasks"]]
    hits = ", ".join(f"{count:,} by {inline(kind)}" for kind, count in record["hits"].items()) or "nothing"
    model = f" with {inline(record['model'])}" if record["model"] else ""
    told = f"Held against the texts below, in all languages{model}. Found and taken out: {hits}."
    if not record["model"]:
        told += " Paraphrases, and translations whose ids differ, were not looked for."
    return f"{told}\n\n{table(['task', 'data', 'revision'], rows)}"


def _negatives(built: Built) -> str:
    record = built.lock.negatives
    if record is None:
        return ""
    settings = record["settings"]
    return (
        f"{settings['negatives']} for each passage, in its language, mined with {inline(record['model'])} "
        f"(queries: {inline(settings['mode'])}; relative margin: {settings['relative_margin']})."
    )


def _samples(built: Built) -> Iterator[str]:
    for file, corpus in load_built(built):
        rows = []
        for row in range(min(_SAMPLES, len(corpus))):
            there = [tag for tag in corpus.languages if corpus.texts(row, tag)[0] is not None]
            rows += [[tag, *(inline(text, _SAMPLE_LENGTH) for text in corpus.texts(row, tag))] for tag in there][
                :_LANGUAGES_SHOWN
            ]
        yield f"{inline(file.name)}:\n\n{table(['language', 'query', 'passage'], rows)}"


def _use() -> str:
    return "```yaml\n# of a recipe for mteb-hybrid train\ndata:\n  - source: FOLDER\n```"
