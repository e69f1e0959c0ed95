"""Models of a few words, each a text with a vector of its own, and the losses of their cosines worked by hand."""

from __future__ import annotations

import math
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

# Each word is a text. The lengths differ: they must not count.
VECTORS = {
    "q1": (1.0, 0.0, 0.0),
    "q2": (-0.6, 0.8, 0.0),
    "p1": (2.0, 0.0, 0.0),
    "p2": (0.0, 3.0, 4.0),
    "n1": (0.0, -1.0, 0.0),
    "n2": (-0.5, 0.0, 0.0),
}
COLUMNS = (("q1", "q2"), ("p1", "p2"))
NEGATIVES = (*COLUMNS, ("n1", "n2"))
COSINES = [[1.0, 0.0], [-0.6, 0.48]]  # q1 and q2 with p1 and p2
COSINES_OF_NEGATIVES = [[1.0, 0.0, 0.0, -1.0], [-0.6, 0.48, -0.8, 0.6]]  # and with n1 and n2
PREFIXES = [[1.0, 0.0], [-0.6, 0.8]]  # by the first two dimensions

TEACHER = VECTORS | {"q1": (0.6, 0.8, 0.0), "p2": (0.8, 0.6, 0.0)}
TEACHER_COSINES = [[0.6, 0.96], [-0.6, 0.0]]


class Words:
    """A tokenizer of a list of words."""

    def __init__(self, words: list[str]) -> None:
        self.ids = {word: number for number, word in enumerate(words)}

    def get_vocab(self) -> dict[str, int]:
        return self.ids


class Lookup(nn.Module):
    """A word's own vector, and nothing that has to be guessed."""

    max_seq_length = 8

    def __init__(self, vectors: dict[str, tuple[float, ...]]) -> None:
        super().__init__()
        self.tokenizer = Words(list(vectors))
        self.table = nn.Parameter(torch.tensor(list(vectors.values())))

    def preprocess(self, inputs: list[str], **kwargs: Any) -> dict[str, Tensor]:
        ids = torch.tensor([[self.tokenizer.ids[word]] for word in inputs])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        features["sentence_embedding"] = self.table[features["input_ids"][:, 0]]
        return features

    def get_embedding_dimension(self) -> int:
        return self.table.shape[1]


def encoder(vectors: dict[str, tuple[float, ...]] | None = None) -> SentenceTransformer:
    return SentenceTransformer(modules=[Lookup(vectors or VECTORS)], device="cpu")


def infonce(cosines: list[list[float]], temperature: float) -> float:
    """Mean over rows of -log softmax at the diagonal."""
    rows = [[math.exp(cosine / temperature) for cosine in row] for row in cosines]
    return -sum(math.log(row[index] / sum(row)) for index, row in enumerate(rows)) / len(rows)


def kl(teacher: list[list[float]], student: list[list[float]], temperature: float) -> float:
    """Mean over rows of KL(T || S), of the softmax of each row."""

    def softmax(row: list[float]) -> list[float]:
        powers = [math.exp(cosine / temperature) for cosine in row]
        return [power / sum(powers) for power in powers]

    pairs = [zip(softmax(held), softmax(free), strict=True) for held, free in zip(teacher, student, strict=True)]
    return sum(t * math.log(t / s) for pair in pairs for t, s in pair) / len(pairs)
