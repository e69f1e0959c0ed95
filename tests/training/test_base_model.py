"""The model to start from: what is found and refused, what the recipe changes, and what is saved of it."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from unittest.mock import Mock

import huggingface_hub
import numpy as np
import pytest
import torch
from datasets import Dataset
from huggingface_hub import errors
from mteb._create_dataloaders import create_dataloader
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import SentenceTransformerEncoderWrapper
from mteb.types import PromptType
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from mteb_hybrid.errors import HybridError
from mteb_hybrid.models import MODELS_VARIABLE, add_model, fingerprint
from mteb_hybrid.training.base_model import (
    Base,
    cut_texts,
    find_base,
    load_base_model,
    merge_lora,
    token_limit,
    training_prompts,
)
from mteb_hybrid.training.recipe import LoraSettings, ModelSettings

TEXTS = ["wer baute die brücke", "ada roth baute sie"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *dict.fromkeys(" ".join(TEXTS).split()), "query", "passage", "Query", "Passage", ":"]
POSITIONS = 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def word_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def transformer_folder(folder: Path, kind: str = "bert", **prompts: str) -> Path:
    """A random transformer of two layers, saved as a model of sentence-transformers."""
    tokenizer = word_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config, made = {"bert": (BertConfig, BertModel), "xlmr": (XLMRobertaConfig, XLMRobertaModel)}[kind]
    torch.manual_seed(0)
    made(
        config(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=POSITIONS,
            pad_token_id=0,
        )
    ).save_pretrained(folder / "transformer")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder / "transformer")
    modules = [Transformer(str(folder / "transformer")), Pooling(16), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts or None)
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def static_folder(folder: Path, **prompts: str) -> Path:
    """Random static embeddings of the words."""
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32)
    modules = [StaticEmbedding(word_tokenizer(), embedding_weights=vectors), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts or None)
    model.save_pretrained(str(folder / "static"), create_model_card=False)
    return folder / "static"


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformer_folder(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_folder(tmp_path_factory.mktemp("static"))


@pytest.fixture(autouse=True)
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No short names, and a cache of the Hub that is empty and offline."""
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models.toml"))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def load(base: Path | str, **settings: Any) -> SentenceTransformer:
    return load_base_model(ModelSettings(base=str(base), **settings), device="cpu")


