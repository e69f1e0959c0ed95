"""The generic task: figures equal to unmodified mteb's, texts encoded once, every kind of model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import mteb
import numpy as np
import pytest
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.cache import ResultCache
from mteb.types import PromptType

from mteb_hybrid import ParallelCollection, TextTable, collection_tasks, generate_world, register
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation import consistency, dense
from mteb_hybrid.evaluation.shared_run import shared_run
from mteb_hybrid.tasks import (
    MLQARCrossLingual,
    MLQARMonolingual,
    MLQARMultilingual,
    XQuADRCrossLingual,
    XQuADRMonolingual,
    XQuADRMultilingual,
)
from tests.evaluation.encoders import HashCrossEncoder, HashEncoder, HashSearch, SparseHashEncoder

LANGUAGES = ("en", "de", "ru")


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()


def world(facts: int = 40, name: str = "World") -> ParallelCollection:
    """A small parallel collection with some texts that occur twice, so that similarities tie."""
    made = generate_world(facts, languages=LANGUAGES, name=name)
    passages = {
        language: TextTable(
            (*table.ids, f"{language}-again", f"{language}-0-again"),
            (*table.texts, table.texts[3], table.texts[0]),
            (*table.groups, (), ()),
        )
        for language, table in made.passages.items()
    }
    return ParallelCollection(name, made.queries, passages)


def unmodified(task: AbsTaskRetrieval) -> AbsTaskRetrieval:
    """mteb's own retrieval task over the very same data."""
    fields = task.metadata.model_dump()
    fields |= {"name": f"{task.metadata.name}Unmodified", "main_score": "ndcg_at_10"}

    class Unmodified(AbsTaskRetrieval):
        metadata = TaskMetadata(**fields)

    plain = Unmodified()
    plain.dataset, plain.data_loaded = task.dataset, True
    plain.hf_subsets = task.hf_subsets
    return plain


def evaluated(task: Any, model: Any, subset: str) -> dict[str, Any]:
    if not task.data_loaded:
        task.load_data()
    scores: dict[str, Any] = task.evaluate(model, "test", subsets_to_run=[subset], encode_kwargs={"batch_size": 32})
    return scores[subset]


def assert_equal_to_mteb(task: Any, model: Any, subset: str) -> None:
    ours = evaluated(task, model, subset)
    theirs = evaluated(unmodified(task), model, subset)
    assert len(theirs) > 140
    for name, value in theirs.items():
        if name != "main_score":
            same = math.isnan(value) and math.isnan(ours[name])
            assert same or ours[name] == pytest.approx(value, abs=1e-9), (subset, name)


@pytest.mark.parametrize("setting", ["Monolingual", "CrossLingual", "Multilingual"])
@pytest.mark.parametrize("encoder", [HashEncoder(), HashEncoder(dimensions=3, spread=1), SparseHashEncoder()])
def test_every_score_that_mteb_reports_equals_mteb_with_ties(setting: str, encoder: HashEncoder) -> None:
    tasks = {task.metadata.name: task for task in collection_tasks(world())}
    task = tasks[f"World{setting}"]()
    for subset in task.hf_subsets[:3]:
        assert_equal_to_mteb(task, encoder, subset)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "subsets"),
    [
        (XQuADRMonolingual, ["th-th"]),
        (XQuADRCrossLingual, ["ar-de"]),
        (XQuADRMultilingual, ["de-all"]),
        (MLQARMonolingual, ["es-es"]),
        (MLQARCrossLingual, ["en-vi"]),
        (MLQARMultilingual, ["es-all"]),
    ],
)
def test_scores_equal_mteb_on_the_real_files(task: Any, subsets: list[str], lareqa_data: Path) -> None:
    # Enough different values that no tie falls on rank 1000, where mteb keeps what torch.topk happens to name.
    for subset in subsets:
        assert_equal_to_mteb(task(), HashEncoder(dimensions=64, spread=8), subset)


