"""Which files of a model's folder are published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.model_files import model_files, read_training, training_files

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
]
PUBLISHED = {
    "1_Pooling/config.json": b"{}",
    "2_Dense/model.safetensors": b"s",
    "config.json": b'{"hidden_size": 4}',
    "config_sentence_transformers.json": b"{}",
    "merges.txt": b"m",
    "model.safetensors.index.json": b"{}",
    "model.safetensors": b"s",
    "modules.json": json.dumps(MODULES).encode(),
    "sentence_bert_config.json": b"{}",
    "sentencepiece.bpe.model": b"m",
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "vocab.txt": b"v",
}
LEFT = (
    "README.md", "pytorch_model.bin", "optimizer.pt", "training_args.bin", "notes.pkl", "custom.py", ".git/config.json",
    ".env", "checkpoint-5/model.safetensors", "runs/events.out.tfevents", "runs/x.json", "trainer_state.json",
    "results/XQuADR.json", "model.onnx", "notes.txt", "training_data.txt", "all_results.json", "eval/config.json",
    "2_Dense/notes.txt", "older/model.safetensors",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in PUBLISHED.items() | {(name, b"x") for name in LEFT}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_what_loads_without_running_code_and_no_more(folder: Path) -> None:
    assert model_files(folder) == {name: folder / name for name in PUBLISHED}


@pytest.mark.parametrize("key", ["_name_or_path", "name_or_path"])
def test_folders_of_this_machine_are_cut_from_configurations(folder: Path, key: str) -> None:
    (folder / "config.json").write_text(json.dumps({key: "/home/ada/secret/base", "hidden_size": 4}))
    files = model_files(folder)
    assert isinstance(files["config.json"], bytes)
    assert json.loads(files["config.json"]) == {key: "base", "hidden_size": 4}


def test_folders_of_this_machine_are_cut_wherever_a_key_names_paths(folder: Path) -> None:
    def nested(base: str, file: str) -> str:
        config = {"text_config": {"_name_or_path": base}, "parts": [{"tokenizer_file": file, "cache_dir": None}]}
        more = {"base_model_name_or_path": base, "vocab_files": [file, "vocab.txt"], "unk_token": "/", "pad_token": "~"}
        return json.dumps(config | more | {"chat_template": "/{{ x }}", "path": "1_Pooling"})

    (folder / "tokenizer_config.json").write_text(nested("/home/ada/secret/base", r"C:\Users\ada\tokenizer.json"))
    cleaned = model_files(folder)["tokenizer_config.json"]
    assert isinstance(cleaned, bytes)
    assert json.loads(cleaned) == json.loads(nested("base", "tokenizer.json"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("modules.json", b'[{"type": "mine.Transformer"}]', "needs code of its own (mine.Transformer"),
        ("modules.json", b"[1]", "modules.json is damaged"),
        ("modules.json", b"[" * 100_000, "modules.json is damaged"),
        ("config.json", b"{", "config.json is not JSON"),
    ],
)
def test_what_is_refused(folder: Path, name: str, content: bytes, told: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(HybridError) as caught:
        model_files(folder)
    assert told in str(caught.value)


def test_a_model_without_safetensors(folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        path.unlink()
    with pytest.raises(HybridError, match="safetensors"):
        model_files(folder)


def test_a_model_that_was_not_trained_here(folder: Path) -> None:
    assert read_training(folder) == (None, None)
    assert training_files(None, None) == {}
