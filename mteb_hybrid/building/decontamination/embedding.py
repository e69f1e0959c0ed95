"""Texts held against each other by an encoder: what paraphrases and translations are found with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.decontamination.settings import EmbeddingSettings
from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    from mteb.models import EncoderProtocol

    from mteb_hybrid.training.base_model import Base

_TEXTS_AT_A_TIME = 4096
_VECTORS_AT_A_TIME = 65_536  # so that a block of similarities has 2^28 entries at most, of 4 bytes
_ROWS_AT_A_TIME = 1024

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Nearest:
    """Embeddings of the texts of tasks.

    Attributes:
        vectors: of length 1, shape (texts, dimensions).
        texts: the number of each text, increasing, shape (texts,).
    """

    vectors: Vectors
    texts: NDArray[np.int32]

    def find(self, vectors: Vectors) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Find the nearest text of each embedding.

        Args:
            vectors: of length 1, shape (rows, dimensions).

        Returns:
            Its number, the first of several as near, -1 where there are no texts; and its cosine. Both (rows,).
        """
        numbers = np.full(len(vectors), -1, dtype=np.int32)
        scores = np.full(len(vectors), -np.inf, dtype=np.float32)
        for begin in range(0, len(self.vectors), _VECTORS_AT_A_TIME):
            block = np.asarray(self.vectors[begin : begin + _VECTORS_AT_A_TIME])
            for start in range(0, len(vectors), _ROWS_AT_A_TIME):
                rows = slice(start, start + _ROWS_AT_A_TIME)
                cosines = vectors[rows] @ block.T
                best = cosines.argmax(axis=1)
                highest = np.take_along_axis(cosines, best[:, None], axis=1)[:, 0]
                better = highest > scores[rows]
                numbers[rows] = np.where(better, self.texts[begin + best], numbers[rows])
                scores[rows] = np.where(better, highest, scores[rows])
        return numbers, scores


def find_encoder(settings: EmbeddingSettings) -> Base:
    """Find the encoder and its revision, once in a process; loads nothing.

    Raises:
        HybridError: there is no such model.
    """
    return _found(settings.model, settings.revision)


def with_commit(settings: EmbeddingSettings) -> EmbeddingSettings:
    """The settings with the encoder's name and commit on the Hub, where it is there, so that it is the same again.

    Raises:
        HybridError: there is no such model.
    """
    encoder = find_encoder(settings)
    if encoder.kind != "hub":
        return settings
    return settings.model_copy(update={"model": encoder.source, "revision": encoder.revision})


@lru_cache(maxsize=1)
def _found(model: str, revision: str | None) -> Base:
    from mteb_hybrid.debias.plain import find_plain

    try:
        return find_plain(model, revision)
    except HybridError as error:
        raise HybridError(f"decontamination.embedding: {error}") from None


def encode(settings: EmbeddingSettings, encoder: Base, role: str, texts: Sequence[str]) -> Vectors:
    """Encode texts as queries or as documents of a retrieval task.

    Args:
        settings: of the batches.
        encoder: as ``find_encoder`` gives it.
        role: ``query`` or ``passage``.
        texts: each is encoded.

    Returns:
        Embeddings of length 1 (or 0, where the model gives nothing), shape (texts, dimensions).

    Raises:
        HybridError: the model cannot be loaded, or gives something else than one dense vector a text.
    """
    model = _loaded(encoder)
    parts = [
        _encoded(model, role, texts[start : start + _TEXTS_AT_A_TIME], settings.batch_size)
        for start in range(0, len(texts), _TEXTS_AT_A_TIME)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


@lru_cache(maxsize=1)
def _loaded(encoder: Base) -> EncoderProtocol:
    from mteb_hybrid.debias.plain import load_plain

    return load_plain(encoder)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Hide the progress bars of datasets, of which mteb would show one for each few thousand texts."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _encoded(model: EncoderProtocol, role: str, texts: Sequence[str], batch_size: int) -> Vectors:
    from datasets import Dataset
    from mteb.types import PromptType

    from mteb_hybrid.evaluation.dense import as_numpy, model_name
    from mteb_hybrid.evaluation.encodings import EncodingContext, SharedEncodings
    from mteb_hybrid.tasks import ParallelWorldMonolingual

    # a retrieval task of ours, for what a model is told of one: its prompts go by that
    metadata = ParallelWorldMonolingual.metadata
    options: Any = {"batch_size": batch_size, "show_progress_bar": False}
    context = EncodingContext(metadata, metadata.eval_splits[0], metadata.hf_subsets[0], options)
    rows = Dataset.from_dict({"id": [str(number) for number in range(len(texts))], "text": list(texts)})
    prompt_type = PromptType.query if role == "query" else PromptType.document
    with _no_bars():
        embeddings = SharedEncodings().encode(model, rows, prompt_type, context)
    array = as_numpy(embeddings)
    if getattr(embeddings, "is_sparse", False) or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise HybridError(
            f"decontamination.embedding: {model_name(model)} gives no dense vectors of finite numbers; take another"
        )
    vectors = array.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return normalised