def test_a_similarity_matrix_in_parts_gives_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    task = collection_tasks(world())[2]()
    whole = evaluated(task, HashEncoder(), "de-all")
    monkeypatch.setattr(dense, "SIMILARITIES_AT_ONCE", 1000)
    monkeypatch.setattr(consistency, "SIMILARITIES_AT_ONCE", 1000)
    parts = evaluated(collection_tasks(world())[2](), HashEncoder(), "de-all")
    assert json.dumps(parts, sort_keys=True) == json.dumps(whole, sort_keys=True)


def test_each_distinct_text_is_encoded_once_per_role_over_all_tasks() -> None:
    collection = world()
    encoder = HashEncoder()
    with shared_run():
        for task in collection_tasks(collection):
            if not issubclass(task, AbsTaskRetrieval):
                continue
            mteb.evaluate(encoder, task(), cache=None, show_progress_bar=False)
    assert set(encoder.asked.values()) == {1}
    texts = {
        *(("query", text) for table in collection.queries.values() for text in table.texts),
        *(("document", text) for table in collection.passages.values() for text in table.texts),
    }
    assert set(encoder.asked) == texts


def test_one_subset_encodes_the_texts_of_its_languages_alone() -> None:
    encoder = HashEncoder()
    evaluated(collection_tasks(world())[1](), encoder, "de-en")
    assert len(encoder.asked) == 40 + len(set(world().passages["en"].texts))


def test_a_multilingual_subset_alone_scores_as_among_all() -> None:
    alone, among = (collection_tasks(world())[2]() for _ in range(2))
    among.load_data()
    everything = among.evaluate(HashEncoder(), "test", encode_kwargs={})
    for subset in ("en-all", "ru-all"):
        assert json.dumps(evaluated(alone, HashEncoder(), subset)) == json.dumps(everything[subset])


def test_consistency_is_that_of_the_model_at_hand() -> None:
    """A task that is loaded already is asked about several models."""
    task, other = collection_tasks(world())[2](), HashEncoder(dimensions=5)
    first = evaluated(task, HashEncoder(), "de-all")
    assert (
        evaluated(task, other, "de-all")["mrc_at_20"]
        == evaluated(collection_tasks(world())[2](), other, "de-all")["mrc_at_20"]
    )
    assert first["mrc_at_20"] != evaluated(task, other, "de-all")["mrc_at_20"]


def test_the_encoder_is_told_what_mteb_tells_it() -> None:
    ours, theirs = HashEncoder(), HashEncoder()
    task = collection_tasks(world())[0]()
    evaluated(task, ours, "de-de")
    evaluated(unmodified(task), theirs, "de-de")
    for mine, other in zip(ours.calls, theirs.calls, strict=True):
        assert {k: v for k, v in mine.items() if k != "task_metadata"} == {
            k: v for k, v in other.items() if k != "task_metadata"
        }
    assert [call["prompt_type"] for call in ours.calls] == [PromptType.query, PromptType.document]
    assert ours.calls[0]["task_metadata"].name == "WorldMonolingual"


