"""The gate that asks a model: does the translation mean what its text means?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.training.base_model import Base, load_base_model
from mteb_hybrid.training.recipe import ModelSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MEANING = "translation of another meaning"


def similarities(
    texts: Sequence[str], others: Sequence[str], encoder: Base, device: str | None = None
) -> NDArray[np.float32]:
    """The cosine of each text and another one.

    Args:
        texts: the texts.
        others: as many.
        encoder: where it is.
        device: as in torch.

    Returns:
        A cosine for each; texts without a vector, such as empty ones, have 0 with all.

    Raises:
        HybridError: the encoder cannot be had, needs code of its own or has no safetensors.
    """
    model = _encoder(encoder, device)
    first, second = (
        np.asarray(model.encode(list(part), normalize_embeddings=True, show_progress_bar=False), dtype=np.float32)
        for part in (texts, others)
    )
    cosines: NDArray[np.float32] = np.nan_to_num((first * second).sum(axis=-1))
    return cosines


@lru_cache(maxsize=1)
def _encoder(base: Base, device: str | None) -> SentenceTransformer:
    return load_base_model(ModelSettings(base=base.source), base=base, device=device).eval()
