"""The data of a recipe: read, parted into training and validation, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import datasets

from mteb_hybrid.data.built_corpus import Built, find_built, load_built
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import CorpusLock, FileRecord
from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.training.batches import HybridBatches
from mteb_hybrid.training.length import run_length
from mteb_hybrid.training.outcome import SourceRecord
from mteb_hybrid.training.recipe import LossSettings, Recipe, SourceSettings, ValidationSettings
from mteb_hybrid.training.sampler import row_index
from mteb_hybrid.training.validation import hold_out, validation_pairs

DECONTAMINATED = ("XQuADR", "MLQAR")
"""The benchmarks that nobody trains on without saying so."""


@dataclass(frozen=True)
class TrainingData:
    """What a recipe trains on.

    Attributes:
        corpora: the training part of each source.
        validation: pairs whose loss is measured; None if the recipe asks for none.
        records: what is written down of each source, the held-out part included.
        fingerprints: of all texts, those of a validation source included.
    """

    corpora: tuple[ParallelCorpus, ...]
    validation: datasets.Dataset | None
    records: tuple[SourceRecord, ...]
    fingerprints: tuple[str, ...]


def load_data(recipe: Recipe) -> TrainingData:
    """Read all sources of a recipe and hold out what validates.

    Raises:
        HybridError: a source cannot be read, may hold texts of a benchmark that its lock says nothing of, two have
            one name, none has the language that the loss compares with, or nothing is left to train or to validate on.
    """
    parts = [(source, part) for source in recipe.data for part in _load(source, recipe.seed)]
    corpora = [part.corpus for _, part in parts]
    names = [corpus.name for corpus in corpora]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HybridError(f"two sources are called {twice}; give each its own name in data")
    _check_pivot(corpora, recipe.loss)
    records = tuple(_record(source, part) for source, part in parts)
    if recipe.validation is None:
        return TrainingData(tuple(corpora), None, records, _fingerprints(corpora))
    training, held_out = _part(corpora, recipe.validation, recipe.seed)
    validation = validation_pairs(
        held_out, pairs=recipe.validation.pairs, languages=recipe.validation.languages, seed=recipe.seed
    )
    return TrainingData(training, validation, records, _fingerprints([*corpora, *held_out]))


def hybrid_batches(data: TrainingData, recipe: Recipe, *, processes: int = 1) -> HybridBatches:
    """The batches that training will see, as the sampler makes them.

    Raises:
        HybridError: a batch cannot be filled.
    """
    settings = recipe.batches
    size = settings.size * processes
    epoch = sum(map(len, data.corpora)) // size
    return HybridBatches(
        [row_index(corpus) for corpus in data.corpora],
        size,
        strategy=settings.strategy,
        alpha=settings.alpha,
        steps=run_length(recipe.training, epoch).batches,
        size_exponent=settings.size_exponent,
        seed=recipe.seed,
    )


@dataclass(frozen=True)
class _Part:
    """What a source gives: one corpus, or, of a built corpus, one of its files with the lock that tells of it."""

    corpus: ParallelCorpus
    lock: CorpusLock | None = None
    file: FileRecord | None = None


def _load(source: SourceSettings, seed: int) -> list[_Part]:
    built = find_built(source.source)
    if built is None:
        corpus = load_corpus(
            source.source, name=source.name, revision=source.revision, languages=source.languages, rows=source.rows
        )
        return [_Part(corpus if source.sample is None else corpus.sample_rows(source.sample, seed))]
    _check_decontaminated(source, built)
    corpora = load_built(built, name=source.name, languages=source.languages, rows=source.rows, sample=source.sample)
    return [
        _Part(corpus if source.sample is None else corpus.sample_rows(source.sample, seed), built.lock, file)
        for file, corpus in corpora
    ]


def _check_decontaminated(source: SourceSettings, built: Built) -> None:
    """Refuse a built corpus that may hold texts of the benchmarks here, unless the recipe says so by name."""
    for task in DECONTAMINATED:
        for file in built.files:
            if task not in {*built.lock.decontaminated, *source.mteb_tasks, *file.mteb_tasks}:
                raise HybridError(
                    f"{source.source} was not decontaminated against {task}; name it in the decontamination of its "
                    f"build file and build again, or add mteb_tasks: [{task}] to train nevertheless, and the model is "
                    "marked as not zero-shot there"
                )


def _check_pivot(corpora: Sequence[ParallelCorpus], loss: LossSettings) -> None:
    there = list(dict.fromkeys(language for corpus in corpora for language in corpus.languages))
    if loss.needs_pivot and loss.pivot not in there:
        raise HybridError(
            f"loss.pivot: {one_line(loss.pivot, 40)!r} is in no source, and the loss needs texts of it; "
            f"there are {', '.join(there)}"
        )


def _part(
    corpora: Sequence[ParallelCorpus], settings: ValidationSettings, seed: int
) -> tuple[tuple[ParallelCorpus, ...], list[ParallelCorpus]]:
    if settings.source is not None:
        return tuple(corpora), [part.corpus for part in _load(settings.source, seed)]
    assert settings.share is not None  # the recipe has one or the other
    parts = [hold_out(corpus, settings.share, at_most=settings.pairs, seed=seed) for corpus in corpora]
    return tuple(training for training, _ in parts), [held_out for _, held_out in parts]


def _record(source: SourceSettings, part: _Part) -> SourceRecord:
    corpus, file = part.corpus, part.file
    return SourceRecord(
        name=corpus.name,
        source=source.source,
        revision=source.revision,
        languages=list(corpus.languages),
        rows=len(corpus),
        pairs=corpus.pairs,
        fingerprint=corpus.fingerprint,
        mteb_tasks=sorted({*source.mteb_tasks, *corpus.trained_on}),
        license=source.license or (file.license if file else None),
        decontaminated=part.lock.decontaminated if part.lock else [],
    )


def _fingerprints(corpora: Sequence[ParallelCorpus]) -> tuple[str, ...]:
    return tuple(corpus.fingerprint for corpus in corpora)
