"""Averages of models: the ends, the middle, what is refused, and what is written down."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer

from mteb_hybrid.cli import main
from mteb_hybrid.encoder_record import encoder_record
from mteb_hybrid.errors import HybridError
from mteb_hybrid.merging import average, history, merge, shares
from mteb_hybrid.models import NamedModel, keep_model, known_models
from mteb_hybrid.training.base_model import Base
from mteb_hybrid.training.outcome import RECORD, SourceRecord, TrainingRecord, read_record, record_text
from mteb_hybrid.training.run import train
from tests.test_cli import told
from tests.training.small_runs import (
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

WORDS = words_of(rows(4))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with single_thread():
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and nobody's file of names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTEB_HYBRID_MODELS", str(tmp_path / "models.toml"))
    return tmp_path


def changed(folder: Path, copy: str, by: float = 1.0, **prompts: str) -> Path:
    """A copy of a model with every weight moved, and with prompts of its own."""
    model = SentenceTransformer(str(folder), device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(by)
    model.prompts.update(prompts)
    model.save_pretrained(copy, create_model_card=False)
    return Path(copy)


def tensors(folder: Path | str) -> dict[str, torch.Tensor]:
    (file,) = Path(folder).rglob("*.safetensors")
    return load_file(file)


@pytest.fixture
def two(here: Path) -> tuple[str, str]:
    """Two transformers that differ in every weight."""
    transformer_model(here / "a", WORDS)
    changed(here / "a", "b")
    return "a", "b"


# ---- shares


def test_shares() -> None:
    assert shares(2, [0.25]) == (0.75, 0.25)
    assert shares(2, []) == (0.5, 0.5)
    assert shares(4, []) == (0.25,) * 4
    assert shares(3, [0.5, 0.3, 0.2]) == (0.5, 0.3, 0.2)
    assert shares(2, [0.25, 0.75]) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("count", "given_", "part"),
    [
        (1, [], "name two models"),
        (2, [1.5], "--weight 1.5: a weight is a number from 0 to 1"),
        (2, [-0.5], "from 0 to 1"),
        (2, [float("nan")], "from 0 to 1"),
        (3, [0.5], "give one for each of the 3 models"),
        (3, [0.5, 0.4, 0.3], "add up to 1.2, and must to 1"),
    ],
)
def test_shares_that_make_no_average(count: int, given_: list[float], part: str) -> None:
    with pytest.raises(HybridError, match=part):
        shares(count, given_)


# ---- averages of tensors

floats = arrays("float32", (3,), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False))


def test_an_average_by_hand() -> None:
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0])
    assert average([a, b], (0.75, 0.25)).tolist() == [1.5, 1.0]
    assert average([a, b, b], (0.5, 0.25, 0.25)).tolist() == [2.0, 0.0]


@given(floats, floats, st.floats(0, 1))
def test_an_average_lies_between_its_ends(a: object, b: object, weight: float) -> None:
    first, second = torch.tensor(a), torch.tensor(b)
    mean = average([first, second], (1 - weight, weight))
    slack = 1e-6 * torch.maximum(first.abs(), second.abs())  # of single precision
    assert bool((mean >= torch.minimum(first, second) - slack).all())
    assert bool((mean <= torch.maximum(first, second) + slack).all())
    assert torch.equal(average([first, second], (1.0, 0.0)), first)
    assert torch.equal(average([first, second], (0.0, 1.0)), second)
    assert torch.equal(average([first, first], (0.5, 0.5)), first)


@given(floats, floats)
def test_half_of_each_is_the_same_either_way(a: object, b: object) -> None:
    first, second = torch.tensor(a), torch.tensor(b)
    assert torch.equal(average([first, second], (0.5, 0.5)), average([second, first], (0.5, 0.5)))


def test_an_end_is_given_to_the_bit() -> None:
    odd = torch.tensor([-0.0, float("inf"), float("nan"), 1e-45])
    other = torch.tensor([1.0, float("nan"), 1.0, 1.0])
    for given_, parts in (([odd, other], (1.0, 0.0)), ([other, odd], (0.0, 1.0))):
        assert average(given_, parts).view(torch.int32).tolist() == odd.view(torch.int32).tolist()


def test_half_precision_is_averaged_in_single_and_stays_half() -> None:
    # 1 + 2^-10 is the next half after 1; in half precision .1 of it and .9 of 1 add up to less than 1
    a, b = torch.tensor([1.0], dtype=torch.float16), torch.tensor([1.0009765625], dtype=torch.float16)
    mean = average([a, b], (0.9, 0.1))
    assert mean.dtype is torch.float16
    assert mean.item() == 1.0
    assert average([a.float(), b], (0.0, 1.0)).dtype is torch.float32  # the first's


def test_whole_numbers_have_no_average() -> None:
    numbers = torch.arange(3)
    assert torch.equal(average([numbers, numbers.clone()], (0.5, 0.5)), numbers)
    with pytest.raises(HybridError, match="whole numbers among the weights differ"):
        average([numbers, numbers + 1], (0.5, 0.5))


# ---- merges


@pytest.mark.parametrize(("weight", "end"), [(0.0, "a"), (1.0, "b")])
def test_a_merge_at_0_and_1_gives_its_ends(two: tuple[str, str], weight: float, end: str) -> None:
    merge(two, [weight], Path("merged"))
    assert weights(Path("merged")) == weights(Path(end))


def test_half_is_the_mean(two: tuple[str, str]) -> None:
    merge(two, [], Path("merged"))
    a, b, merged = map(tensors, (*two, "merged"))
    assert merged.keys() == a.keys()
    for name in a:
        assert torch.equal(merged[name], (a[name] + b[name]) / 2)
        assert not torch.equal(a[name], b[name])


def test_several_models(two: tuple[str, str]) -> None:
    changed(Path("a"), "c", by=4.0)
    merge([*two, "c"], [0.5, 0.25, 0.25], Path("merged"))
    a, merged = tensors("a"), tensors("merged")
    for name in a:  # .25 of 1 more and .25 of 4 more
        assert torch.allclose(merged[name], a[name] + 1.25, atol=1e-6)


def test_all_but_the_weights_is_the_firsts(two: tuple[str, str]) -> None:
    first = changed(Path("a"), "first", by=0.0, query="Query: ", document="Passage: ")
    merge([str(first), "b"], [0.5], Path("merged"))  # b has no prompts: a base takes those of what came of it
    merged = SentenceTransformer("merged", device="cpu")
    assert merged.prompts["query"] == "Query: "
    assert [type(module) for module in merged] == [Transformer, Pooling, Normalize]
    assert encoder_record(merged) == encoder_record(SentenceTransformer(str(first), device="cpu"))


def test_the_type_of_the_weights_is_the_firsts(two: tuple[str, str]) -> None:
    model = SentenceTransformer("a", device="cpu")
    model.half().save_pretrained("half", create_model_card=False)
    merge(["half", "b"], [0.5], Path("merged"))
    assert {tensor.dtype for tensor in tensors("merged").values()} == {torch.float16}
    merge(["half", "b"], [0.0], Path("same"))
    assert weights(Path("same")) == weights(Path("half"))
    merge(["b", "half"], [0.5], Path("other"))
    assert {tensor.dtype for tensor in tensors("other").values()} == {torch.float32}


def test_the_tiny_encoder_and_what_was_trained_of_it(here: Path) -> None:
    write(here / "small.jsonl", rows())
    train(recipe("mteb-hybrid/tiny", "small.jsonl"), here / "trained", show_progress_bar=False)
    merge(["trained", "mteb-hybrid/tiny"], [0.5], here / "merged")
    merge(["trained", "mteb-hybrid/tiny"], [1.0], here / "tiny")
    (before,), (after,), (merged,) = (tensors(name).values() for name in ("tiny", "trained", "merged"))
    assert torch.equal(merged, (before + after) / 2)
    assert not torch.equal(before, after)
    found = record(here / "merged")
    assert found.origin == "mteb-hybrid/tiny"
    assert [source.name for source in found.data] == ["small"]


# ---- what is refused


def refused(models: list[str], *parts: str) -> None:
    """The merge is refused in one line that holds the parts, and leaves nothing behind."""
    before = sorted(Path().rglob("*"))
    with pytest.raises(HybridError) as raised:
        merge(models, [0.5], Path("merged"))
    assert "\n" not in str(raised.value)
    for part in parts:
        assert part in str(raised.value)
    assert sorted(Path().rglob("*")) == before


def test_another_architecture_is_refused(two: tuple[str, str]) -> None:
    static_model(Path("static"), WORDS)
    refused(["a", "static"], "static cannot be merged with a", "architecture")


def test_another_pooling_is_refused(two: tuple[str, str]) -> None:
    model = SentenceTransformer("b", device="cpu")
    SentenceTransformer(modules=[model[0], Pooling(16, "cls"), Normalize()], device="cpu").save_pretrained("cls")
    refused(["a", "cls"], "architecture", "pooling")


def test_other_shapes_are_refused(here: Path) -> None:
    static_model(here / "narrow", WORDS, dimensions=8)
    static_model(here / "wide", WORDS, dimensions=16)
    refused(["narrow", "wide"], "weights", "[28, 16], not [28, 8]")


def test_another_tokenizer_is_refused(here: Path) -> None:
    static_model(here / "a", ["who", "built", "bridge"])
    model = SentenceTransformer(str(static_model(here / "c", ["built", "who", "bridge"])), device="cpu")
    assert isinstance(model[0], StaticEmbedding)
    (here / "b").mkdir()
    shutil.copytree("c", "b", dirs_exist_ok=True)
    refused(["a", "b"], "different tokenizers")


def test_other_prompts_are_refused(two: tuple[str, str]) -> None:
    changed(Path("a"), "query", query="query: ")
    changed(Path("a"), "ask", query="ask: ")
    refused(["query", "ask"], "different prompts", "ask: ", "query: ")
    refused(["a", "query"], "different prompts", "name it first")


def test_another_length_and_another_similarity_are_refused(two: tuple[str, str]) -> None:
    model = SentenceTransformer("b", device="cpu")
    model.max_seq_length = 8
    model.save_pretrained("short", create_model_card=False)
    refused(["a", "short"], "a different length (8, not 16)")
    model = SentenceTransformer("b", device="cpu", similarity_fn_name="dot")
    model.save_pretrained("dot", create_model_card=False)
    refused(["a", "dot"], "a different similarity (dot, not cosine)")


def test_a_folder_that_is_there_is_refused(two: tuple[str, str]) -> None:
    Path("merged").mkdir()
    refused(list(two), "merged is there already; choose another --output")


def test_models_that_are_not_there_are_refused(two: tuple[str, str]) -> None:
    refused(["a", "nowhere"], "'nowhere' is no folder, short name or Hub id")
    refused(["a", ""], "a model without a name")
    Path("empty").mkdir()
    refused(["a", "empty"], "empty holds no model")


def test_a_model_that_does_not_load_is_refused(two: tuple[str, str]) -> None:
    (file,) = Path("b").glob("*.safetensors")
    file.write_bytes(b"no weights")
    refused(["a", "b"], "does not load as a text encoder")


# ---- what is written down


def test_the_record_is_the_union_of_the_parts(two: tuple[str, str]) -> None:
    def noted(folder: str, source: str, task: str, base_task: str, origin: str | None = "ada/base") -> None:
        values = {"rows": 1, "pairs": 1, "languages": ["de"], "revision": None, "fingerprint": "0" * 40}
        data = SourceRecord.model_validate(values | {"name": source, "source": source, "mteb_tasks": [task]})
        run = {"steps": 3, "best_step": None, "batch_size": 8, "processes": 1, "batches_digest": "", "seconds": 1.5}
        about: dict[str, Any] = {"hardware": "", "versions": {}, "curve": [], "data": [data, *shared], "origin": origin}
        base = {"base": "ada/base", "base_revision": None, "base_mteb_tasks": [base_task]}
        text = record_text(TrainingRecord.model_validate(run | about | base))
        (Path(folder) / RECORD).write_text(text, encoding="utf-8")

    shared: list[SourceRecord] = []
    noted("a", "one", "A", "C")
    shared = [*read_record(Path("a")).data]  # type: ignore[union-attr]
    noted("b", "two", "B", "D")
    merge(two, [0.25], Path("merged"))
    found = record(Path("merged"))
    assert found.mteb_tasks == {"A", "B", "C", "D"}
    assert [source.name for source in found.data] == ["one", "two"]
    assert found.origin == "ada/base"
    assert found.steps == 0
    assert found.merged_from is not None
    assert [(Path(part.source).name, part.weight, part.mteb_tasks) for part in found.merged_from] == [
        ("a", 0.75, ["A", "C"]),
        ("b", 0.25, ["A", "B", "D"]),
    ]
    noted("b", "two", "B", "D", origin="bob/other")
    merge(two, [], Path("of-two-origins"))
    found = record(Path("of-two-origins"))
    assert found.origin is None
    assert [part.origin for part in found.merged_from or ()] == ["ada/base", "bob/other"]


@pytest.fixture
def run(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work folder of a run of four steps on texts cut after eight tokens, with two checkpoints, and its model."""
    transformer_model(here / "a", WORDS)
    write(here / "small.jsonl", rows())
    asked = recipe(
        "a",
        {"source": "small.jsonl", "mteb_tasks": ["A"]},
        model={"max_seq_length": 8},
        training={"max_steps": 4, "save_steps": 2},
    )
    with monkeypatch.context() as patched:
        patched.setattr("mteb_hybrid.training.run.discard_folder", lambda _: None)
        train(asked, here / "run", show_progress_bar=False)
    return Path("run.training")


