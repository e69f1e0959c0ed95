"""Similarities by embeddings: one encoder, held to what a task asks of it."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from mteb.types import PromptType

from mteb_hybrid.evaluation.encodings import ByLanguage, EncodingContext, SharedEncodings
from mteb_hybrid.evaluation.ranking import Floats

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.models import EncoderProtocol
    from mteb.types import Array

logger = logging.getLogger(__name__)

SIMILARITIES_AT_ONCE = 2**26
"""A similarity matrix of more entries (256 MB in single precision) is computed in parts."""


@dataclass(frozen=True)
class DenseScorer:
    """An encoder and the encodings that are kept of it.

    Attributes:
        model: the encoder.
        encodings: where embeddings are kept.
        token_limits: cut texts at so many tokens, by role, where the model lets its limit be set; None cuts nothing
            beyond the model's own limit.
        dot_product: score with the dot product, whatever similarity the model declares.
    """

    model: EncoderProtocol
    encodings: SharedEncodings
    token_limits: Mapping[PromptType, int] | None
    dot_product: bool

    def encode(self, texts: Dataset, role: PromptType, context: EncodingContext, languages: Sequence[str]) -> Any:
        """Embeddings of the rows of a queries or corpus data set, each distinct text encoded once."""
        with self._cut(role, context) as variant:
            return self.encodings.encode(self.model, texts, role, context, languages=languages, variant=variant)

    def key(self, role: PromptType, context: EncodingContext) -> Hashable:
        """What tells its embeddings of a role from others, and their similarities."""
        with self._cut(role, context) as variant:
            return self.encodings.key(self.model, role, context, variant), self.dot_product

    def similarity(self, queries: Any, corpus: Any) -> Floats:
        """Similarities of embeddings, shape (queries, passages)."""
        return as_numpy(_dot(queries, corpus) if self.dot_product else self.model.similarity(queries, corpus))

    def in_parts(self, queries: Any, corpus: Any) -> Iterator[tuple[slice, Floats]]:
        """Similarities of all queries to all passages, in row parts of bounded size."""
        step = max(1, SIMILARITIES_AT_ONCE // max(1, corpus.shape[0]))
        for start in range(0, queries.shape[0], step):
            rows = slice(start, min(start + step, queries.shape[0]))
            yield rows, self.similarity(queries if step >= queries.shape[0] else queries[rows], corpus)

    @contextmanager
    def _cut(self, role: PromptType, context: EncodingContext) -> Iterator[str]:
        """Hold the model to the task's token limit for a role; gives what tells the embeddings apart."""
        model = self.model.inner if isinstance(self.model, ByLanguage) else self.model
        encoder: Any = getattr(model, "model", model)
        own = getattr(encoder, "max_seq_length", None)
        if self.token_limits is None:
            yield ""
            return
        if not isinstance(own, int):
            logger.warning(
                f"{model_name(model)} has no token limit to set: {context.task_metadata.name} is run without cutting "
                "texts"
            )
            yield ""
            return
        limit = min(self.token_limits[role], own)
        encoder.max_seq_length = limit
        try:
            yield f"{limit} tokens"
        finally:
            encoder.max_seq_length = own


def model_name(model: object) -> str:
    """What to call a model in a message."""
    return getattr(getattr(model, "mteb_model_meta", None), "name", None) or type(model).__name__


def as_numpy(scores: Array) -> Floats:
    """Similarities as a dense numpy array, in single precision at least."""
    import torch

    if not isinstance(scores, torch.Tensor):
        return np.asarray(scores)
    dense = scores.to_dense() if scores.is_sparse else scores
    wide = dense if dense.dtype in {torch.float32, torch.float64} else dense.float()
    array: Floats = wide.detach().cpu().numpy()
    return array


def _dot(queries: Array, corpus: Array) -> Array:
    from mteb.similarity_functions import dot_score

    return dot_score(queries, corpus)
