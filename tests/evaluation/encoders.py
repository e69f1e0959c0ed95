"""Encoders made for tests: no download, the same vectors for the same text, and what they were asked is counted."""

from __future__ import annotations

import zlib
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from mteb.models import ModelMeta
from mteb.types import PromptType


@lru_cache(maxsize=100_000)
def _word_vector(word: str, dimensions: int, spread: int) -> np.ndarray[Any, Any]:
    seed = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return np.random.default_rng(seed).integers(-spread, spread + 1, dimensions)


class HashEncoder:
    """Vectors of small whole numbers, so that dot products are exact in any order of summation, and ties abound.

    Words that texts share make them alike; ``spread`` is the number of values of a component.
    """

    def __init__(self, *, dimensions: int = 24, spread: int = 2) -> None:
        self.dimensions, self.spread = dimensions, spread
        self.asked: Counter[tuple[str | None, str]] = Counter()
        self.calls: list[dict[str, Any]] = []
        overwrites = {"name": "test/hash-encoder", "revision": "1"}
        self.mteb_model_meta = ModelMeta.create_empty(overwrites=overwrites)

    def encode(self, inputs: Any, *, prompt_type: PromptType | None = None, **kwargs: Any) -> torch.Tensor:
        texts = [text for batch in inputs for text in batch["text"]]
        self.asked.update((prompt_type.value if prompt_type else None, text) for text in texts)
        self.calls.append({"prompt_type": prompt_type, **kwargs})
        return torch.tensor(np.stack([self._vector(text) for text in texts]), dtype=torch.float32)

    def _vector(self, text: str) -> np.ndarray[Any, Any]:
        vectors = [_word_vector(word, self.dimensions, self.spread) for word in text.split() or [text]]
        total: np.ndarray[Any, Any] = np.sum(vectors, axis=0)
        return total

    def similarity(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        return torch.as_tensor(embeddings1) @ torch.as_tensor(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        return (torch.as_tensor(embeddings1) * torch.as_tensor(embeddings2)).sum(dim=1)


class SparseHashEncoder(HashEncoder):
    """The same vectors as sparse tensors, as sentence-transformers' SparseEncoder gives them."""

    def encode(self, inputs: Any, **kwargs: Any) -> torch.Tensor:
        return super().encode(inputs, **kwargs).to_sparse()

    def similarity(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        return torch.sparse.mm(embeddings1, embeddings2.to_dense().T)


class HashSearch:
    """A search model over the same vectors, which returns only the best ``keep`` passages."""

    def __init__(self, keep: int | None = None) -> None:
        self.keep = keep
        self._encoder = HashEncoder()
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "test/hash-search", "revision": "1"})

    def index(self, corpus: Any, **kwargs: Any) -> None:
        self._corpus = corpus

    def search(self, queries: Any, *, top_k: int, **kwargs: Any) -> dict[str, dict[str, float]]:
        passages = np.stack([self._encoder._vector(text) for text in self._corpus["text"]])
        ids = list(self._corpus["id"])
        results = {}
        for id_, text in zip(queries["id"], queries["text"], strict=True):
            scores = passages @ self._encoder._vector(text)
            order = sorted(range(len(ids)), key=lambda row, s=scores: (s[row], ids[row]), reverse=True)
            results[id_] = {ids[row]: float(scores[row]) for row in order[: min(top_k, self.keep or top_k)]}
        return results


class HashCrossEncoder:
    """A cross-encoder that scores a pair by the same dot product."""

    def __init__(self) -> None:
        self._encoder = HashEncoder()
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "test/hash-cross", "revision": "1"})

    def predict(self, inputs1: Any, inputs2: Any, **kwargs: Any) -> np.ndarray[Any, Any]:
        first = [text for batch in inputs1 for text in batch["text"]]
        second = [text for batch in inputs2 for text in batch["text"]]
        pairs = zip(first, second, strict=True)
        return np.array([float(self._encoder._vector(a) @ self._encoder._vector(b)) for a, b in pairs])
