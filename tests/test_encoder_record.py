"""How a model encodes: the same after saving, and told apart where texts would be encoded differently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from mteb_hybrid.encoder_record import differences, encoder_record
from mteb_hybrid.tiny import tiny_encoder


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformer:
    model = tiny_encoder(device="cpu")
    model.prompts = {"query": "query: ", "document": ""}
    return model


def test_a_model_that_was_saved_encodes_as_before(encoder: SentenceTransformer, tmp_path: Path) -> None:
    before = encoder_record(encoder)
    encoder.save_pretrained(str(tmp_path / "model"))
    now = encoder_record(SentenceTransformer(str(tmp_path / "model"), device="cpu"))
    assert now == before
    assert before.prompts == {"query": "query: "}
    assert before.similarity == "cosine"
    assert before.tokenizer is not None
    assert len(before.tokenizer) == 40
    assert not list(differences(before, now))


def _similarity(model: SentenceTransformer) -> None:
    model.similarity_fn_name = "dot"


def _prompts(model: SentenceTransformer) -> None:
    model.prompts = {"query": "query:"}


def _tokenizer(model: SentenceTransformer) -> None:
    from tokenizers import normalizers

    model.tokenizer.normalizer = normalizers.NFKC()  # no longer in lower case


@pytest.mark.parametrize("change", [_similarity, _prompts, _tokenizer])
def test_what_encodes_differently_is_named(change: Callable[[Any], None]) -> None:
    model = tiny_encoder(device="cpu")
    before = encoder_record(model)
    change(model)
    (told,) = differences(before, encoder_record(model))
    assert told.startswith({_similarity: "similarity was 'cosine' and is 'dot'"}.get(change, change.__name__[1:]))


def test_a_tokenizer_that_is_not_known_is_no_difference() -> None:
    before = encoder_record(tiny_encoder(device="cpu"))
    assert not list(differences(before.model_copy(update={"tokenizer": None}), before))
