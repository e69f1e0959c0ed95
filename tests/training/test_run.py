"""Training by a recipe: what is trained on, what is left behind, and that a stopped run goes on as if never stopped."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from mteb_hybrid.encoder_record import encoder_record
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.batches import Batch, HybridBatches, batch_digest
from mteb_hybrid.training.folders import work_folder
from mteb_hybrid.training.recipe import AlphaSchedule, Recipe
from mteb_hybrid.training.recipe_file import dump_recipe, read_recipe
from mteb_hybrid.training.run import Trained, train
from mteb_hybrid.training.sampler import row_index
from mteb_hybrid.training.sources import load_data
from mteb_hybrid.training.trainer import HybridTrainer
from tests.test_train_command import ended, start, two_processes
from tests.training.small_runs import (
    LANGUAGES,
    ROWS,
    logged,
    recipe,
    record,
    rows,
    single_thread,
    static_model,
    transformer_model,
    weights,
    words_of,
    write,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with single_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora and models that know their words."""
    folder = tmp_path_factory.mktemp("inputs")
    ragged, others = rows(ragged=True), rows(16, ("en", "fr"), name="other", negatives=2)
    write(folder / "ragged.jsonl", ragged)
    write(folder / "whole.jsonl", rows())
    write(folder / "other.jsonl", others)
    static_model(folder / "static", [*words_of(rows(), others), "ask", "tell"])
    transformer_model(folder / "transformer", words_of(rows()))
    return folder


@pytest.fixture
def small(folder: Path) -> Callable[..., Recipe]:
    """What makes recipes of the static model and the ragged corpus."""
    return lambda **sections: recipe(folder / "static", folder / "ragged.jsonl", **sections)


def run(recipe: Recipe, output: Path, **options: Any) -> Path:
    """Train to the end."""
    trained = train(recipe, output, show_progress_bar=False, **options)
    assert trained.folder == output
    assert trained.stopped_by is None
    assert trained.main
    assert trained.steps == record(output).steps
    return output


def batches_of(recipe: Recipe, **options: Any) -> HybridBatches:
    """The batches that a recipe asks for, made by hand."""
    settings = recipe.batches
    corpora = load_data(recipe).corpora
    return HybridBatches(
        list(map(row_index, corpora)),
        settings.size,
        strategy=settings.strategy,
        alpha=settings.alpha,
        seed=recipe.seed,
        **options,
    )


def first(batches: HybridBatches, number: int) -> list[Batch]:
    """The first batches, through the epochs."""
    return list(islice(chain.from_iterable(map(batches.epoch, range(99))), number))


Texts = list[list[str]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Texts]:
    """The texts of every batch that the model is trained on, column by column."""
    seen: list[Texts] = []
    compute_loss = HybridTrainer.compute_loss

    def noted(self: HybridTrainer, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if model.training:
            columns = [key for key in inputs if key.endswith("_input_ids")]
            seen.append([self.model.tokenizer.decode_batch(inputs[key].reshape(-1, 1).tolist()) for key in columns])
        return compute_loss(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(HybridTrainer, "compute_loss", noted)
    return seen


def texts_of(batch: Batch, recipe: Recipe) -> Texts:
    """The texts of a batch, looked up in the corpus."""
    corpus = load_data(recipe).corpora[batch.source]
    languages = (batch.query_languages, batch.passage_languages)
    columns: Texts = [[], []]
    for role, numbers in enumerate(languages):
        for row, number in zip(batch.rows, numbers, strict=True):
            text = corpus.texts(int(row), corpus.languages[number])[role]
            assert text is not None
            columns[role].append(text)
    return columns


# ---- what is trained on


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "hybrid"},
        {"strategy": "mixed"},
        {"strategy": "bilingual", "alpha": 0.5},
        {"alpha": AlphaSchedule(start=1, end=0)},
    ],
    ids=lambda settings: "-".join(map(str, settings)),
)
@pytest.mark.parametrize("accumulation", [1, 3])
def test_the_batches_are_those_that_the_record_says(
    settings: dict[str, Any], accumulation: int, small: Callable[..., Recipe], seen: list[Texts], tmp_path: Path
) -> None:
    """Over three epochs of five batches; with accumulation an epoch is a step of three batches and one of two."""
    asked = small(batches=settings, training={"max_steps": 5, "gradient_accumulation_steps": accumulation})
    number = {1: 5, 3: 13}[accumulation]
    model = run(asked, tmp_path / "ours")
    expected = first(batches_of(asked, steps=number), number)
    assert seen == [texts_of(batch, asked) for batch in expected]
    assert record(model).batches_digest == batch_digest(expected)
    assert record(model).steps == 5


