"""Hashes of texts by their words: of a whole text, and of every run of n words in it.

A word's hash is the first 8 bytes of its BLAKE2b, little-endian; the hash of a run is a polynomial in the words' hashes
modulo 2^64, mixed by the last steps of splitmix64. They are the same on every machine. Two different runs have one hash
with a chance of 2^-64: of 10^10 runs in a corpus against 10^6 in the tasks, 0.0005 are taken for equal that are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import pyarrow
from numpy.typing import NDArray

from mteb_hybrid.building.normalise import words

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # any odd number with no pattern: 2^64 over the golden ratio


def text_hash(text: str) -> int:
    """The hash of one word or id."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class HashedTexts:
    """The words of texts, one text after the other.

    Attributes:
        hashes: the hash of each word, shape (words,).
        unspaced: whether the word is one character of a script without spaces, shape (words,).
        starts: where each text begins, and last the number of words, shape (texts + 1,).
    """

    hashes: Hashes
    unspaced: NDArray[np.bool_]
    starts: Numbers

    @property
    def half_words(self) -> Numbers:
        """How long each text is, in half words: a character of a script without spaces is one, another word two."""
        before = np.concatenate([[0], np.cumsum(self.unspaced, dtype=np.int64)])[self.starts]
        return 2 * np.diff(self.starts) - np.diff(before)

    def whole(self) -> Hashes:
        """The hash of each text; of one without words, 0."""
        lengths = np.diff(self.starts)
        texts = np.flatnonzero(lengths)
        result = np.zeros(len(lengths), dtype=np.uint64)
        if len(texts):
            powers = np.full(int(lengths.max()), _BASE)
            powers[0] = 1
            places = np.arange(len(self.hashes)) - np.repeat(self.starts[:-1], lengths)
            terms = self.hashes * np.multiply.accumulate(powers)[places]
            result[texts] = _mixed(np.add.reduceat(terms, self.starts[:-1][texts]) + lengths[texts].astype(np.uint64))
        return result

    def runs(self, n: int) -> tuple[Hashes, Numbers]:
        """The hash of every run of n words, and the text each is from.

        Where more than half of the words are characters of a script without spaces, a run has 2n of them. So every run
        of 2n words holds one that counts.
        """
        spaced = self._windows(n, of_unspaced=False)
        unspaced = self._windows(2 * n, of_unspaced=True) if self.unspaced.any() else (spaced[0][:0], spaced[1][:0])
        return np.concatenate([spaced[0], unspaced[0]]), np.concatenate([spaced[1], unspaced[1]])

    def _windows(self, n: int, *, of_unspaced: bool) -> tuple[Hashes, Numbers]:
        count = len(self.hashes) - n + 1
        if count < 1:
            return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        lengths = np.diff(self.starts)
        text = np.repeat(np.arange(len(lengths)), lengths)
        before = np.concatenate([[0], np.cumsum(self.unspaced, dtype=np.int64)])
        mostly_unspaced = 2 * (before[n:] - before[:-n]) > n
        kept = (text[:count] == text[n - 1 :]) & (mostly_unspaced == of_unspaced)
        hashes = np.zeros(count, dtype=np.uint64)
        for place in range(n):
            hashes *= _BASE
            hashes += self.hashes[place : place + count]
        return _mixed(hashes[kept] + np.uint64(n)), text[:count][kept]


def hash_texts(texts: Iterable[str]) -> HashedTexts:
    """Take texts apart into words, and hash them."""
    split = [words(text) for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in split], dtype=np.int64)]).astype(np.int64)
    flat = pyarrow.array(chain.from_iterable(split), pyarrow.large_string(), size=int(starts[-1]))
    encoded = flat.dictionary_encode()  # each word is hashed once
    distinct: list[str] = encoded.dictionary.to_pylist()
    indices = encoded.indices.to_numpy()
    known = [_word(word) for word in distinct]
    hashes = np.fromiter((entry[0] for entry in known), dtype=np.uint64, count=len(known))
    unspaced = np.fromiter((entry[1] for entry in known), dtype=np.bool_, count=len(known))
    return HashedTexts(hashes[indices], unspaced[indices], starts)


@lru_cache(maxsize=1 << 17)  # some 30 MB; most words of a text are frequent ones
def _word(word: str) -> tuple[int, bool]:
    """The hash of a word, and whether it is a character of a script without spaces: a word also after a letter."""
    return text_hash(word), not word.isascii() and len(words(f"x{word}")) > 1


def _mixed(hashes: Hashes) -> Hashes:
    """The last steps of splitmix64 (Steele et al. 2014): without them the low bits are those of the words alone."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