def test_map_and_bias_of_a_hand_worked_pool() -> None:
    """Two languages; the query is nearest to a distractor of its language, then its answer, then the translation."""

    class Given(HashEncoder):
        vectors: ClassVar = {
            "q": [10, 0],
            "same": [8, 0],
            "noise": [9, 0],
            "far": [2, 0],
            "other": [3, 0],
            "low": [1, 0],
        }

        def _vector(self, text: str) -> np.ndarray[Any, Any]:
            return np.array(self.vectors[text])

    collection = ParallelCollection(
        "Hand",
        {"en": TextTable(("1",), ("q",), (("g",),)), "de": TextTable((), (), ())},
        {
            "en": TextTable(("e1", "e2", "e3"), ("same", "noise", "other"), (("g",), (), ())),
            "de": TextTable(("d1", "d2"), ("far", "low"), (("g",), ())),
        },
    )
    tasks = {task.metadata.name: task for task in collection_tasks(collection)}
    scores = evaluated(tasks["HandMultilingual"](), Given(), "en-all")
    assert scores["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)  # ranks 2 and 4 of 5
    assert scores["rank_distance"] == 2
    assert scores["rank_closeness"] == pytest.approx(1 - 2 / 4)
    assert scores["worst_rank"] == 4
    assert scores["query_language_first"] == 1
    assert scores["top1_query_language"] == 1
    assert scores["language_share_at_10"] == {"en": 0.6, "de": 0.4}
    assert scores["language_share_distance_at_10"] == pytest.approx(0)
    assert evaluated(tasks["HandCrossLingual"](), Given(), "en-de")["map"] == 1
    assert evaluated(tasks["HandMonolingual"](), Given(), "en-en")["map"] == 1 / 2
    assert "de-de" not in tasks["HandMonolingual"]().hf_subsets  # nobody asks in German


def test_a_search_model_that_returns_everything_scores_as_the_encoder() -> None:
    tasks = collection_tasks(world())
    for task, subset in ((tasks[0], "de-de"), (tasks[2], "ru-all")):
        by_encoder = evaluated(task(), HashEncoder(), subset)
        by_search = evaluated(task(), HashSearch(), subset)
        of_embeddings = {name for name in by_encoder if name.startswith("mrc")}
        assert of_embeddings == by_encoder.keys() - by_search.keys()
        for name, value in by_encoder.items():
            if isinstance(value, float) and name not in of_embeddings:
                assert by_search[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_what_a_search_model_leaves_out_counts_as_not_found() -> None:
    task = collection_tasks(world())[2]()
    assert_equal_to_mteb(task, HashSearch(keep=7), "de-all")
    scores = evaluated(task, HashSearch(keep=7), "de-all")
    assert scores["map"] == pytest.approx(scores["map_at_1000"], abs=1e-5)


def test_a_cross_encoder_is_refused_until_it_has_something_to_rerank(tmp_path: Path) -> None:
    task = collection_tasks(world())[0]()
    with pytest.raises(HybridError, match=r"cross-encoder.*--prediction-folder"):
        evaluated(task, HashCrossEncoder(), "de-de")
    mteb.evaluate(HashEncoder(), task, cache=None, prediction_folder=tmp_path, show_progress_bar=False)
    reranking = collection_tasks(world())[0]().convert_to_reranking(tmp_path, top_k=5)
    scores = evaluated(reranking, HashCrossEncoder(), "de-de")
    assert scores["map"] == pytest.approx(scores["map_at_1000"], abs=1e-5)
    assert scores["previous_results_model_meta"]["model_name"] == "test/hash-encoder"


def test_language_bias_cannot_be_a_reranking_task(tmp_path: Path) -> None:
    bias = collection_tasks(world())[3]
    mteb.evaluate(HashEncoder(), bias(), cache=None, prediction_folder=tmp_path, show_progress_bar=False)
    with pytest.raises(HybridError, match="whole pool"):
        evaluated(bias().convert_to_reranking(tmp_path), HashEncoder(), "de-all")


def test_a_model_that_gives_nan_is_named() -> None:
    class Broken(HashEncoder):
        def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
            return super().similarity(embeddings1, embeddings2) * float("nan")

    with pytest.raises(HybridError, match=r"test/hash-encoder.*not a number"):
        evaluated(collection_tasks(world())[0](), Broken(), "de-de")


def test_an_interrupted_task_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    class Stops(HashEncoder):
        left = 5

        def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().similarity(embeddings1, embeddings2)

    cache, whole = ResultCache(tmp_path / "stopped"), ResultCache(tmp_path / "whole")
    aggregate = collection_tasks(world())[-1]
    with pytest.raises(KeyboardInterrupt):
        mteb.evaluate(Stops(), aggregate(), cache=cache, show_progress_bar=False)
    again = HashEncoder()
    resumed = mteb.evaluate(again, aggregate(), cache=cache, show_progress_bar=False)
    uninterrupted = mteb.evaluate(HashEncoder(), aggregate(), cache=whole, show_progress_bar=False)
    # mteb keeps six decimals on disk
    assert resumed.task_results[0].main_score == pytest.approx(uninterrupted.task_results[0].main_score, abs=1e-6)
    for part in ("WorldMonolingual", "WorldCrossLingual", "WorldMultilingual"):
        assert scores_in(cache.cache_path, part) == scores_in(whole.cache_path, part)


def scores_in(folder: Path, task: str) -> list[str]:
    (path,) = folder.rglob(f"{task}.json")
    return sorted(json.dumps(entry, sort_keys=True) for entry in json.loads(path.read_text())["scores"]["test"])


def test_the_aggregate_is_the_mean_of_the_settings_and_names_them(tmp_path: Path) -> None:
    results = mteb.evaluate(HashEncoder(), collection_tasks(world())[-1](), cache=None, show_progress_bar=False)
    (entry,) = results.task_results[0].scores["test"]
    settings = [entry[name] for name in ("monolingual", "cross_lingual", "multilingual")]
    assert entry["main_score"] == pytest.approx(np.mean(settings))
    assert all(0 < value < 1 for value in settings)


def test_token_limits_hold_while_encoding_and_are_put_back() -> None:
    class Inner:
        max_seq_length = 128

    class Limited(HashEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.model = Inner()
            self.limits: dict[PromptType, int] = {}

        def encode(self, inputs: Any, *, prompt_type: Any = None, **kwargs: Any) -> Any:
            self.limits[prompt_type] = self.model.max_seq_length
            return super().encode(inputs, prompt_type=prompt_type, **kwargs)

    encoder = Limited()
    task = type(
        "Cut", (collection_tasks(world())[2],), {"token_limits": {PromptType.query: 96, PromptType.document: 256}}
    )
    evaluated(task(), encoder, "de-all")
    assert encoder.limits == {PromptType.query: 96, PromptType.document: 128}  # never above the model's own
    assert encoder.model.max_seq_length == 128


def test_results_are_found_again_by_mteb(tmp_path: Path) -> None:
    from mteb_hybrid.tasks import ParallelWorldMonolingual

    cache = ResultCache(tmp_path)
    mteb.evaluate(HashEncoder(), ParallelWorldMonolingual(), cache=cache, show_progress_bar=False)
    results = cache.load_results(models=["test/hash-encoder"], tasks=["ParallelWorldMonolingual"])
    (result,) = results.model_results[0].task_results
    assert len(result.scores["test"]) == 8
    assert result.dataset_revision == ParallelWorldMonolingual.metadata.revision
    frame = results.to_dataframe()
    assert 0 < float(frame["test/hash-encoder"].iloc[0]) < 1


def test_the_revision_of_the_generated_world_is_that_of_its_texts() -> None:
    from mteb_hybrid.tasks import ParallelWorld, ParallelWorldMonolingual

    assert ParallelWorldMonolingual.metadata.revision == ParallelWorldMonolingual.load_collection().revision
    assert ParallelWorld.metadata.main_score == "map"


def test_the_tasks_of_a_collection_read_again_take_the_place_of_the_first() -> None:
    from mteb_hybrid import register_tasks

    register_tasks(collection_tasks(world(name="Again")))
    second = collection_tasks(world(facts=12, name="Again"))
    register_tasks(second)
    assert type(mteb.get_task("AgainMonolingual")) is second[0]
    assert sum(task.metadata.name == "AgainMonolingual" for task in mteb.get_tasks(exclude_superseded=False)) == 1
    with pytest.raises(HybridError, match="another task named ParallelWorldMonolingual"):
        register_tasks(collection_tasks(world(name="ParallelWorld")))
