"""Shared encodings: what reaches the encoder, how often, and what comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import EncoderProtocol, ModelMeta
from mteb.types import PromptType

from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.encodings import EncodingContext, SharedEncodings

QUERY, DOCUMENT = PromptType.query, PromptType.document
METADATA = TaskMetadata(
    name="First",
    description="Made for tests.",
    dataset={"path": "test/first", "revision": "1"},
    type="Retrieval",
    eval_splits=["test"],
    eval_langs=["eng-Latn"],
    main_score="map",
)
OTHER = METADATA.model_copy(update={"name": "Other"})


class Encoder:
    """A vector that tells the text: its length, its first letter and 1."""

    def __init__(self, kind: Callable[[torch.Tensor], Any] = lambda vectors: vectors) -> None:
        self.kind = kind
        self.asked: Counter[tuple[str, str]] = Counter()
        self.calls: list[dict[str, Any]] = []
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "test/encoder", "revision": "1"})

    def encode(self, inputs: Iterable[Any], *, prompt_type: PromptType, **kwargs: Any) -> Any:
        batches = [list(batch["text"]) for batch in inputs]
        texts = [text for batch in batches for text in batch]
        self.asked.update((prompt_type.value, text) for text in texts)
        self.calls.append({"texts": texts, "batches": list(map(len, batches)), "prompt_type": prompt_type, **kwargs})
        return self.kind(torch.tensor([vector(text) for text in texts]))

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        return embeddings1 @ embeddings2.T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        return (embeddings1 * embeddings2).sum(1)


class PromptedEncoder(Encoder):
    """One that has a prompt of its own for one task."""

    def get_prompt_name(self, task_metadata: TaskMetadata, prompt_type: PromptType) -> str | None:
        return "other" if task_metadata.name == "Other" and prompt_type == QUERY else None


class InstructedEncoder(Encoder):
    """One whose instruction names the task."""

    def get_task_instruction(self, task_metadata: TaskMetadata, prompt_type: PromptType) -> str:
        return f"Find answers for {task_metadata.name}"


def vector(text: str) -> list[float]:
    return [float(len(text)), float(ord(text[0]) if text else 0), 1.0]


def rows(*texts: str) -> Dataset:
    return Dataset.from_dict({"id": [str(row) for row in range(len(texts))], "text": list(texts)})


def context(metadata: TaskMetadata = METADATA, **encode_kwargs: Any) -> EncodingContext:
    return EncodingContext(metadata, "test", "de-all", encode_kwargs)  # type: ignore[arg-type]


def test_the_encoder_of_these_tests_is_one_to_mteb() -> None:
    assert isinstance(Encoder(), EncoderProtocol)


def test_a_text_is_encoded_once_however_often_it_is_asked_for() -> None:
    encodings, encoder = SharedEncodings(), Encoder()
    for texts in (("a", "bb", "a"), ("bb", "ccc"), ("ccc", "a")):
        found = encodings.encode(encoder, rows(*texts), DOCUMENT, context())
        assert found.tolist() == [vector(text) for text in texts]
    assert encoder.asked == {("document", "a"): 1, ("document", "bb"): 1, ("document", "ccc"): 1}
    assert [call["texts"] for call in encoder.calls] == [["a", "bb"], ["ccc"]]


def test_a_text_that_is_query_and_document_is_encoded_as_both() -> None:
    encodings, encoder = SharedEncodings(), Encoder()
    for role in (QUERY, DOCUMENT, QUERY, DOCUMENT):
        encodings.encode(encoder, rows("a"), role, context())
    assert encoder.asked == {("query", "a"): 1, ("document", "a"): 1}


@pytest.mark.parametrize(
    ("model", "query_times", "document_times"), [(Encoder, 1, 1), (PromptedEncoder, 2, 1), (InstructedEncoder, 2, 2)]
)
def test_a_text_is_encoded_again_where_the_task_has_another_prompt(
    model: type[Encoder], query_times: int, document_times: int
) -> None:
    encodings, encoder = SharedEncodings(), model()
    for metadata in (METADATA, OTHER, METADATA, OTHER):
        for role in (QUERY, DOCUMENT):
            encodings.encode(encoder, rows("a"), role, context(metadata))
    assert encoder.asked == {("query", "a"): query_times, ("document", "a"): document_times}


@pytest.mark.parametrize(
    ("first", "second", "times"),
    [
        ({"batch_size": 1}, {"batch_size": 64}, 1),
        ({"show_progress_bar": True}, {"show_progress_bar": False}, 1),
        ({"normalize_embeddings": True, "precision": "int8"}, {"precision": "int8", "normalize_embeddings": True}, 1),
        ({"normalize_embeddings": True}, {"normalize_embeddings": False}, 2),
        ({}, {"truncate_dim": 2}, 2),
        ({"truncate_dim": 2}, {"truncate_dim": "2"}, 2),
    ],
)
def test_only_arguments_that_change_embeddings_set_them_apart(
    first: dict[str, Any], second: dict[str, Any], times: int
) -> None:
    encodings, encoder = SharedEncodings(), Encoder()
    encodings.encode(encoder, rows("a"), QUERY, context(**first))
    encodings.encode(encoder, rows("a"), QUERY, context(**second))
    assert encoder.asked["query", "a"] == times


def test_a_variant_sets_texts_apart() -> None:
    encodings, encoder = SharedEncodings(), Encoder()
    for variant in ("", "96 tokens", "", "96 tokens"):
        encodings.encode(encoder, rows("a"), QUERY, context(), variant=variant)
    assert encoder.asked["query", "a"] == 2


def test_two_encoders_do_not_share_though_they_have_one_name() -> None:
    encodings, first, second = SharedEncodings(), Encoder(), Encoder(kind=lambda vectors: -vectors)
    assert encodings.encode(first, rows("a"), QUERY, context()).tolist() == [vector("a")]
    assert (-encodings.encode(second, rows("a"), QUERY, context())).tolist() == [vector("a")]
    assert first.asked == second.asked == {("query", "a"): 1}


def test_a_model_that_mteb_loads_anew_for_each_task_shares_its_encodings() -> None:
    def loaded(**loader_kwargs: Any) -> Encoder:
        encoder = Encoder()
        encoder.mteb_model_meta = encoder.mteb_model_meta.model_copy(
            update={"loader": Encoder, "loader_kwargs": loader_kwargs}
        )
        return encoder

    encodings, models = SharedEncodings(), [loaded(), loaded(), loaded(dtype="float16")]
    for encoder in models:
        encodings.encode(encoder, rows("a"), QUERY, context())
    assert [encoder.asked.total() for encoder in models] == [1, 0, 1]


NUMPY_KINDS = {
    "numpy": lambda vectors: vectors.numpy(),
    "numpy float16": lambda vectors: vectors.numpy().astype(np.float16),
}
TORCH_KINDS = {
    "float32": lambda vectors: vectors,
    "float16": lambda vectors: vectors.half(),
    "bfloat16": lambda vectors: vectors.bfloat16(),
    "sparse": lambda vectors: vectors.to_sparse(),
    "needs a gradient": lambda vectors: vectors.requires_grad_(),
}


@pytest.mark.parametrize("kind", NUMPY_KINDS | TORCH_KINDS)
def test_rows_and_kind_are_as_the_encoder_gives_them(kind: str) -> None:
    make = (NUMPY_KINDS | TORCH_KINDS)[kind]
    encodings, encoder = SharedEncodings(), Encoder(make)
    texts = ("bb", "a", "bb", "", "ccc", "a", "é中", "new\nline")
    encodings.encode(encoder, rows("a", "dddd"), DOCUMENT, context())
    found = encodings.encode(encoder, rows(*texts), DOCUMENT, context())
    expected = make(torch.tensor([vector(text) for text in texts]))
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if isinstance(found, torch.Tensor):
        assert found.layout == expected.layout
        assert torch.equal(found.to_dense(), expected.to_dense())
    else:
        assert np.array_equal(found, expected)
    assert set(encoder.asked.values()) == {1}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda vectors: vectors[:-1], id="too few"),
        pytest.param(lambda vectors: vectors[:, 0], id="a number a text"),
        pytest.param(lambda vectors: vectors[:, None], id="many vectors a text"),
        pytest.param(list, id="a list of tensors"),
        pytest.param(lambda vectors: None, id="nothing"),
    ],
)
def test_what_is_not_one_vector_a_text_is_refused_in_one_line(kind: Callable[[torch.Tensor], Any]) -> None:
    with pytest.raises(HybridError, match=r"test/encoder does not give one vector a text .* 2 texts") as raised:
        SharedEncodings().encode(Encoder(kind), rows("a", "bb", "a"), QUERY, context())
    assert "\n" not in str(raised.value)


def test_after_a_refusal_nothing_is_taken_for_encoded() -> None:
    encodings, encoder = SharedEncodings(), Encoder(lambda vectors: vectors[:, 0])
    with pytest.raises(HybridError):
        encodings.encode(encoder, rows("a"), QUERY, context())
    encoder.kind = lambda vectors: vectors
    assert encodings.encode(encoder, rows("a", "bb"), QUERY, context()).tolist() == [vector("a"), vector("bb")]


def test_the_encoder_is_told_role_task_subset_split_and_arguments() -> None:
    encoder = Encoder()
    told = EncodingContext(OTHER, "validation", "de-en", {"batch_size": 2, "normalize_embeddings": True})  # type: ignore[typeddict-unknown-key]
    SharedEncodings().encode(encoder, rows("a", "bb", "ccc"), DOCUMENT, told)
    (call,) = encoder.calls
    assert call["prompt_type"] is DOCUMENT
    assert call["task_metadata"] is OTHER
    assert (call["hf_split"], call["hf_subset"]) == ("validation", "de-en")
    assert (call["batch_size"], call["normalize_embeddings"]) == (2, True)
    assert call["batches"] == [2, 1]
