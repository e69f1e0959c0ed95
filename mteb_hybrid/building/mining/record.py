"""What was mined, for the lock file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MinedLanguage:
    """What was mined for the passages of one language.

    Attributes:
        passages: distinct passages to choose from.
        index: ``flat`` or ``ivf``.
        pairs: pairs that wanted negatives.
        mined: negatives found by rank.
        drawn: negatives drawn at random from the passages, where ranks held too few.
        repeated: negatives that are another of the same pair again, as the language has too few passages.
        short: pairs for which ranks held too few.
        dropped: pairs taken out, as the language has no passage that may be their negative.
        known_positives: ranked passages that were kept out because they are known to answer the query.
        too_near: ranked passages that were kept out by a margin or by ``range_min``.
    """

    passages: int
    index: str
    pairs: int
    mined: int
    drawn: int
    repeated: int
    short: int
    dropped: int
    known_positives: int
    too_near: int


@dataclass(frozen=True)
class MiningRecord:
    """How a corpus got its negatives.

    Attributes:
        model: the model, as it was named.
        revision: its commit on the Hub, or the fingerprint of its folder.
        prompts: what is put before queries and passages.
        settings: all of them.
        memory: bytes that it was to take at most, about; the libraries themselves not counted.
        rows_before: rows of the corpus.
        rows_after: rows that have a pair left.
        files: the SHA-256 of each file written, by name.
        languages: by language.
    """

    model: str
    revision: str | None
    prompts: Mapping[str, str]
    settings: Mapping[str, Any]
    memory: int
    rows_before: int
    rows_after: int
    files: Mapping[str, str]
    languages: Mapping[str, MinedLanguage]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self)
