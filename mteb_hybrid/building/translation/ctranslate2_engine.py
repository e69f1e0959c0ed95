"""Translation models run by CTranslate2, which is faster than transformers (extra ``ctranslate2``)."""

from __future__ import annotations

from typing import Any

from mteb_hybrid.building.translation.models import check_ctranslate2
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.translator import Batch, Generate
from mteb_hybrid.errors import HybridError, one_line


def load_ctranslate2(folder: str, tokenizer: Any, settings: TranslationSettings, device: str) -> Generate:
    """Load a model that was converted.

    Args:
        folder: the converted model.
        tokenizer: the original model's.
        settings: numbers of the weights, and the beam.
        device: as in torch.

    Returns:
        The engine.

    Raises:
        HybridError: CTranslate2 is not installed, or cannot run the model there.
    """
    check_ctranslate2()
    import ctranslate2

    kind, _, number = device.partition(":")
    try:
        model = ctranslate2.Translator(
            folder, device=kind, device_index=int(number or 0), compute_type=settings.dtype, inter_threads=1
        )
    except (ValueError, RuntimeError) as error:
        raise HybridError(f"CTranslate2 cannot run {folder} on {device}: {one_line(error, 200)}") from None

    def generate(batch: Batch) -> list[tuple[list[int], bool]]:
        first = [] if batch.first is None else tokenizer.convert_ids_to_tokens([batch.first])
        found = model.translate_batch(
            [tokenizer.convert_ids_to_tokens(ids) for ids in batch.ids],
            target_prefix=[first] * len(batch.ids) if first else None,
            beam_size=settings.num_beams,
            max_input_length=0,  # too long ones are not translated
            max_decoding_length=batch.limit + 2,
            return_end_token=True,
        )
        return [_cut(result.hypotheses[0][len(first) :], tokenizer) for result in found]

    return generate


def _cut(tokens: list[str], tokenizer: Any) -> tuple[list[int], bool]:
    ended = bool(tokens) and tokens[-1] == tokenizer.eos_token
    ids: list[int] = tokenizer.convert_tokens_to_ids(tokens[:-1] if ended else tokens)
    return ids, ended