def test_a_schedule_of_alpha_runs_over_the_whole_training(
    small: Callable[..., Recipe], seen: list[Texts], tmp_path: Path
) -> None:
    asked = small(batches={"alpha": AlphaSchedule(start=1, end=0)}, training={"max_steps": 60})
    run(asked, tmp_path / "ours")
    monolingual = [len({text.rstrip("0123456789")[:-1] for text in chain(*columns)}) == 1 for columns in seen]
    assert sum(monolingual[:20]) > 12
    assert sum(monolingual[-20:]) < 8


# ---- what is left behind


def test_the_outcome_is_a_plain_model(small: Callable[..., Recipe], folder: Path, tmp_path: Path) -> None:
    asked = small()
    model = run(asked, tmp_path / "models" / "ours")
    assert [path.name for path in model.parent.iterdir()] == ["ours"]
    assert {path.suffix for path in model.rglob("*") if path.is_file()} == {".json", ".yaml", ".safetensors"}
    assert SentenceTransformer(str(model), device="cpu").encode(["deq1"]).shape == (1, 16)
    assert weights(model).keys() == weights(folder / "static").keys()
    assert weights(model) != weights(folder / "static")
    assert read_recipe(model / "recipe.yaml") == asked


def test_the_record(small: Callable[..., Recipe], folder: Path, tmp_path: Path) -> None:
    source = {"source": str(folder / "ragged.jsonl"), "name": "tales", "mteb_tasks": ["B", "A"]}
    asked = small(data=[source])
    model = run(asked, tmp_path / "ours")
    found = record(model)
    assert found.encoder == encoder_record(SentenceTransformer(str(model), device="cpu"))
    (corpus,) = load_data(asked).corpora
    (data,) = found.data
    missing = ROWS // 3
    assert (data.name, data.rows, data.pairs) == ("tales", ROWS, ROWS * len(LANGUAGES) - missing)
    assert data.languages == list(LANGUAGES)
    assert data.fingerprint == corpus.fingerprint
    assert data.mteb_tasks == ["A", "B"]
    assert found.mteb_tasks == {"A", "B"}
    assert found.base == str(folder / "static")
    assert (found.steps, found.best_step, found.batch_size, found.processes) == (10, None, 8, 1)
    assert found.versions["torch"] == version("torch")
    assert found.versions["python"].startswith("3.")
    assert found.hardware.startswith(("1 threads", "1 x"))
    assert 0 < found.seconds < 60
    assert [entry["step"] for entry in found.curve if "loss" in entry] == list(range(1, 11))


def test_training_goes_on_from_a_trained_model(small: Callable[..., Recipe], folder: Path, tmp_path: Path) -> None:
    """What was trained on before stays known; what a folder of other origin began with is not."""
    source = {"source": str(folder / "ragged.jsonl"), "mteb_tasks": ["A"]}
    first = run(recipe("mteb-hybrid/tiny", source, training={"max_steps": 1}), tmp_path / "first")
    source = {"source": str(folder / "ragged.jsonl"), "mteb_tasks": ["B"]}
    second = run(recipe(first, source, training={"max_steps": 1}), tmp_path / "second")
    third = run(recipe(second, folder / "ragged.jsonl", training={"max_steps": 1}), tmp_path / "third")
    assert record(second).base_mteb_tasks == ["A"]
    assert record(third).mteb_tasks == {"A", "B"}
    assert [record(model).origin for model in (first, second, third)] == ["mteb-hybrid/tiny"] * 3
    assert record(run(small(), tmp_path / "other")).origin is None


