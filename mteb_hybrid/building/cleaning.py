"""Cleaning: texts are tidied, and pairs go that no training should see. Each shard on its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import pyarrow
import pyarrow.compute as pc
from pydantic import Field, model_validator

from mteb_hybrid.building.normalise import tidy
from mteb_hybrid.building.shards import Kept, drop_pairs, languages_of
from mteb_hybrid.errors import HybridError
from mteb_hybrid.settings.model import Count, Settings, Share

_NO_WORDS = r"^(?:(?:https?://|www\.)\S*|<[^>]*>|&#?\w+;|[^\p{L}\p{N}])*$"
_ENOUGH_TO_TELL = 250  # characters: more do not make the identifier surer


class CleaningSettings(Settings):
    """What is dropped from the sources. Lengths are in characters, after white space is collapsed."""

    tidy: bool = True
    """Compose characters (NFC), collapse white space, take out control and other invisible characters, but none that
    matter to a script."""
    query_shortest: Count = 3
    """A query has at least so many characters: a question of three is possible in Chinese; 1 keeps all."""
    query_longest: Count | None = 1_000
    """A query has at most so many; null for any length."""
    passage_shortest: Count = 10
    """A passage has at least so many; lower it where passages are names or dates; 1 keeps all."""
    passage_longest: Count | None = 10_000
    """A passage has at most so many: some 2,000 words of English, more than most models read; null for any length."""
    letters: Share = 0.3
    """Share of letters among the characters of a passage that are no spaces: tables and lists of numbers go; 0 keeps
    all."""
    words: bool = True
    """Drop pairs whose query or passage is nothing but links, markup, or punctuation."""
    distinct: bool = True
    """Drop pairs whose query is the passage, whatever the casing."""
    language: bool = True
    """Drop pairs with a text in another language than its column says, by py3langid; languages that it does not know
    and dialects pass."""
    language_letters: Annotated[int, Field(ge=20)] = 100
    """Letters that a text has so that its language can be told; shorter ones pass."""

    @model_validator(mode="after")
    def _lengths_leave_some(self) -> CleaningSettings:
        for role in ("query", "passage"):
            shortest, longest = getattr(self, f"{role}_shortest"), getattr(self, f"{role}_longest")
            if longest is not None and longest < shortest:
                raise ValueError(f"{role}_longest {longest} is below {role}_shortest {shortest}; no {role} would stay")
        return self


@dataclass(frozen=True)
class Clean:
    """The stage that cleans a shard: it can be pickled, and a shard cleaned twice is as if cleaned once.

    Attributes:
        settings: what goes.
    """

    settings: CleaningSettings = field(default_factory=CleaningSettings)

    def __post_init__(self) -> None:
        if self.settings.language:
            _check_identifier()

    def __call__(self, table: pyarrow.Table) -> Kept:
        """Tidy the texts of a shard and drop pairs; each counts under the first reason that holds.

        Args:
            table: a shard.
        """
        counts: dict[str, int] = {}
        masks = {}
        for language in languages_of(table):
            names = [f"{role}_{language}" for role in ("query", "passage")]
            if self.settings.tidy:
                for name in names:
                    table = table.set_column(table.column_names.index(name), name, _tidied(table[name]))
            gone = pyarrow.array([False] * len(table), pyarrow.bool_())
            query, passage = (table[name].combine_chunks() for name in names)
            for reason, mask in _faults(query, passage, language, self.settings):
                more = pc.and_not(pc.fill_null(mask, False), gone)
                counts[reason] = counts.get(reason, 0) + (pc.sum(more).as_py() or 0)
                gone = pc.or_(gone, more)
            masks[language] = gone
        return Kept(drop_pairs(table, masks), {reason: count for reason, count in counts.items() if count})


def _tidied(texts: pyarrow.ChunkedArray) -> pyarrow.Array:
    return pyarrow.array([None if text is None else tidy(text) for text in texts.to_pylist()], texts.type)


def _faults(
    query: pyarrow.Array, passage: pyarrow.Array, language: str, settings: CleaningSettings
) -> Iterator[tuple[str, pyarrow.Array]]:
    """Each reason with which pairs go for it: a truth value for each row, or null where it has no pair."""
    sides = (
        ("query", query, settings.query_shortest, settings.query_longest),
        ("passage", passage, settings.passage_shortest, settings.passage_longest),
    )
    for role, texts, shortest, longest in sides:
        lengths = pc.utf8_length(texts)
        yield f"{role} too short", pc.less(lengths, shortest)
        if longest is not None:
            yield f"{role} too long", pc.greater(lengths, longest)
    if settings.words:
        for role, texts, _, _ in sides:
            yield f"{role} without words", pc.match_substring_regex(texts, _NO_WORDS)
    if settings.letters:
        yield "few letters", pc.less(_share_of_letters(passage), settings.letters)
    if settings.distinct:
        yield "query is the passage", pc.equal(pc.utf8_lower(query), pc.utf8_lower(passage))
    if settings.language:
        for role, texts, _, _ in sides:
            yield f"{role} in another language", _in_another(texts, language, settings.language_letters)


def _share_of_letters(texts: pyarrow.Array) -> pyarrow.Array:
    """The share of letters, and marks on them, among the characters that are no white space."""
    no_spaces = pc.replace_substring_regex(texts, r"\s+", "")
    others = pc.utf8_length(pc.replace_substring_regex(no_spaces, r"[\p{L}\p{M}]+", ""))
    lengths = pc.utf8_length(no_spaces)
    shares = pc.divide(pc.cast(pc.subtract(lengths, others), pyarrow.float64()), pc.cast(lengths, pyarrow.float64()))
    return pc.if_else(pc.equal(lengths, 0), 0.0, shares)


def _in_another(texts: pyarrow.Array, language: str, letters: int) -> pyarrow.Array:
    """Whether each text is in another language, by the same rule as a translation's; false where it cannot be told."""
    from mteb_hybrid.building.translation.gates import in_language

    cut = pc.utf8_slice_codeunits(pc.fill_null(texts, ""), 0, max(_ENOUGH_TO_TELL, 2 * letters)).to_pylist()
    return pyarrow.array([not right for right in in_language(cut, language, letters)], pyarrow.bool_())


def _check_identifier() -> None:
    try:
        import py3langid  # noqa: F401
    except ImportError:
        raise HybridError(
            "cleaning.language needs py3langid: pip install 'mteb-hybrid[langid]', or set it to false"
        ) from None
