"""The sampler: indices of the texts that the batches ask for, processes, and the trainer of sentence-transformers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.utils.data import BatchSampler, ConcatDataset, SequentialSampler

from mteb_hybrid.data.parallel_corpus import ParallelCorpus, ParallelView, corpus_from_collection, parallel_views
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.tiny import tiny_encoder
from mteb_hybrid.training.recipe import AlphaSchedule
from mteb_hybrid.training.sampler import HybridBatchSampler, row_index


def corpus_of(
    name: str, rows: int, languages: Sequence[str], *, missing: Sequence[tuple[int, str]] = (), group: int = 1
) -> ParallelCorpus:
    """Texts that say what they are: the query of row 3 of laws in German is "laws 3 query de"."""
    columns: dict[str, list[str | None]] = {"id": [str(row) for row in range(rows)]}
    if group > 1:
        columns["group"] = [f"g{row // group}" for row in range(rows)]
    for language in languages:
        for role in ("query", "passage"):
            texts = [None if (row, language) in missing else f"{name} {row} {role} {language}" for row in range(rows)]
            columns[f"{role}_{language}"] = texts
    schema = pyarrow.schema([(column, pyarrow.string()) for column in columns])
    return ParallelCorpus(name, pyarrow.table(columns, schema), tuple(languages))


def sampler_of(views: Any, size: int, seed: int = 0, **options: Any) -> HybridBatchSampler:
    """As the trainer makes it."""
    datasets = list(views.values()) if isinstance(views, dict) else list(views)
    each = [BatchSampler(SequentialSampler(view), size, drop_last=False) for view in datasets]
    generator = torch.Generator()
    return HybridBatchSampler(ConcatDataset(datasets), batch_samplers=each, generator=generator, seed=seed, **options)


@pytest.mark.parametrize("strategy", ["mono", "cross", "hybrid", "mixed", "bilingual"])
def test_indices_lead_to_the_texts_of_the_batches(strategy: Any) -> None:
    corpora = [
        corpus_of("laws", 40, ["de", "en", "fr"], missing=[(3, "de"), (7, "fr"), (7, "en")]),
        corpus_of("films", 31, ["zh", "de"], group=2),
    ]
    sampler = sampler_of(parallel_views(corpora), 5, strategy=strategy, seed=3)
    dealt = list(sampler.batches.epoch(0))
    assert {batch.source for batch in dealt} == {0, 1}
    assert len(sampler) == len(dealt) == 71 // 5
    for indices, batch in zip(sampler, dealt, strict=True):
        corpus = corpora[batch.source]
        columns = batch.rows.tolist(), batch.query_languages.tolist(), batch.passage_languages.tolist()
        assert [sampler.dataset[index] for index in indices] == [
            {
                "query": f"{corpus.name} {row} query {corpus.languages[query]}",
                "passage": f"{corpus.name} {row} passage {corpus.languages[passage]}",
            }
            for row, query, passage in zip(*columns, strict=True)
        ]
        if corpus.name == "films":
            assert len({row // 2 for row in columns[0]}) == 5  # no shared passage


def test_views_with_a_pivot_language_show_its_texts_beside_the_batch() -> None:
    """Also of a row that lacks it, or of a corpus that knows it not: as empty, and marked so. No text is copied."""
    lacking = [(row, "en") for row in range(0, 40, 3)]
    corpora = [corpus_of("laws", 40, ["de", "en", "fr"], missing=lacking), corpus_of("films", 40, ["de", "fr"])]
    views = parallel_views(corpora, pivot="en")
    sampler = sampler_of(views, 5, strategy="cross", seed=3)
    rows = ConcatDataset(list(views.values()))
    seen = set()
    for batch, indices in zip(sampler.batches.epoch(0), sampler, strict=True):
        corpus = corpora[batch.source]
        for number, index in zip(batch.rows, indices, strict=True):
            shown = rows[index]
            query, passage = corpus.texts(int(number), "en") if "en" in corpus.languages else (None, None)
            assert list(shown) == ["query", "passage", "pivot_query", "pivot_passage", "label"]
            assert (shown["pivot_query"], shown["pivot_passage"]) == (query or "", passage or "")
            assert shown["label"] is (query is not None)
            seen.add((corpus.name, shown["label"]))
    assert seen == {("laws", True), ("laws", False), ("films", False)}
    view, column = views["laws/de-fr"], corpora[0].table["passage_en"]
    assert view.data.table["pivot_passage"].chunk(0).buffers()[2].address == column.chunk(0).buffers()[2].address


def test_a_view_with_a_pivot_language_shows_several_rows_without_none() -> None:
    """But a row asked for alone that lacks its own language has None: training on it must fail."""
    view = parallel_views([corpus_of("laws", 9, ["de", "en"], missing=[(4, "de")])], pivot="en")["de-de"]
    assert None not in view[:]["query"]
    assert len(view[:]["label"]) == 9
    assert view[:]["query"].index("") == 4
    assert view[4]["query"] is None
    assert view[4]["pivot_query"] == "laws 4 query en"


def test_indices_do_not_overflow() -> None:
    """More than 2**31 rows in all views; the columns are one and the same."""
    rows, languages = 3_000_000, tuple(f"x-l{number}" for number in range(27))
    column = pyarrow.array([""] * rows)
    names = ["id", *(f"{role}_{language}" for language in languages for role in ("query", "passage"))]
    corpus = ParallelCorpus("laws", pyarrow.table([column] * len(names), names), languages)
    sampler = sampler_of(corpus.views(), 100, strategy="cross")
    views = []
    for indices, batch in islice(zip(sampler, sampler.batches.epoch(0), strict=True), 5):
        assert all(type(index) is int for index in indices)
        assert [index % rows for index in indices] == batch.rows.tolist()
        assert [index // rows % 27 for index in indices] == batch.passage_languages.tolist()
        views += [index // rows for index in indices]
    assert 2**31 // rows < max(views) < 27**2


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_batches_of_one(processes: int) -> None:
    views = corpus_of("laws", 101, ["de", "en", "fr"], group=2).views()
    one, many = sampler_of(views, 2 * processes, processes=1), sampler_of(views, 2, processes=processes)
    for epoch in (0, 1):
        one.set_epoch(epoch)
        many.set_epoch(epoch)
        parts = list(many)
        steps = [parts[first : first + processes] for first in range(0, len(parts), processes)]
        assert [[index for part in step for index in part] for step in steps] == list(one)
    assert len(many) == processes * len(one) == processes * (101 // (2 * processes))


@pytest.mark.parametrize("processes", [2, 3])
def test_accelerate_gives_each_process_its_part_of_the_step(processes: int) -> None:
    corpora = [corpus_of("laws", 100, ["de", "en", "fr"]), corpus_of("films", 50, ["zh", "de", "hi"])]
    views = parallel_views(corpora)
    samplers = [sampler_of(views, 4, processes=processes) for _ in range(processes)]
    shards = [
        BatchSamplerShard(sampler, num_processes=processes, process_index=number)
        for number, sampler in enumerate(samplers)
    ]
    parts = [list(shard) for shard in shards]
    whole = list(samplers[0].batches.epoch(0))
    assert {len(its) for its in parts} == {len(shard) for shard in shards} == {len(whole)}
    for step, batch in enumerate(whole):
        texts = [[samplers[0].dataset[index] for index in its[step]] for its in parts]
        assert [len(each) for each in texts] == [4] * processes
        pairs = [pair for part in texts for pair in part]
        rows = {pair["query"].split()[1] for pair in pairs}
        assert rows == {str(row) for row in batch.rows} and len(rows) == 4 * processes
        languages = [(pair["query"].split()[-1], pair["passage"].split()[-1]) for pair in pairs]
        if batch.kind == "mono":
            assert len(set(languages)) == 1 and languages[0][0] == languages[0][1]
        else:
            assert all(query != passage for query, passage in languages)


def test_set_epoch_chooses_the_epoch() -> None:
    sampler = sampler_of(corpus_of("laws", 60, ["de", "en"]).views(), 4)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert orders[0] == orders[2] != orders[1]
    assert orders[0] == list(sampler)  # going through it again changes nothing


def test_the_seed_is_the_trainers_and_torch_has_no_part() -> None:
    views = corpus_of("laws", 60, ["de", "en"]).views()
    expected = list(sampler_of(views, 4, seed=7))
    torch.manual_seed(1)
    np.random.seed(1)
    assert list(sampler_of(views, 4, seed=7)) == expected
    assert list(sampler_of(views, 4, seed=8)) != expected


def test_options_reach_the_batches() -> None:
    views = parallel_views([corpus_of("laws", 60, ["de", "en"]), corpus_of("films", 20, ["de", "en"])])
    alpha = AlphaSchedule(start=1.0, end=0.0)
    sampler = sampler_of(views, 4, strategy="bilingual", alpha=alpha, steps=100, size_exponent=0.0, processes=2)
    assert sampler.batches.size == 8
    assert sampler.batches.strategy == "bilingual"
    assert sampler.batches.alpha(0) == 1.0 and sampler.batches.alpha(99) == 0.0
    assert sampler.batches.expected_rows(0, epoch=0) == sampler.batches.expected_rows(1, epoch=0)


def test_the_row_index_is_the_corpus() -> None:
    corpus = corpus_of("laws", 10, ["de", "en"], missing=[(2, "de"), (9, "en")], group=2)
    index = row_index(corpus)
    assert (index.name, index.languages, len(index)) == ("laws", ("de", "en"), 10)
    present = index.languages_of(index.numbers()).tolist()
    assert present == [[row != 2, row != 9] for row in range(10)]
    assert index.passages(index.with_languages(1)) == 5
    assert not index.complete


# --- data sets that are not the views of a corpus -------------------------------------------------------------------


def error(views: Any) -> str:
    with pytest.raises(HybridError) as caught:
        sampler_of(views, 4)
    return str(caught.value)


NO_VIEWS = (
    "HybridBatchSampler needs train_dataset=corpus.views() of a ParallelCorpus as they are, not a Dataset; load_corpus "
    "reads a corpus, corpus_from_dataset makes one"
)
NOT_WHOLE = (
    "HybridBatchSampler needs all views of corpus laws, whole and in their order; select languages and rows of the "
    "corpus (select_languages, select_rows), not of its views"
)


@pytest.fixture
def views() -> list[ParallelView]:
    return list(corpus_of("laws", 20, ["de", "en"]).views().values())


def test_a_plain_dataset(views: list[ParallelView]) -> None:
    plain = Dataset.from_dict({"query": ["a"] * 20, "passage": ["b"] * 20})
    assert error([plain] * 4) == NO_VIEWS
    assert error([*views, plain]) == NO_VIEWS


def test_rows_of_views_in_another_order_or_number(views: list[ParallelView]) -> None:
    changed = {
        "shuffled": [view.shuffle(seed=1) for view in views],
        "shuffled and written": [view.shuffle(seed=1).flatten_indices() for view in views],
        "sorted": [view.sort("query", reverse=True) for view in views],
        "selected": [view.select(range(10)) for view in views],
        "picked": [view.select([3, 1, 2, 0, 4]) for view in views],
        "mapped": [view.map(lambda rows: {"query": rows["query"][::-1]}, batched=True) for view in views],
        "split": [view.train_test_split(0.5, shuffle=False)["train"] for view in views],
    }
    for what, its in changed.items():
        assert error(its) in {NO_VIEWS, NOT_WHOLE}, what
        assert error([views[0], *its[1:]]) == NOT_WHOLE, what
    assert error([view.filter(lambda row: True) for view in views]) == NOT_WHOLE


def test_some_of_the_views_or_another_order(views: list[ParallelView]) -> None:
    other = corpus_of("laws", 20, ["de", "en"]).views()
    for its in (views[:3], views[1:], views[::-1], [*views, views[0]], [*views[:2], *list(other.values())[2:]]):
        assert error(its) == NOT_WHOLE


def test_a_transform_or_a_copy_of_a_view_is_none_the_worse(views: list[ParallelView]) -> None:
    expected = list(sampler_of(views, 4))
    assert list(sampler_of([view.with_transform(lambda rows: rows) for view in views], 4)) == expected


def test_a_batch_that_cannot_be_filled_is_told_before_training() -> None:
    corpus = corpus_of("laws", 20, ["de", "en"], missing=[(row, "en") for row in range(12)])
    assert len(sampler_of(corpus.views(), 4, processes=2)) == 4
    with pytest.raises(HybridError, match="laws: monolingual batches in en need 9 different passages, there are 8"):
        sampler_of(corpus.views(), 3, processes=3)


# --- the trainer of sentence-transformers, as it is -----------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformer:
    return tiny_encoder(device="cpu")


@pytest.fixture(scope="module")
def world() -> ParallelCorpus:
    return corpus_from_collection(generate_world(200, languages=("en", "de", "zh")))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """With several threads, sums may be rounded otherwise from run to run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recorder(MultipleNegativesRankingLoss):
    """The stock loss; notes what the model is given."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__(model, scale=20.0)
        self.given: list[list[list[int]]] = []

    def forward(self, sentence_features: Any, labels: torch.Tensor) -> Any:
        sentence_features = list(sentence_features)
        self.given.append([features["input_ids"].tolist() for features in sentence_features])
        return super().forward(sentence_features, labels)


def train(
    encoder: SentenceTransformer, dataset: Any, folder: Path, *, resume: str | None = None, **settings: Any
) -> tuple[SentenceTransformerTrainer, Recorder]:
    model = copy.deepcopy(encoder)
    loss = Recorder(model)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=16,
        learning_rate=1.0,
        logging_steps=1,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        **{"save_strategy": "no", "multi_dataset_batch_sampler": HybridBatchSampler, **settings},
    )
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=dataset, loss=loss)
    trainer.train(resume_from_checkpoint=resume)
    return trainer, loss


def loss_of(model: SentenceTransformer, corpus: ParallelCorpus, query: str, passage: str) -> float:
    """The loss of all rows as one batch, in two languages."""
    columns = [corpus.table[f"query_{query}"].to_pylist(), corpus.table[f"passage_{passage}"].to_pylist()]
    with torch.no_grad():
        features = [model.preprocess(texts) for texts in columns]
        return float(MultipleNegativesRankingLoss(model)(features, torch.arange(len(corpus))))


def test_the_stock_trainer_trains_and_the_loss_falls(
    encoder: SentenceTransformer, world: ParallelCorpus, tmp_path: Path
) -> None:
    facts = world.select_rows(range(64))
    trainer, _ = train(encoder, facts.views(), tmp_path, max_steps=30)
    assert trainer.state.global_step == 30
    for query, passage in (("en", "en"), ("zh", "zh"), ("en", "zh"), ("zh", "de")):
        before, after = (loss_of(model, facts, query, passage) for model in (encoder, trainer.model))
        assert after < 0.7 * before


def test_the_trainer_gives_the_model_the_batches_in_their_order(
    encoder: SentenceTransformer, world: ParallelCorpus, tmp_path: Path
) -> None:
    options = partial(HybridBatchSampler, strategy="cross")
    _, loss = train(encoder, world.views(), tmp_path, multi_dataset_batch_sampler=options, max_steps=15, seed=5)
    sampler = sampler_of(world.views(), 16, strategy="cross", seed=5)
    assert len(sampler) == 12  # so 3 steps are of the second epoch
    expected = []
    for batch in [*sampler.batches.epoch(0), *islice(sampler.batches.epoch(1), 3)]:
        pairs = zip(batch.rows.tolist(), batch.query_languages, batch.passage_languages, strict=True)
        texts = [
            (world.texts(row, world.languages[query])[0], world.texts(row, world.languages[passage])[1])
            for row, query, passage in pairs
        ]
        expected.append([encoder.preprocess(list(column))["input_ids"].tolist() for column in zip(*texts, strict=True)])
    assert loss.given == expected


def test_a_resumed_run_ends_with_the_same_weights(
    encoder: SentenceTransformer, world: ParallelCorpus, tmp_path: Path, one_thread: None
) -> None:
    """From the middle of the second epoch; the loss notes what the model is given."""
    settings: dict[str, Any] = {"num_train_epochs": 3, "save_strategy": "steps", "save_steps": 17}
    whole, all_given = train(encoder, world.views(), tmp_path, **settings)
    assert whole.state.global_step == 36
    resumed, given = train(encoder, world.views(), tmp_path, resume=str(tmp_path / "checkpoint-17"), **settings)
    assert given.given == all_given.given[17:]
    expected, found = whole.model.state_dict(), resumed.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not torch.equal(*(next(iter(model.state_dict().values())) for model in (encoder, resumed.model)))
