"""Training runs of a second: corpora whose every text names its row and language, and models that know these words."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mteb_hybrid.training.outcome import TrainingRecord, read_record
from mteb_hybrid.training.recipe import Recipe

LANGUAGES = ("de", "en", "zh-Hant")
ROWS = 40
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

Row = dict[str, str]


def rows(
    count: int = ROWS, languages: Sequence[str] = LANGUAGES, *, ragged: bool = False, negatives: int = 0, name: str = ""
) -> list[Row]:
    """Rows whose query is ``deq7`` and whose passage is ``dep7``; ragged: every third row lacks a language."""
    return [_row(number, languages, ragged, negatives, name) for number in range(count)]


def _row(number: int, languages: Sequence[str], ragged: bool, negatives: int, name: str) -> Row:
    missing = languages[number // 3 % len(languages)] if ragged and number % 3 == 1 else None
    row = {"id": f"{name}{number}"}
    for language in languages:
        if language != missing:
            word = name + language.replace("-", "")
            row |= {f"query_{language}": f"{word}q{number}", f"passage_{language}": f"{word}p{number}"}
            row |= {f"negative_{n}_{language}": f"{word}p{number + n}" for n in range(1, negatives + 1)}
    return row


def write(path: Path, lines: Sequence[Row]) -> Path:
    """Write a corpus as JSONL."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def words_of(*corpora: Sequence[Row]) -> list[str]:
    """The words of all texts."""
    texts = (text for corpus in corpora for row in corpus for name, text in row.items() if name not in {"id", "group"})
    return sorted({*texts})


def static_model(folder: Path, words: Sequence[str], dimensions: int = 16) -> Path:
    """Save a model that gives each word a vector of its own."""
    vectors = torch.randn(len(words) + len(SPECIAL), dimensions, generator=torch.Generator().manual_seed(0))
    embedding = StaticEmbedding(_tokenizer(words), embedding_weights=vectors.numpy())
    SentenceTransformer(modules=[embedding, Normalize()], device="cpu").save_pretrained(str(folder))
    return folder


def transformer_model(folder: Path, words: Sequence[str]) -> Path:
    """Save a random transformer of two layers, with dropout."""
    tokenizer = _tokenizer(words)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words) + len(SPECIAL), max_position_embeddings=16, pad_token_id=0, **sizes)
    parts = folder.with_name(f"{folder.name}-parts")
    BertModel(config).save_pretrained(parts)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(parts)
    modules = [Transformer(str(parts)), Pooling(16), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def _tokenizer(words: Sequence[str]) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def recipe(base: Path | str, *sources: Path | str | dict[str, Any], **sections: Any) -> Recipe:
    """A recipe of ten steps of eight pairs; what is given of its sections goes before, None takes a setting away."""
    values: dict[str, Any] = {
        "model": {"base": str(base)},
        "data": [source if isinstance(source, dict) else {"source": str(source)} for source in sources],
        "batches": {"size": 8},
        "training": {"max_steps": 10, "learning_rate": 0.05, "lr_scheduler_type": "constant", "logging_steps": 1},
    }
    for section, given in sections.items():
        merged = values[section] | given if isinstance(values.get(section), dict) else given
        values[section] = _without_none(merged) if isinstance(merged, dict) else merged
    return Recipe.model_validate(values)


def _without_none(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}


def weights(folder: Path) -> dict[str, bytes]:
    """The weights in a model's folder, to the bit."""
    files = sorted(folder.rglob("*.safetensors"))
    assert files
    return {
        f"{path.relative_to(folder)}: {name}": tensor.contiguous().view(torch.uint8).numpy().tobytes()
        for path in files
        for name, tensor in load_file(path).items()
    }


def record(folder: Path) -> TrainingRecord:
    """What the run wrote down."""
    found = read_record(folder)
    assert found is not None
    return found


def logged(folder: Path, key: str) -> Iterator[float]:
    """The values of a key in the training curve."""
    return (entry[key] for entry in record(folder).curve if key in entry)


@contextmanager
def single_thread() -> Iterator[None]:
    """Sums do not depend on how threads share them; and the trainer collects no garbage among what is imported."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        torch.set_num_threads(before)
