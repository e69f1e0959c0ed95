"""A batch that is read in pieces: the same embeddings and gradients, from less padding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import Tensor

from mteb_hybrid.training.pieces import in_pieces
from tests.training.small_runs import static_model, transformer_model

WORDS = ["where", "does", "the", "quiet", "river", "meet", "a", "stone", "bridge", "in", "spring"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = transformer_model(tmp_path_factory.mktemp("model") / "small", WORDS)
    return SentenceTransformer(str(folder), device="cpu").eval()  # what dropout draws depends on the pieces


@pytest.fixture
def shapes(encoder: SentenceTransformer) -> Iterator[list[tuple[int, ...]]]:
    """The shapes of what the encoder's first module reads."""
    seen: list[tuple[int, ...]] = []
    hook = encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0]["input_ids"].shape)))
    yield seen
    hook.remove()


def texts(lengths: list[int]) -> list[str]:
    return [" ".join(WORDS[(n + at) % len(WORDS)] for at in range(length)) for n, length in enumerate(lengths)]


def read(encoder: SentenceTransformer, lengths: list[int]) -> tuple[Tensor, list[Tensor]]:
    """The embeddings, and the gradient of a sum of them that tells all apart."""
    encoder.zero_grad()
    embeddings = encoder(dict(encoder.preprocess(texts(lengths))))["sentence_embedding"]
    weights = torch.arange(embeddings.numel(), dtype=embeddings.dtype).reshape(embeddings.shape).cos()
    (embeddings * weights).sum().backward()
    return embeddings.detach(), [p.grad.clone() for p in encoder.parameters() if p.grad is not None]


@settings(max_examples=25)
@given(st.lists(st.integers(1, 11), min_size=1, max_size=12), st.integers(1, 5))
def test_embeddings_and_gradients_are_those_of_the_whole_batch(
    encoder: SentenceTransformer, lengths: list[int], size: int
) -> None:
    expected, expected_gradients = read(encoder, lengths)
    with in_pieces(encoder, size):
        found, gradients = read(encoder, lengths)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert len(gradients) == len(expected_gradients) > 0
    for gradient, by_whole in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, by_whole, atol=1e-5, rtol=1e-4)


def test_texts_of_like_length_go_together(encoder: SentenceTransformer, shapes: list[tuple[int, ...]]) -> None:
    whole = encoder(dict(encoder.preprocess(texts([9, 1, 2, 9, 2]))))["sentence_embedding"]
    ((rows, longest),) = shapes
    shapes.clear()
    with in_pieces(encoder, 2):
        pieces = encoder(dict(encoder.preprocess(texts([9, 1, 2, 9, 2]))))["sentence_embedding"]
    assert rows == 5
    assert [count for count, _ in shapes] == [2, 2, 1]
    assert shapes[0][1] < shapes[1][1] == shapes[2][1] == longest  # 1 and 2, 2 and 9, 9
    torch.testing.assert_close(pieces, whole)


def test_what_is_read_as_ever(encoder: SentenceTransformer, shapes: list[tuple[int, ...]]) -> None:
    """Few texts; and what is padded at the beginning, whose padding cannot be cut at the end."""
    few = dict(encoder.preprocess(texts([3, 1])))
    padded = {name: value.flip(1) if isinstance(value, Tensor) else value for name, value in few.items()}
    for features, size in ((few, 2), (padded, 1)):
        expected = encoder(dict(features))["sentence_embedding"]
        with in_pieces(encoder, size):
            found = encoder(dict(features))["sentence_embedding"]
        assert torch.equal(found, expected)
    assert {rows for rows, _ in shapes} == {2}


def test_a_model_without_a_mask_reads_as_ever(tmp_path: Path) -> None:
    model = SentenceTransformer(str(static_model(tmp_path / "static", WORDS)), device="cpu")
    expected = model(dict(model.preprocess(texts([3, 1]))))["sentence_embedding"]
    with in_pieces(model, 1):
        assert torch.equal(model(dict(model.preprocess(texts([3, 1]))))["sentence_embedding"], expected)


def test_afterwards_the_model_is_as_before(encoder: SentenceTransformer) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), in_pieces(encoder):
        raise RuntimeError("in the middle")
    assert "forward" not in vars(encoder)
    assert "token_embeddings" in encoder(dict(encoder.preprocess(texts([1, 2]))))
