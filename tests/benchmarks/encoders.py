"""The encoders measured with: a free one, and sentence-transformers models."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from mteb.models import ModelMeta, SentenceTransformerEncoderWrapper
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ScoringFunction

TINY = "mteb-hybrid/tiny"
RANDOM = "random"
DIMENSIONS = 384


class RandomEncoder(AbsEncoder):
    """A random unit vector for each text, the same each time: encoding costs next to nothing."""

    def __init__(self) -> None:
        self.model = None
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "mteb-hybrid/random", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs: Any, **kwargs: Any) -> np.ndarray:
        """Encode every text of a data loader."""
        return np.stack([_vector(text) for batch in inputs for text in batch["text"]])


def _vector(text: str) -> np.ndarray:
    vector = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIMENSIONS, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def load_encoder(name: str) -> Any:
    """The encoder ``random``, ``mteb-hybrid/tiny``, or the model in a sentence-transformers folder."""
    if name == RANDOM:
        return RandomEncoder()
    if name == TINY:
        from mteb_hybrid.loading import load_tiny

        return load_tiny(TINY, "1")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformerEncoderWrapper(SentenceTransformer(name))


def remember_vectors(model: Any) -> None:
    """From now on give a text of a role the vector it got first, whatever batch it comes in."""
    encode: Callable[..., Any] = model.encode
    known: dict[tuple[str, str], np.ndarray] = {}

    def encode_once(inputs: Any, *, prompt_type: Any, **kwargs: Any) -> np.ndarray:
        texts = list(inputs.dataset["text"])
        if any((prompt_type.value, text) not in known for text in texts):
            vectors = np.asarray(encode(inputs, prompt_type=prompt_type, **kwargs))
            for text, vector in zip(texts, vectors, strict=True):
                known.setdefault((prompt_type.value, text), vector)
        return np.stack([known[prompt_type.value, text] for text in texts])

    model.encode = encode_once