def test_a_checkpoint_is_marked_by_the_recipe_of_its_run(run: Path) -> None:
    merge([str(run / "checkpoint-2"), str(run / "checkpoint-4")], [], Path("merged"))
    found = record(Path("merged"))
    assert found.mteb_tasks == {"A"}
    assert [source.name for source in found.data] == ["small"]
    shutil.rmtree("merged")
    (run / "recipe.yaml").unlink()
    refused([str(run / "checkpoint-2"), "a"], "what the checkpoints in", "were trained on is not known")


def test_checkpoints_have_the_length_of_the_model_that_their_run_ends_with(run: Path) -> None:
    assert SentenceTransformer(str(run / "checkpoint-2"), device="cpu").max_seq_length == 8
    merge([str(run / "checkpoint-2"), "run"], [], Path("merged"))
    merge(["run", str(run / "checkpoint-4")], [1.0], Path("last"))
    assert SentenceTransformer("merged", device="cpu").max_seq_length == 16
    assert weights(Path("last")) == weights(Path("run"))


def test_what_was_trained_on_before_is_kept(two: tuple[str, str]) -> None:
    write(Path("first.jsonl"), rows())
    write(Path("second.jsonl"), rows())
    asked = {"source": "first.jsonl", "mteb_tasks": ["A"], "license": "cc-by-nc-4.0"}
    train(recipe("a", asked, training={"max_steps": 1}), Path("once"), show_progress_bar=False)
    train(recipe("once", "second.jsonl", training={"max_steps": 1}), Path("twice"), show_progress_bar=False)
    train(recipe("twice", "second.jsonl", training={"max_steps": 1}), Path("thrice"), show_progress_bar=False)
    merge(["twice", "b"], [], Path("merged"))
    for name in ("twice", "merged"):
        assert [source.license for source in record(Path(name)).base_data] == ["cc-by-nc-4.0"]
        assert [source.name for source in record(Path(name)).data] == ["second"]
    assert [source.name for source in record(Path("thrice")).base_data] == ["first", "second"]
    assert record(Path("thrice")).base_mteb_tasks == ["A"]


