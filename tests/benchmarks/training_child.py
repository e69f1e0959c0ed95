"""One measured process of training: ``python -m tests.benchmarks.training_child SPEC OUT``, both JSON (OUT a file)."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice, pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers.base.sampler import SetEpochMixin

    from mteb_hybrid.data.parallel_corpus import ParallelCorpus
    from mteb_hybrid.training.sampler import HybridBatchSampler

SIZE = 100
"""Pairs in a batch."""
STRATEGIES = ("mono", "cross", "hybrid")
SEED = 7
RAGGED = 0.9
ROWS_PER_PASSAGE = 4
_WORLD = 20_000
_SECONDS = 1.0  # at least so long is a rate measured
_CHUNK = 1 << 20

Spec = dict[str, Any]


def data(spec: Spec) -> dict[str, Any]:
    """Write the corpora and the tiny encoder to ``folder``."""
    from mteb_hybrid.data.corpus_files import save_corpus
    from mteb_hybrid.tiny import tiny_encoder

    folder = Path(spec["folder"])
    start = time.perf_counter()
    complete = _world(spec["rows"])
    seconds = time.perf_counter() - start
    grouped = _grouped(complete)
    corpora = {
        "complete": complete,
        "ragged": _ragged(complete),
        "complete, groups": grouped,
        "ragged, groups": _ragged(grouped),
    }
    for name, corpus in corpora.items():
        save_corpus(corpus, folder / f"{name}.parquet")
        _load(spec | {"corpus": name})  # unpacks it into the cache of datasets
    tiny_encoder(device="cpu").save_pretrained(str(folder / "tiny"), create_model_card=False)
    return {
        "seconds": seconds,
        "languages": list(complete.languages),
        "pairs": {name: corpus.pairs for name, corpus in corpora.items()},
        "corpora": {name: len(corpus) for name, corpus in corpora.items()},
    }


def _world(rows: int) -> ParallelCorpus:
    """A generated world; beyond 20,000 rows it is told again, with a number after each text."""
    import pyarrow

    from mteb_hybrid.data.parallel_corpus import ParallelCorpus, corpus_from_collection
    from mteb_hybrid.data.world import generate_world

    world = corpus_from_collection(generate_world(min(rows, _WORLD), name="world"))
    told = [world.table]
    for time_told in range(1, -(-rows // _WORLD)):
        columns = [[f"{text} {time_told}" for text in column.to_pylist()] for column in world.table.columns]
        told.append(pyarrow.table(columns, schema=world.table.schema))
    return ParallelCorpus("world", pyarrow.concat_tables(told).slice(0, rows), world.languages)


def _ragged(corpus: ParallelCorpus) -> ParallelCorpus:
    """Each row keeps each language with a chance of 0.9; a row that would lose all keeps the first."""
    import numpy as np
    import pyarrow
    import pyarrow.compute as pc

    from mteb_hybrid.data.parallel_corpus import ParallelCorpus

    kept = np.random.default_rng(SEED).random((len(corpus), len(corpus.languages))) < RAGGED
    kept[~kept.any(axis=1), 0] = True
    table = corpus.table
    for language, keep in zip(corpus.languages, kept.T, strict=True):
        for name in corpus.columns(language):
            column = pc.if_else(pyarrow.array(keep), table[name], pyarrow.scalar(None, pyarrow.string()))
            table = table.set_column(table.column_names.index(name), name, column)
    return ParallelCorpus(corpus.name, table, corpus.languages)


def _grouped(corpus: ParallelCorpus) -> ParallelCorpus:
    """Four rows in a run share the passage of the first."""
    import numpy as np
    import pyarrow

    from mteb_hybrid.data.parallel_corpus import ParallelCorpus

    numbers = np.arange(len(corpus)) // ROWS_PER_PASSAGE
    table = corpus.table.append_column("group", pyarrow.array([f"passage-{number}" for number in numbers]))
    for language in corpus.languages:
        name = f"passage_{language}"
        shared = table[name].take(pyarrow.array(numbers * ROWS_PER_PASSAGE))
        table = table.set_column(table.column_names.index(name), name, shared)
    return ParallelCorpus(corpus.name, table, corpus.languages)


def _load(spec: Spec) -> ParallelCorpus:
    from mteb_hybrid.data.corpus_files import load_corpus

    return load_corpus(Path(spec["folder"]) / f"{spec['corpus']}.parquet")


def _hybrid(corpus: ParallelCorpus, strategy: str) -> HybridBatchSampler:
    """The sampler over the views of a corpus, made as the trainer makes it; ``dataset`` is their concatenation."""
    from torch.utils.data import BatchSampler, ConcatDataset, SequentialSampler

    from mteb_hybrid.training.sampler import HybridBatchSampler

    views: Any = list(corpus.views().values())
    samplers = [BatchSampler(SequentialSampler(view), SIZE, drop_last=True) for view in views]
    return HybridBatchSampler(ConcatDataset(views), samplers, seed=SEED, strategy=strategy)  # type: ignore[arg-type]


def sampler(spec: Spec) -> dict[str, Any]:
    """Batches a second by strategy: from the sampler alone, and through a data loader that fetches the texts."""
    from torch.utils.data import DataLoader

    corpus = _load(spec)
    alone, loaded = {}, {}
    for strategy in STRATEGIES:
        batches = _hybrid(corpus, strategy)
        loader: Any = DataLoader(batches.dataset, batch_sampler=batches, collate_fn=list)
        alone[strategy] = _rates(batches, batches, spec["repeats"])
        loaded[strategy] = _rates(batches, loader, spec["repeats"])
    return {"alone": alone, "loaded": loaded}


def _rates(batches: SetEpochMixin, source: Iterable[Any], repeats: int) -> dict[str, Any]:
    """Batches a second, over whole epochs."""
    epochs = count()
    rates = []
    for _ in range(repeats):
        done, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < _SECONDS:
            batches.set_epoch(next(epochs))
            done += sum(1 for _ in source)
        rates.append(done / taken)
    return {"median": median(rates), "all": rates}


def memory(spec: Spec) -> dict[str, Any]:
    """Seconds and memory of the sampler for ``rows`` rows, step by step, without texts; nothing else is imported."""
    steps: list[dict[str, Any]] = []
    began = _step(steps, "python", _now())
    from mteb_hybrid.training.batches import HybridBatches
    from mteb_hybrid.training.row_index import RowIndex

    began = _step(steps, "imports", began)
    presence, groups = _rows(spec["rows"], spec["languages"], spec["presence"], spec["groups"])
    began = _step(steps, "rows", began)
    languages = tuple(f"l{number}" for number in range(spec["languages"]))
    index = RowIndex("synthetic", languages, spec["rows"], presence, groups)
    batches = HybridBatches([index], SIZE, strategy=spec["strategy"], seed=SEED)
    began = _step(steps, "build", began)
    epoch = batches.epoch(0)
    next(epoch)
    began = _step(steps, "first batch", began)
    dealt = sum(1 for _ in islice(epoch, spec["batches"] - 1))
    _step(steps, "batches", began)
    held = presence.nbytes + (groups.nbytes if groups is not None else 0)
    return {"steps": steps, "batches": 1 + dealt, "index_bytes": held}


def _rows(rows: int, languages: int, presence: float, shared: bool) -> tuple[Any, Any]:
    """Random presence bitmaps and passage groups, made piece by piece, so that they cost no more than they hold."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    bitmaps = np.zeros((languages, (rows + 7) // 8), dtype=np.uint8)
    groups = np.empty(rows, dtype=np.int32) if shared else None
    for start in range(0, rows, _CHUNK):
        length = min(_CHUNK, rows - start)
        for bitmap in bitmaps:
            present = generator.random(length, dtype=np.float32) < presence
            packed = np.packbits(present, bitorder="little")
            bitmap[start // 8 : start // 8 + len(packed)] = packed
        if groups is not None:
            groups[start : start + length] = generator.integers(rows // ROWS_PER_PASSAGE, size=length, dtype=np.int32)
    return bitmaps, groups


def _step(steps: list[dict[str, Any]], name: str, began: tuple[float, float]) -> tuple[float, float]:
    """Note how long a step took and what the process holds after it; the time now."""
    seconds, processor = (end - start for start, end in zip(began, _now(), strict=True))
    steps.append({"name": name, "seconds": seconds, "processor": processor, "resident": _resident(), "peak": _peak()})
    return _now()


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _resident() -> int | None:
    """Bytes that the process holds now, where the system tells."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def pairs(spec: Spec) -> dict[str, Any]:
    """Write the texts of the first ``steps`` batches (an epoch at most) in their order, as one data set of pairs."""
    import datasets

    batches = _hybrid(_load(spec), "hybrid")
    steps = min(spec["steps"], len(batches))
    rows = [batches.dataset[index] for batch in islice(batches, steps) for index in batch]
    datasets.Dataset.from_list(rows).save_to_disk(Path(spec["folder"]) / "pairs")
    return {"steps": steps}


def train(spec: Spec) -> dict[str, Any]:
    """Train with sentence-transformers: side ``stock`` on the pairs, ``sampler`` and ``hybrid`` on the views."""
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from mteb_hybrid.training.trainer import HybridTrainer

    times = [time.perf_counter()]
    dataset, sampling = _training_data(spec)
    times.append(time.perf_counter())
    model = SentenceTransformer(spec["model"] or str(Path(spec["folder"]) / "tiny"))
    times.append(time.perf_counter())
    kind = HybridTrainer if spec["side"] == "hybrid" else SentenceTransformerTrainer
    loss = MultipleNegativesRankingLoss(model)
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(folder, spec["steps"], sampling)
        trainer = kind(model=model, args=arguments, train_dataset=dataset, loss=loss)
        times.append(time.perf_counter())
        loop = _Loop.watch(trainer)
        trainer.train()
    reading, loading, making = (end - start for start, end in pairwise(times))
    return {
        "data": reading,
        "model": loading,
        "trainer": making + loop.began - times[-1],
        "first": loop.stepped[0] - loop.began,
        "loop": loop.ended[0] - loop.stepped[0],
        "processor": loop.ended[1] - loop.stepped[1],
        "rate": (trainer.state.global_step - 1) / (loop.ended[0] - loop.stepped[0]),
        "weights": _digest(model),
    }


def _training_data(spec: Spec) -> tuple[Any, dict[str, Any]]:
    """What to train on, and the arguments that say in which order."""
    if spec["side"] != "stock":
        from mteb_hybrid.training.sampler import HybridBatchSampler

        return _load(spec).views(), {"multi_dataset_batch_sampler": HybridBatchSampler}
    import datasets
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    def in_order(dataset: Any, batch_size: int, drop_last: bool, **kwargs: Any) -> DefaultBatchSampler:
        return DefaultBatchSampler(SequentialSampler(dataset), batch_size, drop_last)

    return datasets.load_from_disk(Path(spec["folder"]) / "pairs"), {"batch_sampler": in_order}


def _arguments(folder: str, steps: int, sampling: dict[str, Any]) -> Any:
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        folder,
        per_device_train_batch_size=SIZE,
        max_steps=steps,
        learning_rate=2e-5,
        seed=SEED,
        logging_steps=max(1, steps // 50),  # as our command
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        **sampling,
    )


class _Loop:
    """When a trainer began, made its first step (at which libraries load and get ready), and ended."""

    began = 0.0
    stepped = ended = (0.0, 0.0)

    @classmethod
    def watch(cls, trainer: Any) -> _Loop:
        from transformers import PrinterCallback, TrainerCallback

        loop = cls()

        class Clock(TrainerCallback):
            def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
                loop.began = time.perf_counter()

            def on_step_end(self, args: Any, state: Any, *rest: Any, **kwargs: Any) -> None:
                if state.global_step == 1:
                    loop.stepped = _now()

            def on_train_end(self, *args: Any, **kwargs: Any) -> None:
                loop.ended = _now()

        trainer.add_callback(Clock())
        trainer.remove_callback(PrinterCallback)
        return loop


def _digest(model: Any) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:40]


def no_duplicates(spec: Spec) -> dict[str, Any]:
    """Set-up and one epoch over the rows in one language; ``sampler`` is ``ours``, ``plain`` or ``hashed``."""
    corpus = _load(spec)
    corpus = corpus.select_languages(corpus.languages[:1])
    setups, rates = [], []
    next(iter(_monolingual(corpus, spec["sampler"])))  # imports do not count
    for _ in range(spec["repeats"]):
        start = time.perf_counter()
        batches: Iterator[list[int]] = iter(_monolingual(corpus, spec["sampler"]))
        next(batches)
        first = time.perf_counter()
        rows = sum(map(len, batches))
        setups.append(first - start)
        rates.append(rows / (time.perf_counter() - first))
    figures = {"setup": setups, "rate": rates}
    return {name: {"median": median(values), "all": values} for name, values in figures.items()} | {"rows": rows + SIZE}


def _monolingual(corpus: ParallelCorpus, kind: str) -> Iterable[list[int]]:
    if kind == "ours":
        return _hybrid(corpus, "mono")
    (view,) = corpus.views().values()
    return _stock(view, kind)


def _stock(dataset: Any, kind: str) -> Iterable[list[int]]:
    import torch
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    return NoDuplicatesBatchSampler(
        dataset, SIZE, True, generator=torch.Generator(), seed=SEED, precompute_hashes=kind == "hashed"
    )


def _epochs(batches: Any) -> Iterator[list[int]]:
    for epoch in count():
        batches.set_epoch(epoch)
        yield from batches


def clashes(spec: Spec) -> dict[str, Any]:
    """How many pairs of a batch are of a row that is in it already, in other languages; over all views of a corpus."""
    import datasets

    corpus = _load(spec)
    corpus = corpus.select_rows(range(min(len(corpus), spec["rows"])))
    together = datasets.concatenate_datasets(list(corpus.views().values()))
    found = {}
    for kind in ("ours", "plain"):
        batches = _hybrid(corpus, "hybrid") if kind == "ours" else _stock(together, kind)
        first = islice(_epochs(batches), 500)
        repeats = [len(batch) - len({index % len(corpus) for index in batch}) for batch in first]
        found[kind] = {"batches": len(repeats), "with": sum(map(bool, repeats)), "pairs": sum(repeats)}
    return {"rows": len(corpus), "views": len(together) // len(corpus), **found}


def main() -> None:
    """Do what the specification asks and write the result."""
    spec, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    logging.disable(logging.WARNING)
    roles: dict[str, Callable[[Spec], dict[str, Any]]] = {
        role.__name__: role for role in (data, sampler, memory, pairs, train, no_duplicates, clashes)
    }
    out.write_text(json.dumps(roles[spec["role"]](spec)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the parent says so
        sys.exit(130)
