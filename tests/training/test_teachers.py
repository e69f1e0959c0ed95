"""Teachers: which tokens they read, how often, and that they stay as they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from mteb_hybrid.errors import HybridError
from mteb_hybrid.tiny import tiny_encoder
from mteb_hybrid.training import teachers
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.recipe import LossSettings
from mteb_hybrid.training.teachers import Column, Teachers
from tests.training.lookup import COLUMNS, TEACHER, VECTORS, Lookup, encoder


class Counting(Lookup):
    """Notes the words that it reads; a prompt is put before a word."""

    def __init__(self, vectors: dict[str, tuple[float, ...]]) -> None:
        super().__init__(vectors)
        self.read: list[str] = []

    def preprocess(self, inputs: list[str], prompt: str | None = None, **kwargs: Any) -> dict[str, Tensor]:
        return super().preprocess([f"{prompt or ''}{word}" for word in inputs])

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        words = list(self.tokenizer.ids)
        self.read += [words[number] for number in features["input_ids"][:, 0].tolist()]
        return super().forward(features)


def counting(vectors: dict[str, tuple[float, ...]], **prompts: str) -> SentenceTransformer:
    return SentenceTransformer(modules=[Counting(vectors)], device="cpu", prompts=prompts)


def columns(texts: bool) -> list[Column]:
    """Queries and passages as the model of VECTORS reads them."""
    roles = ("query", "passage")
    return [
        Column(Lookup(VECTORS).preprocess(list(words)), role, list(words) if texts else None)  # type: ignore[arg-type]
        for role, words in zip(roles, COLUMNS, strict=True)
    ]


OTHER_ORDER = {word: (float(number), 1.0) for number, word in enumerate(reversed(VECTORS))}


def test_the_base_model_reads_the_tokens_of_the_batch() -> None:
    model = counting(VECTORS)
    base = Teachers(model, None).base()
    found = base.embed(columns(texts=False))
    assert found[0].tolist() == [list(VECTORS["q1"]), pytest.approx(VECTORS["q2"])]
    assert base.model is not model
    assert model[0].read == []


def test_a_teacher_of_another_vocabulary_reads_the_texts() -> None:
    teacher = Teachers(encoder(), None, counting(OTHER_ORDER)).named("org/teacher", "distill")
    assert not teacher.reads_tokens
    queries, passages = teacher.embed(columns(texts=True))
    assert queries.tolist() == [list(OTHER_ORDER["q1"]), list(OTHER_ORDER["q2"])]
    assert passages.tolist() == [list(OTHER_ORDER["p1"]), list(OTHER_ORDER["p2"])]
    with pytest.raises(
        HybridError, match=r"^loss\.distill\.teacher tokenises texts in its own way, .* or take `base`$"
    ):
        teacher.embed(columns(texts=False))


def test_a_teacher_with_prompts_of_its_own_puts_them_before_the_texts() -> None:
    """Though its vocabulary is the model's."""
    vectors = VECTORS | {f"{prompt} {word}": (1.0, 2.0, 3.0) for prompt in ("ask", "tell") for word in VECTORS}
    model, teacher = counting(vectors), counting(vectors, query="ask ", document="tell ")
    Teachers(model, None, teacher).named("org/teacher", "distill").embed(columns(texts=True))
    assert teacher[0].read == ["ask q1", "ask q2", "tell p1", "tell p2"]
    again = counting(vectors)
    assert Teachers(model, None, again).named("org/teacher", "distill").reads_tokens


def test_a_teacher_that_takes_shorter_texts_cuts_them_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, reads_tokens in ((7, False), (8, True), (None, True)):  # the model takes 8 tokens
        monkeypatch.setattr(teachers, "token_limit", lambda model, limit=limit: limit)
        found = Teachers(encoder(), None, encoder(TEACHER)).named("org/teacher", "distill")
        assert found.reads_tokens is reads_tokens


def test_no_text_is_read_twice() -> None:
    """Two objectives ask the base model for the same columns; another batch holds texts that it knows."""
    base = Teachers(counting(VECTORS), 1).base()
    batch = columns(texts=False)
    first, again = base.embed(batch), base.embed(batch[::-1])
    assert base.model[0].read == ["q1", "q2", "p1", "p2"]
    assert again[1] is first[0]
    new = next(word for word in VECTORS if word not in {"q1", "q2", "p1", "p2"})
    words = ["p2", "q1", new, "q1", new]
    (found,) = base.embed([Column(Lookup(VECTORS).preprocess(words), "query")])
    assert base.model[0].read[4:] == [new]
    assert found.tolist() == [pytest.approx(VECTORS[word]) for word in words]


def test_of_many_texts_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachers, "REMEMBERED", 3)
    base = Teachers(counting(VECTORS), None).base()
    for _ in range(2):
        queries, passages = base.embed(columns(texts=False))
        assert queries.tolist() == [pytest.approx(VECTORS[word]) for word in COLUMNS[0]]
        assert passages.tolist() == [pytest.approx(VECTORS[word]) for word in COLUMNS[1]]
    assert base.model[0].read == ["q1", "q2", "p1", "p2", "q1"]


def test_what_is_remembered_is_what_a_batch_without_padding_gives() -> None:
    """Texts of several lengths, by a real encoder: the padding of a batch makes no difference."""
    model = tiny_encoder(device="cpu")
    teacher = Teachers(model, None).base()
    texts = ["Who built it?", "Who built the long bridge over the river in the north of the old town?", "Wer?"]
    alone = [teacher.embed([Column(model.preprocess([text]), "query")])[0][0] for text in texts]
    again = Teachers(model, None).base().embed([Column(model.preprocess(texts), "query")])[0]
    torch.testing.assert_close(torch.stack(alone), again)
    assert torch.equal(teacher.embed([Column(model.preprocess(texts), "query")])[0], torch.stack(alone))


def test_a_teacher_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(settings: Any, *, device: str) -> SentenceTransformer:
        asked.append(settings.base)
        return encoder(TEACHER)

    monkeypatch.setattr(teachers, "load_base_model", load)
    found = Teachers(encoder(), None)
    named = found.named("org/teacher", "distill")
    assert found.named("org/teacher", "score_distill") is named
    assert found.named("org/other", "score_distill") is not named
    assert asked == ["org/teacher", "org/other"]
    assert found.named("base", "distill") is found.base()
    assert not found.read_texts


def test_a_teacher_that_cannot_be_loaded_is_named_by_its_setting() -> None:
    settings = LossSettings.model_validate({"distill": {"teacher": "no-such-model"}})
    with pytest.raises(
        HybridError, match=r"^loss\.distill\.teacher: 'no-such-model' is no folder, short name or Hub id"
    ):
        build_loss(encoder(), settings)


def test_a_teacher_is_frozen() -> None:
    given = encoder(TEACHER).train()
    teacher = Teachers(encoder(), None, given).named("org/teacher", "distill")
    assert not given.training
    assert not any(found.requires_grad for found in teacher.embed(columns(texts=False)))
    assert not given[0].table.requires_grad
    assert torch.equal(given[0].table, torch.tensor(list(TEACHER.values())))
