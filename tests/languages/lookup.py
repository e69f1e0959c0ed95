"""An encoder that looks vectors up: encoding is free, figures are those of a model with language bias."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from mteb.models import ModelMeta
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ScoringFunction

from mteb_hybrid.data.collection import ParallelCollection

DIMENSIONS = 32
LANGUAGE = 0.6
"""How much of a vector says in which language a text is; what it says has 1."""

NOISE = 0.7


class LookupEncoder(AbsEncoder):
    """Vectors of the texts of one collection: what a text says, the language it is in, and noise of its own.

    Attributes:
        texts: how many texts it was asked to encode.
    """

    def __init__(self, collection: ParallelCollection, name: str = "test/lookup", language: float = LANGUAGE) -> None:
        self.model = None
        self.texts = 0
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": name, "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )
        self._row_of, self._vectors = _table(collection, language)

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        """Look up every text of a data loader."""
        texts = list(inputs.dataset["text"])
        self.texts += len(texts)
        return self._vectors[[self._row_of[text] for text in texts]]


def _table(collection: ParallelCollection, language: float) -> tuple[dict[str, int], np.ndarray]:
    random = np.random.default_rng(0)
    row_of: dict[str, int] = {}
    parts = []
    for said in (collection.queries, collection.passages):
        for place, table in enumerate(said.values()):
            meant = np.stack([_drawn(groups[0]) for groups in table.groups])
            spoken = _drawn(f"language {place}")
            own = random.standard_normal(meant.shape, dtype=np.float32)
            row_of |= {text: row for row, text in enumerate(table.texts, start=len(row_of))}
            parts.append(meant + language * spoken + NOISE * own)
    return row_of, np.concatenate(parts).astype(np.float32)


def _drawn(seed: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(seed.encode())).standard_normal(DIMENSIONS, dtype=np.float32)
