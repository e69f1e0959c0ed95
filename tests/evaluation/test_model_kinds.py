"""Real models of each kind that mteb's retrieval tasks take, made here: sparse, late interaction, dense in bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mteb
import pytest
import torch

from mteb_hybrid import collection_tasks, generate_world, register
from mteb_hybrid.tiny import tiny_encoder

pytestmark = pytest.mark.slow

LANGUAGES = ("en", "ru")


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    trained = tiny_encoder()[0].tokenizer
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=trained, mask_token="<mask>", **special)


def scores(model: Any, setting: int, subset: str) -> dict[str, Any]:
    task = collection_tasks(generate_world(20, languages=LANGUAGES, name="Kinds"))[setting]()
    results = mteb.evaluate(model, task, cache=None, show_progress_bar=False)
    return next(dict(entry) for entry in results.task_results[0].scores["test"] if entry["hf_subset"] == subset)


def assert_ranked(model: Any) -> None:
    """Shared words rank the answer well in one language, and the pool of both is ranked to its end."""
    assert scores(model, 0, "en-en")["map"] > 0.2
    pool = scores(model, 2, "en-all")
    assert 0 < pool["map"] < 1
    assert 1 <= pool["rank_distance"] <= 47  # of 48 passages


def test_a_sparse_encoder(tokenizer: Any) -> None:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    assert_ranked(SparseEncoder(modules=[SparseStaticEmbedding(tokenizer, weight=torch.ones(len(tokenizer)))]))


def test_late_interaction(tokenizer: Any, tmp_path: Path) -> None:
    from sentence_transformers import MultiVectorEncoder
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert_ranked(MultiVectorEncoder(str(tmp_path)))


def test_a_dense_encoder_in_bfloat16() -> None:
    assert_ranked(tiny_encoder().to(torch.bfloat16))