@pytest.mark.parametrize("epochs", [1, 2.4])
def test_the_length_in_epochs(epochs: float, small: Callable[..., Recipe], tmp_path: Path) -> None:
    model = run(small(training={"max_steps": None, "num_train_epochs": epochs}), tmp_path / "ours")
    assert record(model).steps == math.ceil(epochs * (ROWS // 8))


def test_the_loss_falls(small: Callable[..., Recipe], tmp_path: Path) -> None:
    model = run(small(training={"max_steps": 60, "save_strategy": "no"}), tmp_path / "ours")
    for key in ("loss", "loss_mono", "loss_cross"):
        losses = list(logged(model, key))
        assert sum(losses[-5:]) < sum(losses[:5]) / 2, key


def test_the_same_recipe_gives_the_same_weights(small: Callable[..., Recipe], tmp_path: Path) -> None:
    models = [run(small(), tmp_path / name) for name in ("first", "second")]
    other = run(small(seed=43), tmp_path / "third")
    assert weights(models[0]) == weights(models[1])
    assert weights(models[0]) != weights(other)
    assert record(models[0]).batches_digest != record(other).batches_digest


def test_what_trackers_wrote_is_kept(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """TensorBoard writes into the trainer's folder, which goes when the model is done."""

    def track(_: str) -> None:
        (work_folder(output) / "runs" / "today").mkdir(parents=True, exist_ok=True)
        (work_folder(output) / "runs" / "today" / "events").write_text("loss 1.5")

    output = tmp_path / "ours"
    model = run(small(training={"max_steps": 1}), output, say=track)
    assert (model / "runs" / "today" / "events").read_text() == "loss 1.5"
    assert not work_folder(output).exists()


# ---- what a recipe can ask for


def test_two_sources_of_different_languages_and_negatives(folder: Path, seen: list[Texts], tmp_path: Path) -> None:
    sources = [folder / "ragged.jsonl", folder / "other.jsonl"]
    asked = recipe(folder / "static", *sources, training={"max_steps": 14})
    model = run(asked, tmp_path / "ours")
    assert [(data.name, data.languages) for data in record(model).data] == [
        ("ragged", ["de", "en", "zh-Hant"]),
        ("other", ["en", "fr"]),
    ]
    expected = first(batches_of(asked), 14)
    assert {batch.source for batch in expected} == {0, 1}
    assert [columns[:2] for columns in seen] == [texts_of(batch, asked) for batch in expected]
    for columns, batch in zip(seen, expected, strict=True):
        assert len(columns) == (2, 4)[batch.source]
        for negatives in columns[2:]:
            assert {text[:7] for text in negatives} == {text[:7] for text in columns[1]}  # of the passages' languages


def test_prompts_are_put_before_texts(folder: Path, seen: list[Texts], tmp_path: Path) -> None:
    """In training, negatives included, and by what loads the model that is left."""
    model = {"query_prompt": "ask ", "passage_prompt": "tell "}
    asked = recipe(folder / "static", folder / "other.jsonl", model=model, training={"max_steps": 1})
    trained = run(asked, tmp_path / "ours")
    (columns,) = seen
    assert [set(column[::2]) for column in columns] == [{"ask"}, {"tell"}, {"tell"}, {"tell"}]
    assert [column[1::2] for column in columns[:2]] == texts_of(first(batches_of(asked), 1)[0], asked)
    assert SentenceTransformer(str(trained), device="cpu").prompts == {"query": "ask ", "document": "tell "}


def test_validation_by_share_keeps_the_best_checkpoint(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Steps that are far too large: the loss soon rises, and the end is not the best."""
    asked = small(
        validation={"share": 0.25, "every": 3}, training={"max_steps": 30, "learning_rate": 2.0, "save_total_limit": 1}
    )
    said: list[str] = []
    model = run(asked, tmp_path / "ours", say=said.append)
    losses = {entry["step"]: entry["eval_loss"] for entry in record(model).curve if "eval_loss" in entry}
    assert list(losses) == list(range(3, 31, 3))
    best = record(model).best_step
    assert best is not None
    assert best < 30
    assert losses[best] == min(losses.values())
    assert "validation: 10 pairs" in said
    assert "batches: hybrid, 8 pairs, 3 an epoch; 30 steps" in said  # of 30 rows, with 8 a batch

    stopped = run(
        small(validation=asked.validation.model_dump(), training=asked.training | {"max_steps": best}),
        tmp_path / "short",
    )
    assert weights(stopped) == weights(model)


def test_validation_by_a_source(folder: Path, tmp_path: Path) -> None:
    asked = recipe(
        folder / "static",
        folder / "whole.jsonl",
        validation={"source": {"source": str(folder / "other.jsonl")}, "pairs": 12, "languages": ["fr"], "every": 5},
    )
    said: list[str] = []
    model = run(asked, tmp_path / "ours", say=said.append)
    assert "validation: 12 pairs" in said
    assert record(model).data[0].rows == ROWS
    assert len(list(logged(model, "eval_loss"))) == 2
    assert record(model).best_step in {5, 10}


def test_training_stops_early(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """The loss on texts that share no word with those trained on stays what it was: nothing is gained."""
    source = write(tmp_path / "strange.jsonl", rows(8, name="strange"))
    validation = {"source": {"source": str(source)}, "every": 2, "patience": 3}
    asked = small(validation=validation, training={"max_steps": 50})
    model = run(asked, tmp_path / "ours")
    found = record(model)
    assert found.steps == 8  # the first is the best so far, three more are none
    assert found.best_step == 2
    assert found.batches_digest == batch_digest(first(batches_of(asked), 8))


@pytest.mark.parametrize(
    ("training", "step"),
    [
        ({"save_steps": 5}, 2),
        ({"logging_steps": 100, "save_steps": 4}, 4),
        ({"logging_strategy": "no", "save_strategy": "no"}, 10),
    ],
    ids=["log", "checkpoint", "end"],
)
def test_a_training_that_diverges_makes_no_model(
    training: dict[str, Any], step: int, small: Callable[..., Recipe], tmp_path: Path
) -> None:
    """The first step makes the weights infinite; the next log, checkpoint or else the end shows it."""
    with pytest.raises(HybridError, match=rf"^training diverged by step {step}: .*learning_rate.*--overwrite$"):
        train(small(training={"learning_rate": 1e38} | training), tmp_path / "ours", show_progress_bar=False)
    assert [*tmp_path.iterdir()] == []


EVERY_OBJECTIVE = {"distill": {"alone": 0.25}, "score_distill": {}, "translate_align": 1.0, "keep": 0.5}

OPTIONS: dict[str, dict[str, Any]] = {
    "symmetric": {"loss": {"symmetric": True, "temperature": 0.1}},
    "matryoshka": {"loss": {"matryoshka": [4, 8]}},
    "distillation": {"loss": {"distillation": {"weight": 2.0}}},
    "cached": {"loss": {"mini_batch_size": 4}},
    "cached distillation": {"loss": {"mini_batch_size": 4, "distillation": {}}},
    "objectives": {"loss": EVERY_OBJECTIVE},
    "cached objectives": {"loss": EVERY_OBJECTIVE | {"contrastive": 0.5, "mini_batch_size": 4, "matryoshka": [8]}},
    "adapters": {"model": {"lora": {"rank": 2, "target_modules": ["query", "value"]}}},
    "half precision": {"training": {"bf16": True}, "model": {"freeze_embeddings": True}},
    "less memory": {"model": {"gradient_checkpointing": True, "max_seq_length": 4}},
    "workers": {"training": {"dataloader_num_workers": 1}},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_a_transformer(option: str, folder: Path, tmp_path: Path) -> None:
    """Each trains, to other weights than without it, and what is left is of the same form as without it."""
    if option == "adapters":
        pytest.importorskip("peft")
    training = {"learning_rate": 0.01, "max_steps": 4, "save_strategy": "no"}
    options = dict(OPTIONS[option])
    options["training"] = training | options.get("training", {})
    model = run(recipe(folder / "transformer", folder / "whole.jsonl", **options), tmp_path / "ours")
    assert len(list(logged(model, "loss"))) == 4
    before, after = weights(folder / "transformer"), weights(model)
    assert after.keys() == before.keys()
    changed = {name.rpartition(": ")[2] for name in before if after[name] != before[name]}
    embeddings = "embeddings.word_embeddings.weight"
    attention = "encoder.layer.1.attention.self.query.weight"
    assert attention in changed
    assert (embeddings in changed) == (option not in {"adapters", "half precision"})
    loaded = SentenceTransformer(str(model), device="cpu")
    assert loaded.max_seq_length == SentenceTransformer(str(folder / "transformer"), device="cpu").max_seq_length
    assert loaded.encode(["deq1"]).shape == (1, 16)
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())


# ---- objectives


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("distill", {"distill": {"weight": 1.0}}),
        ("score_distill", {"score_distill": {}}),
        ("score_distill", {"score_distill": {"teacher": "base"}}),
        ("translate_align", {"translate_align": 1.0}),
    ],
)
def test_the_tiny_encoder_learns_each_objective(
    name: str, objective: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    loss = objective | {"contrastive": 0.0}
    training = {"max_steps": 40, "save_strategy": "no"}
    model = run(recipe("mteb-hybrid/tiny", folder / "ragged.jsonl", loss=loss, training=training), tmp_path / "ours")
    losses = list(logged(model, f"loss_{name}"))
    assert len(losses) == 40
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert list(logged(model, "loss_contrastive"))


def test_keep_holds_texts_where_they_were(folder: Path, tmp_path: Path) -> None:
    """The distance is measured in both runs, and counts in one."""
    distances = []
    for keep in (1e-9, 100.0):
        asked = recipe(folder / "static", folder / "whole.jsonl", loss={"keep": keep}, training={"max_steps": 40})
        model = run(asked, tmp_path / str(keep))
        found = list(logged(model, "loss_keep"))
        assert found[0] == pytest.approx(0, abs=1e-4)
        distances.append(sum(found[-5:]))
    assert distances[1] < 0.8 * distances[0]


def test_objectives_of_sources_that_lack_the_pivot_language(folder: Path, tmp_path: Path) -> None:
    """Batches of one source have no German, and hard negatives; its rows add nothing to what is parallel."""
    sources = [folder / "ragged.jsonl", folder / "other.jsonl"]
    loss = EVERY_OBJECTIVE | {"pivot": "de"}
    asked = recipe(folder / "static", *sources, loss=loss, training={"max_steps": 14, "save_strategy": "no"})
    model = run(asked, tmp_path / "ours")
    sources_of = [batch.source for batch in first(batches_of(asked), 14)]
    aligned = {entry["step"]: entry["loss_translate_align"] for entry in record(model).curve if "loss_keep" in entry}
    assert list(aligned) == list(range(5, 15))  # after a quarter of the steps
    for step, value in aligned.items():
        assert (value == 0) == (sources_of[step - 1] == 1), step
    assert weights(model).keys() == weights(folder / "static").keys()


def test_a_teacher_of_another_vocabulary(folder: Path, tmp_path: Path) -> None:
    """It reads the texts, and has other dimensions."""
    strange = static_model(tmp_path / "strange", words_of(rows(16), rows())[::-1], dimensions=4)
    loss = {"distill": {"teacher": str(strange), "weight": 1.0}, "contrastive": 0.0}
    asked = recipe(folder / "static", folder / "whole.jsonl", loss=loss, training={"max_steps": 60})
    model = run(asked, tmp_path / "ours")
    losses = list(logged(model, "loss_distill"))
    assert sum(losses[-5:]) < sum(losses[:5]) / 2
    assert SentenceTransformer(str(model), device="cpu").get_embedding_dimension() == 16


def test_distillation_without_a_batch_of_one_language_loads_no_teacher(
    small: Callable[..., Recipe], tmp_path: Path
) -> None:
    """As in a study of several shares: where that is 0, the teacher has nothing to do, and may even be nowhere."""
    nowhere = {"distillation": {"teacher": "nowhere"}}
    with pytest.raises(HybridError, match=r"^loss\.distillation\.teacher: 'nowhere'"):
        train(small(batches={"alpha": 0.1}, loss=nowhere), tmp_path / "some")
    with_it = run(small(batches={"alpha": 0}, loss=nowhere), tmp_path / "with")
    assert weights(with_it) == weights(run(small(batches={"alpha": 0}), tmp_path / "without"))


@pytest.mark.slow
def test_two_processes_train_objectives_as_one_does(folder: Path, tmp_path: Path) -> None:
    """Each row has its own part in these, and the projection the gradients of both: two halves make the batch."""
    objectives = {"contrastive": 0.0, "distill": {"weight": 1.0}, "translate_align": 1.0, "keep": 1.0}
    models = {}
    for size in (4, 8):
        asked = recipe(
            folder / "static",
            folder / "ragged.jsonl",
            loss=objectives,
            batches={"size": size},
            training={"max_steps": 6, "optim": "sgd", "learning_rate": 1.0, "save_strategy": "no"},
        )
        models[size] = tmp_path / str(size)
        if size == 8:
            run(asked, models[size])
            continue
        (tmp_path / "recipe.yaml").write_text(dump_recipe(asked), encoding="utf-8")
        code, _, err = ended(start(tmp_path, *two_processes(), "--output", str(models[size]), "-q"))
        assert code == 0, err
    assert record(models[4]).batches_digest == record(models[8]).batches_digest
    two, one = (load_file(next(model.rglob("*.safetensors"))) for model in models.values())
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-5)


def test_the_validation_is_the_contrastive_loss(folder: Path, tmp_path: Path) -> None:
    """Of the same model, whatever it is trained towards: at a learning rate of nothing both runs measure the same."""
    measured = []
    for loss in ({}, {"contrastive": 0.0, "translate_align": 1.0}):
        asked = recipe(
            folder / "static",
            folder / "whole.jsonl",
            loss=loss,
            validation={"share": 0.25, "every": 1},
            training={"max_steps": 1, "learning_rate": 1e-12},
        )
        measured += list(logged(run(asked, tmp_path / str(len(loss))), "eval_loss"))
    assert measured[0] == pytest.approx(measured[1], rel=1e-4)


# ---- sources


def test_sources_of_one_name(folder: Path) -> None:
    with pytest.raises(HybridError, match="two sources are called whole; give each its own name in data"):
        load_data(recipe("mteb-hybrid/tiny", *[folder / "whole.jsonl"] * 2))
    sources = [{"source": str(folder / "whole.jsonl"), "name": name} for name in ("a", "b")]
    assert [corpus.name for corpus in load_data(recipe("mteb-hybrid/tiny", *sources)).corpora] == ["a", "b"]


def test_tasks_of_a_source_that_the_package_knows(lareqa_data: Path) -> None:
    source = {"source": "MLQA-R", "mteb_tasks": ["Mine"], "languages": ["de", "en"], "rows": 50}
    (found,) = load_data(recipe("mteb-hybrid/tiny", source)).records
    assert {"Mine", "MLQARMonolingual", "MLQARMultilingual", "MLQAR"} <= set(found.mteb_tasks)
    assert (found.languages, found.rows) == (["de", "en"], 50)


def test_what_is_held_out_is_not_trained_on(small: Callable[..., Recipe], seen: list[Texts], tmp_path: Path) -> None:
    asked = small(validation={"share": 0.5}, training={"max_steps": 20})
    run(asked, tmp_path / "ours")
    held_out = set(range(ROWS)) - {int(name) for name in load_data(asked).corpora[0].table["id"].to_pylist()}
    trained = {int(text.rpartition("q")[2]) for columns in seen for text in columns[0]}
    assert len(held_out) == len(trained) == ROWS // 2
    assert not held_out & trained


# ---- stopped and resumed


@pytest.fixture
def at_batch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """What has something happen while a batch, counted from 1, is trained on; once."""
    compute_loss = HybridTrainer.compute_loss

    def at_batch(number: int, happens: Callable[[], object]) -> None:
        count = 0

        def counting(self: HybridTrainer, model: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += model.training
            if model.training and count == number:
                happens()
            return compute_loss(self, model, *args, **kwargs)

        monkeypatch.setattr(HybridTrainer, "compute_loss", counting)

    return at_batch


AtBatch = Callable[[int, Callable[[], object]], None]


def send(number: signal.Signals) -> Callable[[], None]:
    """What sends this process a signal."""
    return lambda: os.kill(os.getpid(), number)


def stopped(recipe: Recipe, output: Path, **options: Any) -> Trained:
    """Train until a signal."""
    trained = train(recipe, output, show_progress_bar=False, **options)
    assert trained.folder is None
    assert not output.exists()
    assert [path.name for path in output.parent.iterdir()] == [f"{output.name}.training"]
    return trained


@pytest.mark.parametrize(
    ("batch", "options"),
    [
        (1, {"training": {"save_strategy": "no"}}),
        (5, {}),  # the last of the first epoch
        (8, {"validation": {"share": 0.25, "every": 2}, "training": {"learning_rate": 2.0}}),
        (8, {"validation": {"share": 0.25, "every": 2}, "model": {"lora": {"rank": 2}}, "training": {"bf16": True}}),
        (7, {"training": {"gradient_accumulation_steps": 2}, "loss": {"distillation": {}}}),
        (3, {"loss": EVERY_OBJECTIVE | {"distill": {"weight": 2.0, "alone": 0.5}}}),  # in the first stage
        (7, {"loss": EVERY_OBJECTIVE | {"mini_batch_size": 3}, "training": {"gradient_accumulation_steps": 2}}),
        (8, {"training": {"dataloader_num_workers": 2}, "batches": {"alpha": AlphaSchedule(start=1, end=0)}}),
    ],
)
def test_a_stopped_run_goes_on_as_if_never_stopped(
    batch: int, options: dict[str, Any], folder: Path, at_batch: AtBatch, tmp_path: Path
) -> None:
    """A transformer with dropout: random numbers go on as well. An epoch has five batches, three with validation."""
    options = {**options, "training": {"save_steps": 4} | options.get("training", {})}
    asked = recipe(folder / "transformer", folder / "ragged.jsonl", **options)
    whole = run(asked, tmp_path / "whole" / "ours")
    output = tmp_path / "parts" / "ours"
    at_batch(batch, send(signal.SIGTERM))
    trained = stopped(asked, output)
    assert trained.stopped_by == signal.SIGTERM
    assert trained.steps == -(-batch // (1 if "gradient_accumulation_steps" not in asked.training else 2))
    said: list[str] = []
    run(asked, output, resume=True, say=said.append)
    assert said[-1] == f"resuming from checkpoint-{trained.steps}"
    assert weights(output) == weights(whole)
    found, expected = record(output), record(whole)
    assert found.batches_digest == expected.batches_digest
    assert found.best_step == expected.best_step
    losses = [[entry.get("loss", entry.get("eval_loss")) for entry in of.curve[:-1]] for of in (found, expected)]
    assert losses[0] == losses[1]
    assert [path.name for path in output.parent.iterdir()] == ["ours"]


@pytest.mark.parametrize("batch", [5, 6, 8])  # between two validations, at one, and at the one that ends training
def test_a_stopped_run_stops_early_where_it_would_have(
    batch: int, small: Callable[..., Recipe], at_batch: AtBatch, tmp_path: Path
) -> None:
    """As above the loss on strange texts stays what it was; three more validations are no better than the first."""
    source = write(tmp_path / "strange.jsonl", rows(8, name="strange"))
    asked = small(validation={"source": {"source": str(source)}, "every": 2, "patience": 3}, training={"max_steps": 50})
    output = tmp_path / "parts" / "ours"
    at_batch(batch, send(signal.SIGTERM))
    assert stopped(asked, output).steps == batch
    found = record(run(asked, output, resume=True))
    assert (found.steps, found.best_step) == (8, 2)


def test_a_run_that_was_killed_goes_on_from_a_whole_checkpoint(
    small: Callable[..., Recipe], at_batch: AtBatch, tmp_path: Path
) -> None:
    """It died while it wrote a checkpoint: the trainer's state, which is written last, is missing or broken."""
    asked = small(training={"save_steps": 2, "save_total_limit": 4})
    whole = weights(run(asked, tmp_path / "whole"))
    output = tmp_path / "ours"
    at_batch(9, send(signal.SIGINT))
    assert train(asked, output, show_progress_bar=False).stopped_by == signal.SIGINT
    work = work_folder(output)
    assert {path.name for path in work.glob("checkpoint-*")} == {f"checkpoint-{step}" for step in (4, 6, 8, 9)}
    (work / "checkpoint-9" / "trainer_state.json").unlink()
    state = work / "checkpoint-8" / "trainer_state.json"
    state.write_text(state.read_text()[:-20])
    (work / "checkpoint-10").mkdir()
    said: list[str] = []
    run(asked, output, resume=True, say=said.append)
    assert said[-1] == "resuming from checkpoint-6"
    assert weights(output) == whole


def test_a_run_that_was_killed_before_its_first_checkpoint(small: Callable[..., Recipe], tmp_path: Path) -> None:
    output, kept = tmp_path / "ours", tmp_path / "kept"
    whole = weights(run(small(), output, say=lambda _: shutil.copytree(work_folder(output), kept, dirs_exist_ok=True)))
    shutil.rmtree(output)
    shutil.move(kept, work_folder(output))
    assert weights(run(small(), output, resume=True)) == whole


def test_a_signal_in_the_last_step_is_no_reason_to_stop(
    small: Callable[..., Recipe], at_batch: AtBatch, tmp_path: Path
) -> None:
    at_batch(10, send(signal.SIGINT))
    assert record(run(small(), tmp_path / "ours")).steps == 10


@pytest.mark.parametrize(("unwritable", "steps"), [("ours.partial", 8), ("checkpoint-8", 10)])
def test_a_full_disk(
    unwritable: str, steps: int, small: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When there is room again: no step more from the last, which is in an epoch; or on from the checkpoint before."""
    asked = small(training={"save_steps": 4, "max_steps": steps})
    whole = run(asked, tmp_path / "whole" / "ours")
    output = tmp_path / "full" / "ours"
    save = SentenceTransformer.save_pretrained

    def full(self: SentenceTransformer, path: str, **kwargs: Any) -> None:
        if Path(path).name.endswith(unwritable):
            raise OSError(28, "No space left on device")
        save(self, path, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(SentenceTransformer, "save_pretrained", full)
        with pytest.raises(HybridError, match=r"No space left on device.* --resume"):
            train(asked, output, show_progress_bar=False)
    assert [path.name for path in output.parent.iterdir()] == ["ours.training"]
    run(asked, output, resume=True)
    assert weights(output) == weights(whole)
    assert record(output).steps == steps
    assert record(output).batches_digest == record(whole).batches_digest


def test_a_full_disk_without_a_checkpoint(
    small: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is nothing to go on from, and nothing is left in the way of the same command."""

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    asked = small(training={"save_strategy": "no"})
    monkeypatch.setattr(SentenceTransformer, "save_pretrained", full)
    with pytest.raises(HybridError, match=r"No space left on device\); mend that, and train again$"):
        train(asked, tmp_path / "ours", show_progress_bar=False)
    monkeypatch.undo()
    run(asked, tmp_path / "ours")


def test_a_second_signal_ends_training_at_once(small: Callable[..., Recipe], at_batch: AtBatch, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    def twice() -> None:
        send(signal.SIGINT)()
        send(signal.SIGINT)()

    at_batch(3, twice)
    output = tmp_path / "ours"
    with pytest.raises(KeyboardInterrupt):
        train(small(training={"save_steps": 2}), output, show_progress_bar=False)
    assert signal.getsignal(signal.SIGINT) == before
    assert [path.name for path in work_folder(output).glob("checkpoint-*")] == ["checkpoint-2"]
    assert not output.exists()


def test_signals_are_given_back(small: Callable[..., Recipe], at_batch: AtBatch, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    during: list[object] = []
    at_batch(2, lambda: during.extend([signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]))
    run(small(), tmp_path / "ours")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert len(during) == 2
    assert not set(during) & set(before)


def test_training_in_a_thread(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Only the main thread may listen to signals; a notebook or a server trains elsewhere."""
    thread = threading.Thread(target=run, args=(small(), tmp_path / "ours"))
    thread.start()
    thread.join()
    assert record(tmp_path / "ours").steps == 10


# ---- faults before training


def test_nothing_stays_of_a_run_that_could_not_begin(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Whether what fails is the data, the trainer's arguments, a tracker, the optimizer or the schedule."""
    output = tmp_path / "models" / "ours"
    faults: list[tuple[dict[str, Any], str]] = [
        ({"batches": {"size": 41}}, "need 41 different passages"),
        ({"loss": {"mini_batch_size": 4}}, "loss.mini_batch_size"),
        ({"loss": {"translate_align": 1.0, "pivot": "fr"}}, "loss.pivot: 'fr' is in no source"),
        ({"loss": {"distill": {"teacher": "nowhere"}}}, "loss.distill.teacher: 'nowhere' is no folder"),
        ({"training": {"fp16": True, "bf16": True}}, "training: At most one of fp16 and bf16"),
        ({"training": {"report_to": "nonsense"}}, "nonsense is not supported"),
        ({"training": {"report_to": "dvclive"}}, "DVCLiveCallback requires"),
        ({"training": {"optim": "galore_adamw"}}, "training: "),
        ({"training": {"lr_scheduler_type": "cosine_with_min_lr"}}, "min_lr"),
        ({"training": {"lr_scheduler_type": "linear", "lr_scheduler_kwargs": {"nonsense": 1}}}, "nonsense"),
    ]
    for sections, part in faults:
        with pytest.raises(HybridError) as raised:
            train(small(**sections), output, show_progress_bar=False)
        assert part in str(raised.value), sections
        assert "\n" not in str(raised.value)
        assert not output.parent.exists() or not list(output.parent.iterdir()), sections
    run(small(), output)


def test_a_setting_that_is_new_since_changes_no_old_run(folder: Path, at_batch: AtBatch, tmp_path: Path) -> None:
    """As if the version that began it had known neither ``sample`` nor ``keep``: what is at its default is not kept."""
    asked, output = recipe(folder / "static", folder / "whole.jsonl"), tmp_path / "ours"
    at_batch(2, send(signal.SIGINT))
    assert train(asked, output, show_progress_bar=False).steps == 2
    kept = json.loads((work_folder(output) / "identity.json").read_text())
    assert "recipe's data[0].source" in kept
    assert not [name for name in kept if name.endswith((".sample", ".keep"))]
    assert train(asked, output, resume=True, show_progress_bar=False).stopped_by is None


def test_what_else_must_be_the_same(folder: Path, at_batch: AtBatch, tmp_path: Path) -> None:
    """The base model, and the texts of a validation set."""
    model, other = tmp_path / "model", write(tmp_path / "other.jsonl", rows(9, name="other"))
    shutil.copytree(folder / "static", model)
    asked = recipe(model, folder / "whole.jsonl", validation={"source": {"source": str(other)}})
    at_batch(2, send(signal.SIGINT))
    output = tmp_path / "ours"
    assert train(asked, output, show_progress_bar=False).steps == 2
    write(other, rows(8, name="other"))
    with pytest.raises(HybridError, match="the data changed since"):
        train(asked, output, resume=True)
    write(other, rows(9, name="other"))
    static_model(model, words_of(rows()), dimensions=8)
    with pytest.raises(HybridError, match="the base model changed since"):
        train(asked, output, resume=True)


def test_a_finished_model_is_of_these_data_and_this_base(folder: Path, tmp_path: Path) -> None:
    """Resuming it is nothing to do where nothing has changed, and no success where something has."""
    model, source, output = tmp_path / "model", write(tmp_path / "pairs.jsonl", rows(9)), tmp_path / "ours"
    shutil.copytree(folder / "static", model)
    asked = recipe(model, source)
    before = weights(run(asked, output))
    assert train(asked, output, resume=True).steps == 10
    write(source, rows(10))
    with pytest.raises(HybridError, match=r"^the data changed since .*ours was trained; .*--overwrite$"):
        train(asked, output, resume=True)
    write(source, rows(9))
    static_model(model, words_of(rows()), dimensions=8)
    with pytest.raises(HybridError, match=r"^the base model changed since"):
        train(asked, output, resume=True)
    assert weights(output) == before


def test_arguments_of_the_trainer_are_checked_in_recipes_made_in_python(folder: Path, tmp_path: Path) -> None:
    asked = Recipe.model_validate(
        {"model": {"base": "mteb-hybrid/tiny"}, "data": [{"source": "ParallelWorld"}], "training": {"max_step": 5}}
    )
    with pytest.raises(HybridError, match=r"^training\.max_step .*max_steps"):
        train(asked, tmp_path / "ours")
    assert list(tmp_path.iterdir()) == []