def refusal(base: Path | str, **settings: Any) -> str:
    with pytest.raises(HybridError) as caught:
        load(base, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def encode(model: SentenceTransformer) -> np.ndarray:
    vectors = model.encode(TEXTS, show_progress_bar=False)
    assert isinstance(vectors, np.ndarray)
    return vectors


def cache_on_hub(folder: Path, cache: Path, name: str) -> Path:
    """Put a folder where a download from the Hub would be."""
    repository = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return repository / "snapshots" / COMMIT


# Where the base is found


@pytest.mark.parametrize("kind", ["bert", "static"])
def test_folder(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    folder: Path = request.getfixturevalue(kind)
    expected = encode(SentenceTransformer(str(folder), device="cpu"))
    np.testing.assert_array_equal(encode(load(folder)), expected)
    monkeypatch.chdir(folder.parent)
    assert find_base(ModelSettings(base=folder.name)) == Base("folder", str(folder), fingerprint(folder))


def test_folder_of_a_plain_transformer_gets_mean_pooling(bert: Path) -> None:
    vectors = encode(load(bert.parent / "transformer"))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors / lengths, encode(load(bert)), atol=1e-6)


@pytest.mark.parametrize("base", ["small", "local/small"])
def test_short_name_of_a_folder(base: str, static: Path) -> None:
    add_model("small", str(static))
    assert find_base(ModelSettings(base=base)) == Base("folder", str(static), fingerprint(static))
    assert load(base).get_embedding_dimension() == 8


def test_folder_that_has_changed_since_it_was_named_is_refused(static: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(static, tmp_path / "copy")
    add_model("small", str(folder))
    (folder / "modules.json").write_text((folder / "modules.json").read_text() + "\n")
    assert f"{folder}, the folder of model small, has changed; name it anew with" in refusal("small")
    shutil.rmtree(folder)
    assert f"{folder} is gone; name it anew with `mteb-hybrid models add small PATH`" in refusal("small")


def test_tiny_encoder() -> None:
    assert find_base(ModelSettings(base="mteb-hybrid/tiny")) == Base("tiny", "mteb-hybrid/tiny")
    assert load("mteb-hybrid/tiny", query_prompt="query: ").prompts == {"query": "query: ", "document": ""}


def test_hub_model_is_the_commit_that_its_revision_stands_for(bert: Path, tmp_path: Path) -> None:
    cache_on_hub(bert, tmp_path / "cache", "org/bert")
    assert find_base(ModelSettings(base="org/bert")) == Base("hub", "org/bert", COMMIT)
    np.testing.assert_array_equal(encode(load("org/bert")), encode(load(bert)))


def test_short_name_of_a_hub_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str, *, revision: str, **kwargs: Any) -> huggingface_hub.ResolvedRevision:
        return huggingface_hub.ResolvedRevision(resolved=f"commit of {revision}", initial=revision)

    monkeypatch.setattr("huggingface_hub.resolve_revision", resolve)
    add_model("paper", "org/paper", "v1")
    assert find_base(ModelSettings(base="paper")) == Base("hub", "org/paper", "commit of v1")
    assert find_base(ModelSettings(base="paper", revision="v2")) == Base("hub", "org/paper", "commit of v2")


# What is refused


def test_names_that_are_nothing(static: Path) -> None:
    assert "'nowhere' is no folder, short name or Hub id (ORGANISATION/NAME)" in refusal("nowhere")
    assert "check the path" in refusal("./org/model")
    add_model("small", str(static))
    assert refusal("smal").endswith("did you mean small?")


@pytest.mark.parametrize("base", ["mteb-hybrid/tiny", "small", "folder"])
def test_revision_is_for_the_hub(base: str, static: Path) -> None:
    add_model("small", str(static))
    base = str(static) if base == "folder" else base
    assert refusal(base, revision="v1") == f"model.revision is for models on the Hub; leave it out for {base}"


def test_hub_that_cannot_be_reached() -> None:
    told = "model.base: org/bert is not in the cache, and the Hub cannot be reached; check the connection"
    assert refusal("org/bert") == told
    assert refusal("org/bert", revision=COMMIT) == told


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (errors.RepositoryNotFoundError, "is not on the Hub, or is private"),
        (errors.RevisionNotFoundError, "has no revision 'v1' on the Hub"),
        (errors.GatedRepoError, "is gated; ask for access"),
    ],
)
def test_what_the_hub_answers(kind: Any, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*args: Any, **kwargs: Any) -> None:
        try:
            raise kind("401 of some lines\nand an address", response=Mock())
        except kind as error:
            raise OSError("another text") from error

    monkeypatch.setattr("huggingface_hub.resolve_revision", answer)
    assert refusal("org/bert", revision="v1").startswith(f"model.base: org/bert {told}")


