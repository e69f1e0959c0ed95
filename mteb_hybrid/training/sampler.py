"""Hybrid batches for the trainer of sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from sentence_transformers.base.sampler import MultiDatasetDefaultBatchSampler
from torch.utils.data import BatchSampler, ConcatDataset

from mteb_hybrid.data.parallel_corpus import ParallelCorpus, ParallelView
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.batches import Batch, HybridBatches
from mteb_hybrid.training.recipe import AlphaSchedule, Strategy
from mteb_hybrid.training.row_index import RowIndex


class HybridBatchSampler(MultiDatasetDefaultBatchSampler):
    """Batches of ``HybridBatches`` over the views of parallel corpora.

    Give the class to the stock trainer, with ``functools.partial`` where options are wanted::

        corpus = load_corpus("corpus.jsonl")
        args = SentenceTransformerTrainingArguments(
            output_dir="run", multi_dataset_batch_sampler=partial(HybridBatchSampler, alpha=0.5)
        )
        SentenceTransformerTrainer(model, args, train_dataset=corpus.views(), loss=loss).train()

    Under accelerate the batch of a step is drawn for all processes at once and cut into equal parts: N processes with
    batches of B see the same pairs at each step as one process with batches of N x B, and all parts are of one kind.
    There give the stock trainer ``callbacks=[SamplerEpoch()]`` as well: resumed within an epoch, it would not tell the
    sampler which one it is, and the order of the first would come again.

    Args:
        dataset: the concatenated views, all and in order, of one or more corpora.
        batch_samplers: those of the views, by the trainer; only their batch size is used.
        generator: by the trainer; not used, so that the order depends on the seed alone.
        seed: by the trainer, ``args.seed``.
        strategy: as in ``HybridBatches``, as are alpha, steps and size_exponent.
        processes: processes that share the batches; those of accelerate by default.

    Raises:
        HybridError: the dataset is not made of whole ``views()``, or batches cannot be filled.
    """

    def __init__(
        self,
        dataset: ConcatDataset[dict[str, str]],
        batch_samplers: list[BatchSampler],
        generator: torch.Generator | None = None,
        seed: int = 0,
        *,
        strategy: Strategy = "hybrid",
        alpha: float | AlphaSchedule | None = None,
        steps: int | None = None,
        size_exponent: float = 1.0,
        processes: int | None = None,
    ) -> None:
        super().__init__(dataset, batch_samplers, generator, seed)
        self.processes = processes or _processes()
        corpora = _corpora(dataset.datasets)
        self.batches = HybridBatches(
            [row_index(corpus) for corpus in corpora],
            self.batch_size * self.processes,
            strategy=strategy,
            alpha=alpha,
            steps=steps,
            size_exponent=size_exponent,
            seed=seed or 0,
        )
        sizes = [len(corpus.languages) ** 2 * len(corpus) for corpus in corpora]
        self._offsets = np.cumsum([0, *sizes])

    def __len__(self) -> int:
        """Batches of all processes in an epoch."""
        return len(self.batches) * self.processes

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the current epoch; those of one step follow each other, one for each process."""
        for batch in self.batches.epoch(self.epoch):
            yield from self._indices(batch).reshape(self.processes, -1).tolist()

    def _indices(self, batch: Batch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        source = self.batches.sources[batch.source]
        view = batch.query_languages.astype(np.int64) * len(source.languages) + batch.passage_languages
        indices: np.ndarray[tuple[int], np.dtype[np.int64]] = (
            self._offsets[batch.source] + view * len(source) + batch.rows
        )
        return indices


def row_index(corpus: ParallelCorpus) -> RowIndex:
    """What ``HybridBatches`` needs to know of a corpus."""
    return RowIndex(corpus.name, corpus.languages, len(corpus), corpus.presence, corpus.groups)


def _processes() -> int:
    from accelerate import PartialState

    return int(PartialState().num_processes)


def _corpora(views: Sequence[object]) -> list[ParallelCorpus]:
    """The corpora whose views these are."""
    corpora: list[ParallelCorpus] = []
    at = 0
    while at < len(views):
        view = views[at]
        if not isinstance(view, ParallelView):
            raise HybridError(
                f"HybridBatchSampler needs train_dataset=corpus.views() of a ParallelCorpus as they are, not a "
                f"{type(view).__name__}; load_corpus reads a corpus, corpus_from_dataset makes one"
            )
        corpus = view.origin.corpus
        pairs = [(query, passage) for query in corpus.languages for passage in corpus.languages]
        found = views[at : at + len(pairs)]
        if len(found) < len(pairs) or not all(map(partial(_is_view, corpus), found, pairs)):
            raise HybridError(
                f"HybridBatchSampler needs all views of corpus {corpus.name}, whole and in their order; select "
                f"languages and rows of the corpus (select_languages, select_rows), not of its views"
            )
        corpora.append(corpus)
        at += len(pairs)
    return corpora


def _is_view(corpus: ParallelCorpus, view: object, pair: tuple[str, str]) -> bool:
    if not isinstance(view, ParallelView) or view._indices is not None or len(view) != len(corpus):
        return False
    origin = view.origin
    return origin.corpus is corpus and (origin.query_language, origin.passage_language) == pair
