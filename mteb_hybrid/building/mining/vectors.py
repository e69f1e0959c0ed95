"""Embeddings of a column's distinct texts on disk, in parts, so that a killed run costs one part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow
from numpy.typing import NDArray

from mteb_hybrid.building.mining.corpus import load, save
from mteb_hybrid.errors import HybridError

PART = 50_000
"""Texts in a part."""

Floats = NDArray[np.float32]


class Encoder(Protocol):
    """What is needed of a ``SentenceTransformer``."""

    @property
    def prompts(self) -> Mapping[str, str | None]:
        """What is put before texts, by role."""
        ...

    def encode_query(self, inputs: list[str], **options: Any) -> Any:
        """Embeddings of queries, shape (texts, dimensions)."""
        ...

    def encode_document(self, inputs: list[str], **options: Any) -> Any:
        """Embeddings of passages, shape (texts, dimensions)."""
        ...

    def get_embedding_dimension(self) -> int | None:
        """How many dimensions they have."""
        ...


class Vectors:
    """Unit vectors in half precision: 2 bytes a number, no score off by more than 0.001.

    Args:
        folder: of the parts.
        count: of all vectors.
        dimensions: of each.
    """

    def __init__(self, folder: Path, count: int, dimensions: int) -> None:
        self._folder, self._count, self._dimensions = folder, count, dimensions

    def __len__(self) -> int:
        return self._count

    @property
    def dimensions(self) -> int:
        """Of each vector."""
        return self._dimensions

    def make(
        self, texts: pyarrow.LargeStringArray, encode: Callable[[list[str]], Any], done: Callable[[int], Any]
    ) -> None:
        """Encode the texts whose parts are not there yet, telling ``done`` how many each time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(range(0, self._count, PART)):
            size = min(PART, self._count - start)
            if not self._part(number).exists():
                save(self._part(number), self._checked(encode(texts.slice(start, size).to_pylist()), size))
            done(size)

    def parts(self) -> Iterator[Floats]:
        """All vectors, a part at a time, in single precision."""
        for number in range(-(-self._count // PART)):
            yield load(self._part(number)).astype(np.float32)

    def take(self, numbers: NDArray[np.integer[Any]]) -> Floats:
        """Some vectors in single precision, shape (numbers, dimensions)."""
        taken = np.empty((len(numbers), self._dimensions), np.float32)
        part = numbers // PART
        for number in np.unique(part).tolist():
            at = np.flatnonzero(part == number)
            taken[at] = load(self._part(number))[numbers[at] - number * PART]
        return taken

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:06}.npy"

    def _checked(self, embeddings: Any, size: int) -> NDArray[np.float16]:
        vectors = np.asarray(embeddings, np.float32)
        if vectors.shape != (size, self._dimensions) or not np.isfinite(vectors).all():
            raise HybridError(
                f"the model gives no dense vector of {self._dimensions} finite numbers a text (shape {vectors.shape} "
                f"for {size} texts); mine with another"
            )
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        halves: NDArray[np.float16] = (vectors / lengths).astype(np.float16)
        return halves