def test_pickled_weights_are_never_read(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    load(folder)
    (folder / "model.safetensors").unlink()
    assert "pytorch_model.bin can run code when it is loaded; save the model as safetensors" in refusal(folder)
    (folder / "1_Pooling" / "model.safetensors").write_bytes(b"")
    assert f"{folder} has no weights as safetensors" in refusal(folder)


def test_code_of_the_model_is_never_run(static: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(static, tmp_path / "own-code")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\nclass Module: ...\n")
    parts = json.loads((folder / "modules.json").read_text())
    parts[0]["type"] = "own.Module"
    (folder / "modules.json").write_text(json.dumps(parts))
    assert refusal(folder) == (
        f"model.base: {folder} needs code of its own, which is never run here; take another model"
    )
    assert not (tmp_path / "was-run").exists()


def test_what_is_no_text_encoder(bert: Path, tmp_path: Path) -> None:
    words_only = SentenceTransformer(modules=[Transformer(str(bert.parent / "transformer"))], device="cpu")
    words_only.save_pretrained(str(tmp_path / "words"), create_model_card=False)
    assert "does not load as a text encoder (KeyError: 'sentence_embedding')" in refusal(tmp_path / "words")
    broken = shutil.copytree(bert, tmp_path / "broken")
    (broken / "modules.json").write_text("[")
    assert "does not load as a text encoder (JSONDecodeError: " in refusal(broken)


# What the recipe changes


def test_half_precision_is_for_autocast_not_for_weights(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "half")
    weights = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    assert SentenceTransformer(str(folder), device="cpu").dtype == torch.bfloat16
    assert {weights.dtype for weights in load(folder).parameters()} == {torch.float32}


def cut(folder: Path, length: int) -> SentenceTransformer:
    model = load(folder)
    cut_texts(model, ModelSettings(base=str(folder), max_seq_length=length))
    return model


def test_length(bert: Path, static: Path) -> None:
    assert load(bert, max_seq_length=8).max_seq_length == POSITIONS  # a model that is saved keeps its own
    assert cut(bert, 8).preprocess(["wer " * 50])["input_ids"].shape == (1, 8)
    with pytest.raises(HybridError) as refused:
        cut(bert, 33)
    assert str(refused.value) == "model.max_seq_length: 33 is more than the 32 tokens that the model takes"
    with pytest.raises(HybridError, match="max_seq_length is for transformers"):
        cut(static, 8)


def test_length_of_models_that_count_positions_from_that_of_padding(tmp_path: Path) -> None:
    folder = transformer_folder(tmp_path, "xlmr")
    assert token_limit(load(folder)) == 31
    longest = cut(folder, 31)
    longest.encode(["wer " * 50], show_progress_bar=False)
    with pytest.raises(HybridError, match="32 is more than the 31 tokens that the model takes"):
        cut(folder, 32)
    longest.max_seq_length = 32
    with pytest.raises(RuntimeError, match="out of bounds"):
        longest.encode(["wer " * 50], show_progress_bar=False)


OWN = {"query": "query: ", "document": "passage: "}


@pytest.mark.parametrize(
    ("own", "settings", "query", "passage"),
    [
        ({}, {}, "", ""),
        ({}, {"query_prompt": "Query: ", "passage_prompt": "Passage: "}, "Query: ", "Passage: "),
        (OWN, {}, "query: ", "passage: "),
        (OWN, {"query_prompt": "Query: "}, "Query: ", "passage: "),
        (OWN, {"passage_prompt": ""}, "query: ", ""),
        ({"query": "query: ", "passage": "passage: "}, {}, "query: ", "passage: "),
        ({"query": "query: ", "passage": "passage: "}, {"query_prompt": ""}, "", "passage: "),
        (OWN | {"Retrieval-query": "Query: "}, {}, "Query: ", "passage: "),
        (OWN | {"Retrieval-query": "Query: "}, {"query_prompt": "query: "}, "query: ", "passage: "),
    ],
)
def test_prompts_of_training_are_those_of_evaluation(
    own: dict[str, str], settings: dict[str, str], query: str, passage: str, tmp_path: Path
) -> None:
    model = load(static_folder(tmp_path, **own), **settings)
    columns = {"query": query, "passage": passage, "negative_1": passage, "negative_2": passage}
    assert training_prompts(model, negatives=2) == {name: prompt for name, prompt in columns.items() if prompt}

    collate = SentenceTransformerDataCollator(model.preprocess, prompts=training_prompts(model))
    batch = collate([{"query": TEXTS[0], "passage": TEXTS[1]}])
    assert torch.equal(batch["query_input_ids"], model.preprocess([query + TEXTS[0]])["input_ids"])
    assert torch.equal(batch["passage_input_ids"], model.preprocess([passage + TEXTS[1]])["input_ids"])

    model.save_pretrained(str(tmp_path / "trained"), create_model_card=False)
    evaluated = SentenceTransformerEncoderWrapper(str(tmp_path / "trained"), device="cpu")
    for role, prompt in [(PromptType.query, query), (PromptType.document, passage)]:
        expected = model.encode([prompt + text for text in TEXTS], prompt="", show_progress_bar=False)
        np.testing.assert_array_equal(encode_by_mteb(evaluated, role), expected)


METADATA = TaskMetadata(
    name="Prompts",
    description="Made for tests.",
    dataset={"path": "test/prompts", "revision": "1"},
    type="Retrieval",
    eval_splits=["test"],
    eval_langs=["deu-Latn"],
    main_score="map",
)


def encode_by_mteb(model: SentenceTransformerEncoderWrapper, role: PromptType) -> Any:
    rows = Dataset.from_dict({"id": ["1", "2"], "text": TEXTS, "title": ["", ""]})
    loader = create_dataloader(rows, task_metadata=METADATA, prompt_type=role, batch_size=2)
    return model.encode(
        loader,
        task_metadata=METADATA,
        hf_split="test",
        hf_subset="default",
        prompt_type=role,
        show_progress_bar=False,
    )


def gradients(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    """Of the sum of a text's vector, by name of the weights that are trained."""
    model.train()
    model(model.preprocess(TEXTS[:1]))["sentence_embedding"].sum().backward()
    return {name: weights.grad for name, weights in model.named_parameters() if weights.grad is not None}


def test_frozen_embeddings_are_those_of_words_alone(bert: Path) -> None:
    model = load(bert, freeze_embeddings=True)
    frozen = [name for name, weights in model.named_parameters() if not weights.requires_grad]
    assert frozen == ["0.model.embeddings.word_embeddings.weight"]
    assert "0.model.embeddings.position_embeddings.weight" in gradients(model)
    assert all(weights.requires_grad for weights in load(bert).parameters())


def test_without_dropout_training_reads_a_text_as_ever(bert: Path, tmp_path: Path) -> None:
    def vectors(model: SentenceTransformer) -> list[Any]:
        model.train()
        with torch.no_grad():
            return [model(model.preprocess(TEXTS[:1]))["sentence_embedding"].numpy() for _ in range(2)]

    first, second = vectors(load(bert, dropout=0))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, encode(load(bert))[:1], atol=1e-6)
    torch.manual_seed(0)
    by_default, again = vectors(load(bert))
    assert np.abs(by_default - again).max() > 0.001
    half, again = vectors(load(bert, dropout=0.5))
    assert np.abs(half - again).max() > 0.1
    load(bert, dropout=0.5).save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    config, saved = (next(folder.rglob("config.json")).read_text() for folder in (bert, tmp_path / "saved"))
    assert json.loads(saved)["hidden_dropout_prob"] == json.loads(config)["hidden_dropout_prob"]


def test_frozen_layers_are_the_first_and_all_below_them(bert: Path) -> None:
    model = load(bert, freeze_layers=1)
    names = {name for name, _ in model.named_parameters()}
    below = {name for name in names if "embeddings." in name or ".layer.0." in name}
    assert len(below) > 10 and any(".layer.1." in name for name in names)
    assert {name for name, weights in model.named_parameters() if not weights.requires_grad} == below
    assert {name for name in gradients(model) if ".layer." in name} == {name for name in names if ".layer.1." in name}
    np.testing.assert_array_equal(encode(model), encode(load(bert)))


def test_no_more_layers_are_frozen_than_there_are(bert: Path) -> None:
    assert refusal(bert, freeze_layers=3) == "model.freeze_layers: 3 is more than the 2 layers of the model"


@pytest.mark.parametrize("name", ["eager", "sdpa"])
def test_attention_is_computed_as_said_and_not_saved(
    name: Literal["eager", "sdpa"], bert: Path, tmp_path: Path
) -> None:
    model = load(bert, attn_implementation=name)
    assert model.transformers_model is not None
    assert model.transformers_model.config._attn_implementation == name
    np.testing.assert_allclose(encode(model), encode(load(bert)), atol=1e-5)
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert "attn" not in next((tmp_path / "saved").rglob("config.json")).read_text()


def test_attention_that_is_not_installed(bert: Path) -> None:
    if find_spec("flash_attn"):
        pytest.skip("flash_attn is installed")
    assert refusal(bert, attn_implementation="flash_attention_2").startswith(
        "model.attn_implementation: FlashAttention2 has been toggled on, but it cannot be used"
    )


def test_attention_is_no_code_of_the_hub() -> None:
    with pytest.raises(ValidationError, match="attn_implementation"):
        ModelSettings(base="a", attn_implementation="someone/kernel")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze_embeddings": True},
        {"freeze_layers": 1},
        {"dropout": 0.0},
        {"attn_implementation": "eager"},
        {"gradient_checkpointing": True},
        {"lora": LoraSettings()},
    ],
    ids=str,
)
def test_settings_for_transformers_alone(settings: dict[str, Any], static: Path) -> None:
    (name,) = settings
    assert refusal(static, **settings) == (f"model.{name} is for transformers, and this model is none; leave it out")


