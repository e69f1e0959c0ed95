"""Translation models run by transformers."""

from __future__ import annotations

import copy
from typing import Any

from mteb_hybrid.building.translation.models import load_weights
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.translator import Batch, Generate
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.base_model import Base


def load_transformers(model: Base, settings: TranslationSettings, device: str) -> Generate:
    """Load a model.

    Args:
        model: where it is.
        settings: numbers of its weights, and the beam.
        device: as in torch.

    Returns:
        The engine.
    """
    import torch

    weights = load_weights(model, settings.dtype, device)
    plain = copy.deepcopy(weights.generation_config)
    plain.do_sample = False
    plain.num_beams = settings.num_beams
    plain.max_length = None
    plain.forced_eos_token_id = None  # it would end at the limit what has no end

    def generate(batch: Batch) -> list[tuple[list[int], bool]]:
        config = copy.deepcopy(plain)
        config.max_new_tokens = batch.limit + 2
        config.forced_bos_token_id = batch.first
        inputs, mask = _padded(batch.ids, weights.config.pad_token_id or 0, device)
        try:
            with torch.inference_mode():
                found = weights.generate(input_ids=inputs, attention_mask=mask, generation_config=config)
        except torch.OutOfMemoryError:
            raise HybridError(
                f"the memory of {device} is full; set translation.batch_tokens below {settings.batch_tokens}"
            ) from None
        ends = _ends(config.eos_token_id)
        skipped = 1 + (batch.first is not None)  # what the decoder starts with, and the first token
        return [_cut(tokens[skipped:], ends) for tokens in found.tolist()]

    return generate


def _padded(ids: list[list[int]], padding: int, device: str) -> tuple[Any, Any]:
    """The ids and their mask, both of shape (texts, tokens), padded at the right."""
    import torch

    longest = max(map(len, ids))
    rows = [tokens + [padding] * (longest - len(tokens)) for tokens in ids]
    mask = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in ids]
    return torch.tensor(rows, device=device), torch.tensor(mask, device=device)


def _ends(eos: int | list[int] | None) -> set[int]:
    return set(eos) if isinstance(eos, list) else set() if eos is None else {eos}


def _cut(tokens: list[int], ends: set[int]) -> tuple[list[int], bool]:
    for place, token in enumerate(tokens):
        if token in ends:
            return tokens[:place], True
    return tokens, False