def test_a_model_of_the_hub_tells_what_it_was_trained_on(two: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("first.jsonl"), rows())
    asked = {"source": "first.jsonl", "mteb_tasks": ["A"]}
    train(recipe("a", asked, training={"max_steps": 1}), Path("once"), show_progress_bar=False)
    monkeypatch.setattr("mteb_hybrid.loading.published_record", lambda *_: record(Path("once")))
    found = history(Base("hub", "ada/once", "0" * 40))
    assert (found.origin, found.tasks) == ("ada/once", ["A"])
    assert [source.name for source in found.sources] == ["first"]


def test_a_file_in_a_folder_is_told_from_a_data_set_of_the_hub(two: tuple[str, str]) -> None:
    Path("out").mkdir()
    write(Path("out/corpus.jsonl"), rows())
    train(recipe("a", "out/corpus.jsonl", training={"max_steps": 1}), Path("once"), show_progress_bar=False)
    assert [source.source for source in record(Path("once")).data] == [str(Path("out/corpus.jsonl").absolute())]


def test_old_records_have_no_parts(two: tuple[str, str]) -> None:
    merge(two, [], Path("merged"))
    path = Path("merged") / RECORD
    values = json.loads(path.read_text())
    del values["merged_from"]
    path.write_text(json.dumps(values))
    assert record(Path("merged")).merged_from is None


# ---- the command


def test_the_command(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "a", "b", "--weight", ".25", "--name", "ab"]) == 0
    out = capsys.readouterr().out
    assert "models/ab is merged: 0.75 of a, 0.25 of b" in out
    assert known_models()["ab"].is_local
    assert main(["merge", "ab", "a", "b", "--weight", ".5,.25,.25", "--output", "three"]) == 0
    assert main(["merge", "ab", "b", "--weight", "0", "--output", "again"]) == 0
    assert weights(Path("again")) == weights(Path("models/ab"))


def test_the_command_without_a_place_to_write(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "a", "b"]) == 2
    told(capsys.readouterr().err, "--name NAME", "--output FOLDER")
    with pytest.raises(SystemExit):
        main(["merge", "a", "b", "--weight", "much", "--output", "c"])
    assert "'much' is no number" in capsys.readouterr().err


def test_a_debiased_model_is_refused(two: tuple[str, str]) -> None:
    keep_model(NamedModel("shifted", str(Path("b").resolve()), "0" * 40, debias="shift.safetensors"))
    refused(["a", "shifted"], "shifted is ", "debiased; merge that")