@pytest.mark.filterwarnings("error")
def test_gradient_checkpointing_computes_layers_twice_and_the_same(bert: Path) -> None:
    runs: list[int] = []

    def count(model: SentenceTransformer) -> SentenceTransformer:
        model.transformers_model.encoder.layer[0].intermediate.register_forward_hook(lambda *_: runs.append(1))
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0
        return model

    expected = gradients(count(load(bert)))
    assert len(runs) == 1
    found = gradients(count(load(bert, gradient_checkpointing=True)))
    assert len(runs) == 3
    torch.testing.assert_close(found, expected)


LORA = LoraSettings(rank=2, alpha=4, dropout=0.0)
needs_peft = pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed")


def with_adapters(base: Path | str, **settings: Any) -> SentenceTransformer:
    """A model whose adapters have been moved from where they change nothing."""
    torch.manual_seed(0)
    model = load(base, lora=LORA, **settings)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_()
    return model


@needs_peft
def test_adapters_change_nothing_at_first_and_are_all_that_is_trained(tmp_path: Path, bert: Path) -> None:
    modules = [Transformer(str(bert.parent / "transformer")), Pooling(16), Dense(16, 8)]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(tmp_path / "dense"), create_model_card=False)
    model = load(tmp_path / "dense", lora=LORA, freeze_embeddings=True, gradient_checkpointing=True)
    np.testing.assert_array_equal(encode(model), encode(load(tmp_path / "dense")))
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert len(trained) == 2 * 2 * 2  # two layers, query and value, A and B
    assert all("lora_" in name for name in trained)
    assert set(gradients(model)) == trained


