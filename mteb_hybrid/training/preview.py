"""Shows the batches of a recipe without training."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import one_line
from mteb_hybrid.training.batches import Batch
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.sources import hybrid_batches, load_data

_WIDTH = 60


def preview(recipe: Recipe, number: int, *, epoch: int = 0) -> Iterator[str]:
    """Yield, line by line, the first batches of an epoch: kind, languages, ids and texts.

    Args:
        recipe: the recipe.
        number: how many batches.
        epoch: counted from 0.

    Raises:
        HybridError: the data cannot be read, or a batch cannot be filled.
    """
    data = load_data(recipe)
    batches = hybrid_batches(data, recipe)
    for step, batch in enumerate(islice(batches.epoch(epoch), number)):
        corpus = data.corpora[batch.source]
        yield f"batch {step}: {_kind(batch, corpus)}, {len(batch.rows)} pairs of {corpus.name}"
        yield from _pairs(batch, corpus)


def _kind(batch: Batch, corpus: ParallelCorpus) -> str:
    return f"mono, {corpus.languages[batch.query_languages[0]]}" if batch.kind == "mono" else batch.kind


def _pairs(batch: Batch, corpus: ParallelCorpus) -> Iterator[str]:
    for row, query, passage in zip(batch.rows, batch.query_languages, batch.passage_languages, strict=True):
        languages = corpus.languages[query], corpus.languages[passage]
        texts = (corpus.texts(int(row), language)[role] for role, language in enumerate(languages))
        shown = "  |  ".join(one_line(text, _WIDTH) for text in texts)
        yield f"  {'-'.join(languages):8} {one_line(corpus.table['id'][int(row)].as_py(), 24):24}  {shown}"
