"""Mines the hard negatives of a corpus and writes it anew with them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mteb_hybrid.building.mining.corpus import ROWS, open_corpus
from mteb_hybrid.building.mining.index import FlatIndex, Index, ListIndex, kind_of, memory_of
from mteb_hybrid.building.mining.record import MinedLanguage, MiningRecord
from mteb_hybrid.building.mining.search import SPARE, Search, load_found
from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.building.mining.vectors import Encoder
from mteb_hybrid.building.mining.work import Work, sha256_of
from mteb_hybrid.building.mining.write import write_file
from mteb_hybrid.errors import HybridError
from mteb_hybrid.whole import discard_folder

_BYTES_A_ROW = 60
"""To tell what rows say: numbers of queries and passages, and sorted pairs of them."""


def mine(
    corpus_files: Sequence[Path],
    output: Path,
    model: Encoder,
    settings: MiningSettings,
    *,
    revision: str | None = None,
    show_progress_bar: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> MiningRecord:
    """Mine hard negatives for every pair of a corpus, and write the corpus with them.

    The negatives of a passage are passages of its language, from all files: the nearest to a query of the row that are
    not known to answer it and not too near. What ranks hold too few of is drawn at random from the language's passages;
    where it has too few, negatives repeat; a pair for which there is none at all is left out.

    Args:
        corpus_files: Parquet files of a parallel corpus; negatives that they have are replaced.
        output: the folder to write files of the same names to. What is made on the way lies in ``.mining`` within it,
            until all is done: the same call goes on where it was.
        model: encodes; ``load_encoder`` loads the one that the settings name.
        settings: which negatives.
        revision: of the model; what one of another revision made is not used.
        show_progress_bar: whether to show progress.
        say: is told what is ahead, a line at a time.

    Raises:
        HybridError: a file cannot be read or written, the model gives no vectors, or no pair has any negative.
    """
    from mteb_hybrid.training.base_model import training_prompts

    corpus = open_corpus(corpus_files)
    if any((output / path.name).exists() and (output / path.name).samefile(path) for path in corpus_files):
        raise HybridError(f"{output} holds the corpus itself; name another folder for the one with negatives")
    prompts = training_prompts(model)  # type: ignore[arg-type]  # which looks at its prompts alone
    bar = partial(tqdm, disable=not show_progress_bar, unit_scale=True)
    try:
        work = Work(corpus, output / ".mining", model, settings, revision, prompts)
        work.read()
        memory = _announce(work, settings, say)
        work.encode(bar)
        languages = {language: _mine(work, language, settings, bar) for language in work.passages}
        if all(mined.dropped == mined.pairs for mined in languages.values()):
            raise HybridError("no pair has a negative: every passage of its language answers it; take more pairs")
        passages = {language: texts.array() for language, texts in work.passages.items()}
        rows = [
            write_file(corpus, file, passages, work.found, settings.negatives, output / path.name)
            for file, path in enumerate(corpus.paths)
        ]
        files = {path.name: sha256_of(output / path.name) for path in corpus.paths}
        discard_folder(work.folder)
    except OSError as error:
        fault = error.strerror or error
        raise HybridError(f"{output}: {fault}; mend that, and the same command goes on where it was") from error
    return MiningRecord(
        model=settings.model,
        revision=revision,
        prompts=prompts,
        settings=settings.model_dump(mode="json"),
        memory=memory,
        rows_before=len(corpus),
        rows_after=sum(rows),
        files=files,
        languages=languages,
    )


def _announce(work: Work, settings: MiningSettings, say: Callable[[str], None]) -> int:
    """Tell what is ahead, and return the bytes of memory that it takes."""
    passages = {language: len(texts) for language, texts in work.passages.items()}
    if not passages:
        raise HybridError("the corpus has no passages; name another")
    count = settings.last_rank + SPARE
    kinds = {language: kind_of(settings.index, number) for language, number in passages.items()}
    searches = [memory_of(kinds[language], number, work.dimensions, count) for language, number in passages.items()]
    memory = max(searches) + _BYTES_A_ROW * len(work.corpus)
    in_lists = max((number for language, number in passages.items() if kinds[language] == "ivf"), default=0)
    disk = (work.texts + 2 * in_lists) * work.dimensions * 2  # of lists, their parts and the whole
    say(
        f"{len(work.corpus):,} rows, {work.texts:,} texts to encode; about {_size(memory)} of memory beside the model, "
        f"and {_size(disk)} on disk in {work.folder}"
    )
    say(f"to choose from: {', '.join(f'{tag} {number:,} ({kinds[tag]})' for tag, number in passages.items())}")
    return memory


def _mine(work: Work, language: str, settings: MiningSettings, bar: Callable[..., tqdm[Any]]) -> MinedLanguage:
    folder = work.found / language
    folder.mkdir(exist_ok=True)
    chunks = {chunk: folder / f"{chunk.start}.npz" for chunk in work.corpus.chunks}
    missing = [chunk for chunk, path in chunks.items() if not path.exists()]
    passages = work.column(f"passage_{language}")
    kind = kind_of(settings.index, len(passages.vectors))
    if missing:
        index: Index = FlatIndex(passages.vectors)
        if kind == "ivf":
            index = ListIndex(passages.vectors, work.lists(language), settings.seed)
        queries = {tag: work.column(f"query_{tag}") for tag in work.passages}
        search = Search(language, queries, passages, index, work.known, settings)
        for chunk in bar(missing, desc=f"searching {language}", unit=f" x {ROWS:,} rows"):
            search.find(chunk).save(chunks[chunk])
    shutil.rmtree(work.lists(language), ignore_errors=True)
    counts: Counter[str] = Counter()
    for path in chunks.values():
        counts.update(load_found(path).counts)
    return MinedLanguage(passages=len(passages.vectors), index=kind, **counts)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