@needs_peft
def test_merged_adapters_are_a_plain_model(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_adapters(bert)
    expected = encode(model)
    assert np.abs(expected - encode(load(bert))).max() > 0.01
    merge_lora(model)
    np.testing.assert_allclose(encode(model), expected, atol=1e-5)
    model.save_pretrained(str(tmp_path / "merged"), create_model_card=False)
    assert not list(tmp_path.rglob("adapter*"))
    plain = load_file(bert / "model.safetensors")
    assert load_file(tmp_path / "merged" / "model.safetensors").keys() == plain.keys()

    monkeypatch.setitem(sys.modules, "peft", None)
    np.testing.assert_array_equal(encode(SentenceTransformer(str(tmp_path / "merged"), device="cpu")), encode(model))


def test_merging_without_adapters_changes_nothing(bert: Path, static: Path) -> None:
    for folder in (bert, static):
        model = load(folder)
        merge_lora(model)
        np.testing.assert_array_equal(encode(model), encode(load(folder)))


@needs_peft
def test_base_that_is_adapters_is_merged_and_trained_whole(bert: Path, tmp_path: Path) -> None:
    model = with_adapters(bert)
    model.save_pretrained(str(tmp_path / "adapters"), create_model_card=False)
    assert list(tmp_path.rglob("adapter_model.safetensors"))
    again = load(tmp_path / "adapters")
    np.testing.assert_allclose(encode(again), encode(model), atol=1e-5)
    assert all(weights.requires_grad for weights in again.parameters())
    assert not any("lora" in name for name, _ in again.named_parameters())


@needs_peft
def test_checkpoint_of_adapters_is_of_the_commit_that_was_loaded(bert: Path, tmp_path: Path) -> None:
    snapshot = cache_on_hub(bert, tmp_path / "cache", "org/bert")
    model = with_adapters("org/bert")
    model.save_pretrained(str(tmp_path / "checkpoint"), create_model_card=False)
    config = json.loads((tmp_path / "checkpoint" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(snapshot)
    np.testing.assert_array_equal(
        encode(SentenceTransformer(str(tmp_path / "checkpoint"), device="cpu")), encode(model)
    )


@needs_peft
def test_adapters_on_modules_of_the_recipe(bert: Path) -> None:
    model = load(bert, lora=LoraSettings(target_modules=["key"]))
    adapted = {name.split(".lora_")[0] for name, _ in model.named_parameters() if "lora_" in name}
    assert {name.rpartition(".")[2] for name in adapted} == {"key"}
    assert "model.lora.target_modules: " in refusal(bert, lora=LoraSettings(target_modules=["nowhere"]))


def test_adapters_need_peft(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert refusal(bert, lora=LORA) == "model.lora needs peft: pip install 'mteb-hybrid[lora]'"
