"""How a model encodes, written down when it is trained and compared when it is published and loaded.

The weights alone do not make the figures: other prompts, another similarity or another tokenizer give others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Scripts, case, digits, composed and decomposed letters, spaces: where tokenizers and their settings part.
_PROBES = (
    "Who built the bridge over the river Elbe in 1893?",
    "wer BAUTE die Brücke?",
    "Où est né l’auteur ? À Besançon.",
    "Caf\u00e9 Cafe\u0301  two  spaces\tand a tab",
    "من بنى الجسر فوق النهر؟",
    "Ποιος έχτισε τη γέφυρα;",
    "पुल किसने बनाया?",
    "Кто построил мост через реку?",
    "ใครสร้างสะพานข้ามแม่น้ำ",
    "Köprüyü kim inşa etti? İstanbul ILIK",
    "Ai đã xây cây cầu bắc qua sông?",
    "谁在1893年建造了这座桥？",
    "誰が橋を架けたのですか。",
    "누가 다리를 세웠습니까?",
    "מי בנה את הגשר?",
    "3.14159 + 42 = 45.14159; https://example.org/a_b?c=d #tag @name 🙂",
)


class EncoderRecord(BaseModel):
    """What the encoding of a text depends on beside the weights."""

    model_config = ConfigDict(frozen=True)
    prompts: dict[str, str]
    """What is put before a text, by prompt name."""
    similarity: str
    """The function that scores two vectors, as sentence-transformers names it."""
    max_seq_length: int | None
    """Tokens after which texts are cut."""
    tokenizer: str | None
    """SHA-256 of the token ids of sixteen texts in many scripts, as 40 hexadecimal digits; None without tokens."""


def encoder_record(model: SentenceTransformer) -> EncoderRecord:
    """Write down how a model encodes."""
    return EncoderRecord(
        prompts={name: prompt for name, prompt in sorted(model.prompts.items()) if prompt},
        similarity=str(model.similarity_fn_name),
        max_seq_length=limit if isinstance(limit := model.max_seq_length, int) else None,  # static encoders: infinite
        tokenizer=_tokenizer(model),
    )


def differences(before: EncoderRecord, now: EncoderRecord) -> Iterator[str]:
    """Name what is no longer as it was, with both values."""
    for name in EncoderRecord.model_fields:
        was, is_ = getattr(before, name), getattr(now, name)
        if was != is_ and not (name == "tokenizer" and None in {was, is_}):
            yield f"{name} was {was!r} and is {is_!r}"


def _tokenizer(model: SentenceTransformer) -> str | None:
    digest = hashlib.sha256()
    for probe in _PROBES:
        tokens = model.preprocess([probe]).get("input_ids")
        if tokens is None:
            return None
        digest.update(repr(tokens.flatten().tolist()).encode())
    return digest.hexdigest()[:40]
