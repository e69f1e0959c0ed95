"""What of a row is compared when duplicates are sought: keys of its texts, and signatures of what it resembles.

A *shingle* is a few words in a row. Two texts are near when they share most of their shingles, by the Jaccard index:
those in both over those in either. MinHash (Broder 1997) finds such texts without comparing all with all: of a random
order of all shingles two texts have the same first one with just that probability. A *band* joins some such firsts to
one key; rows that share the key of any band are compared, shingle by shingle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from mteb_hybrid.building.normalise import comparable, words_of
from mteb_hybrid.building.shards import languages_of
from mteb_hybrid.errors import HybridError
from mteb_hybrid.settings.model import Settings, Text

BANDS = 20
"""How many keys each row has."""
_FOUND = 0.99
"""Share of the pairs just at the threshold that have a band in common."""
_MOST_FIRSTS = 16  # of one band; above a threshold of 0.9 more would only save comparisons
_PASSAGE_WORDS = 3
_SEED = 1
_SLICE = 5000  # rows whose words are in memory at a time

Hashes = NDArray[np.uint64]


class DuplicateSettings(Settings):
    """What is a duplicate, in all sources together. Casing, punctuation and the like never count."""

    exact: bool = True
    """Drop rows whose pairs are all, each in its language, those of other rows."""
    threshold: Annotated[float, Field(ge=0.5, le=1)] | None = 0.8
    """Drop rows whose query and whose passage are near another row's: each with a Jaccard index of at least this, of
    words and pairs of neighbours in queries, of three words in a row in passages. One word of fourteen may differ in a
    query at 0.8, and about one of fourteen in a passage. Null to keep near duplicates."""
    language: Text = "en"
    """The language in which near duplicates are sought; of rows without it, the first that they have in the order of
    their tags. (Translations of near texts are near, so one language is enough.)"""


def band_shape(threshold: float) -> tuple[int, int]:
    """How many firsts of the passage and of the query a band joins: the most with which 99 % of the pairs are found.

    With two texts at the threshold t, r firsts agree with probability t^r, and some of b bands with 1 - (1 - t^r)^b
    (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
    """
    enough = [r for r in range(2, _MOST_FIRSTS + 1) if 1 - (1 - threshold**r) ** BANDS >= _FOUND]
    firsts = max(enough, default=2)
    return (firsts + 1) // 2, firsts // 2


@dataclass(frozen=True)
class Signatures:
    """The stage that makes what is compared of a shard. It can be pickled.

    Attributes:
        settings: what is compared.
    """

    settings: DuplicateSettings

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """Make the signatures of a shard.

        Args:
            table: a shard.

        Returns:
            A row for each row: ``languages``, the tags of its pairs, sorted; ``pairs`` and ``passages``, a key for each
            pair and each passage, which other rows have when theirs is the same in the same language; ``own``, a key of
            the group it came with, or null. With a threshold also ``band_0`` and so on, null without words, and
            ``query`` and ``passage``, the sets of shingles as sorted hashes of 32 bits.
        """
        starts = range(0, len(table), _SLICE) or [0]
        return pyarrow.concat_tables([self._slice(table.slice(start, _SLICE)) for start in starts])

    def _slice(self, table: pyarrow.Table) -> pyarrow.Table:
        languages = sorted(languages_of(table))
        forms = {language: _Forms.of(table, language) for language in languages}
        present = np.array([forms[tag].present for tag in languages], dtype=bool).reshape(len(languages), len(table)).T
        groups = [None if group is None else _key("", group) for group in table["group"].to_pylist()]
        columns = {
            "languages": _lists(np.broadcast_to(np.array(languages, dtype=object), present.shape), present, "string"),
            "pairs": _lists(_matrix([forms[language].pairs(language) for language in languages], present), present),
            "passages": _lists(
                _matrix([forms[language].passages(language) for language in languages], present), present
            ),
            "own": pyarrow.array(groups, pyarrow.uint64()),
        }
        if self.settings.threshold is not None:
            columns |= self._near(forms, present)
        return pyarrow.table(columns)

    def _near(self, forms: dict[str, _Forms], present: NDArray[np.bool_]) -> dict[str, pyarrow.Array]:
        assert self.settings.threshold is not None
        languages = list(forms)
        order = sorted(range(len(languages)), key=lambda number: languages[number] != self.settings.language)
        rows = len(present)
        leading = np.full(rows, -1)
        for number in reversed(order):
            leading[present[:, number]] = number
        queries = [forms[languages[lead]].query[row] if lead >= 0 else "" for row, lead in enumerate(leading)]
        passages = [forms[languages[lead]].passage[row] if lead >= 0 else "" for row, lead in enumerate(leading)]
        query = Shingles.of(queries, 1, 2)
        passage = Shingles.of(passages, _PASSAGE_WORDS)
        tags = np.array([_key(tag) for tag in languages] or [0], dtype=np.uint64)[leading]
        wordless = (query.sizes == 0) | (passage.sizes == 0)
        of_passage, of_query = band_shape(self.settings.threshold)
        firsts = (query.firsts(BANDS * of_query), of_query), (passage.firsts(BANDS * of_passage), of_passage)
        columns = {}
        for band in range(BANDS):
            key = _mixed(tags)
            for table, size in firsts:
                for column in range(band * size, (band + 1) * size):
                    key = _mixed(key ^ table[:, column])
            columns[f"band_{band}"] = pyarrow.array(key, mask=wordless)
        return {**columns, "query": query.column(), "passage": passage.column()}


@dataclass(frozen=True)
class _Forms:
    """The comparable forms of the pairs in one language, empty where there is no pair."""

    query: Sequence[str]
    passage: Sequence[str]
    present: NDArray[np.bool_]

    @classmethod
    def of(cls, table: pyarrow.Table, language: str) -> _Forms:
        query, passage = table[f"query_{language}"], table[f"passage_{language}"]
        present = pc.and_(pc.is_valid(query), pc.is_valid(passage)).to_numpy().astype(bool)
        return cls(_forms(query), _forms(passage), present)

    def pairs(self, language: str) -> list[int]:
        texts = zip(self.query, self.passage, self.present, strict=True)
        return [_key(language, query, passage) if here else 0 for query, passage, here in texts]

    def passages(self, language: str) -> list[int]:
        return [
            _key(language, passage) if here else 0 for passage, here in zip(self.passage, self.present, strict=True)
        ]


def _forms(texts: pyarrow.ChunkedArray) -> list[str]:
    """The comparable form of each text; of symbols alone, such as ``+``, nothing would be left, so these stay."""
    return [comparable(text) or text if text else "" for text in texts.to_pylist()]


def _key(*texts: str) -> int:
    """The same 64 bits for the same texts, in any process; lengths go in, so that no two divisions give one key."""
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return int.from_bytes(digest.digest(), "little")


def _matrix(columns: list[list[int]], present: NDArray[np.bool_]) -> Hashes:
    return np.array(columns, dtype=np.uint64).reshape(len(columns), len(present)).T


def _lists(values: NDArray[np.generic], present: NDArray[np.bool_], kind: str = "uint64") -> pyarrow.Array:
    """A list for each row, of its values that are there."""
    flat = pyarrow.array(values[present], pyarrow.type_for_alias(kind))
    return pyarrow.LargeListArray.from_arrays(_offsets(present.sum(axis=1)), flat)


def _offsets(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@dataclass(frozen=True)
class Shingles:
    """The sets of shingles of some texts.

    Attributes:
        hashes: 32 bits for each shingle, those of one text together, sorted.
        sizes: how many each text has.
    """

    hashes: NDArray[np.uint32]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, forms: Iterable[str], *lengths: int) -> Shingles:
        """Make the sets of some texts.

        Args:
            forms: texts in comparable form.
            lengths: how many words a shingle has. At the end of a text they have fewer, so that each text with a word
                has a shingle.
        """
        texts = [words_of(form) for form in forms]
        sizes = np.array([len(text) for text in texts], dtype=np.int64)
        words = pyarrow.array((word for text in texts for word in text), pyarrow.large_string()).dictionary_encode()
        known = np.array([_key(word) for word in words.dictionary.to_pylist()], dtype=np.uint64)
        flat = known[words.indices.to_numpy()] if len(words) else known
        rows = np.repeat(np.arange(len(texts), dtype=np.uint64), sizes)
        ends = np.repeat(np.cumsum(sizes), sizes)
        found = [rows << 32 | _in_a_row(flat, ends, length) >> 32 for length in lengths]
        distinct = np.sort(np.concatenate(found))  # np.unique is several times slower
        distinct = distinct[np.diff(distinct, prepend=~distinct[:1]) != 0]
        counts = np.bincount((distinct >> 32).astype(np.int64), minlength=len(texts))
        return cls((distinct & 0xFFFFFFFF).astype(np.uint32), counts.astype(np.int64))

    def column(self) -> pyarrow.Array:
        """The sets as lists."""
        return pyarrow.LargeListArray.from_arrays(_offsets(self.sizes), pyarrow.array(self.hashes))

    def firsts(self, count: int) -> Hashes:
        """The first shingle of each text in so many random orders.

        Returns:
            Hashes of 32 bits, a line for each text.

        Raises:
            HybridError: rensa is missing.
        """
        try:
            from rensa import RMinHash
        except ImportError:
            raise HybridError(
                "duplicates.threshold needs rensa: pip install 'mteb-hybrid[data]', or set it to null"
            ) from None
        hashes, offsets = _mixed(self.hashes.astype(np.uint64)), _offsets(self.sizes).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, count, _SEED)
        return np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(self.sizes), count)


def _in_a_row(words: Hashes, ends: NDArray[np.int64], length: int) -> Hashes:
    """The hash of as many words from each word on, or of as many as its text still has."""
    shingles = np.zeros_like(words)
    for shift in range(length):
        places = np.arange(shift, shift + len(words))
        following = words[np.minimum(places, len(words) - 1)] if len(words) else words
        shingles = _mixed(shingles + np.where(places < ends, following, np.uint64(0)))
    return shingles


def _mixed(hashes: Hashes) -> Hashes:
    """Spread each bit over all: the finalizer of SplitMix64 (Steele, Lea, Flood 2014)."""
    hashes = hashes + np.uint64(0x9E3779B97F4A7C15)
    hashes = (hashes ^ hashes >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ hashes >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return hashes ^ hashes >> np.uint64(31)
