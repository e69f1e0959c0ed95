"""Searches the pairs of one language, some rows at a time; what is found of these is a file, written whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.mining.choose import Candidates, Integers, by_turns, fill, judge, repeat, take_first
from mteb_hybrid.building.mining.corpus import Chunk, Numbers
from mteb_hybrid.building.mining.index import Index
from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.building.mining.twins import KnownPositives
from mteb_hybrid.building.mining.vectors import Floats, Vectors
from mteb_hybrid.whole import whole_file

SPARE = 16
"""Ranked passages beyond the last rank, for the known positives before it."""
DRAWS = 64
"""Passages drawn at random for a pair that ranks hold too few for; of no more than 1,024 passages all, shuffled."""
COUNTS = ("pairs", "mined", "drawn", "repeated", "short", "dropped", "known_positives", "too_near")


@dataclass(frozen=True)
class Column:
    """The texts of a role in a language.

    Attributes:
        rows: which text each row has, -1 for none, shape (rows,).
        vectors: of the texts.
    """

    rows: Numbers
    vectors: Vectors


@dataclass(frozen=True)
class Found:
    """What was found for some rows.

    Attributes:
        negatives: numbers of passages for each row, -1 where it has none, shape (rows, negatives).
        counts: as in ``MinedLanguage``.
    """

    negatives: Numbers
    counts: Mapping[str, int]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        counts = np.array([self.counts[name] for name in COUNTS], np.int64)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, negatives=self.negatives, counts=counts)


def load_found(path: Path) -> Found:
    """Read what ``Found.save`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        counts = dict(zip(COUNTS, arrays["counts"].tolist(), strict=True))
        return Found(arrays["negatives"], counts)


class Search:
    """Finds the negatives of the pairs of one language.

    Args:
        language: the language.
        queries: of all languages.
        passages: of this language.
        index: of the passages.
        known: which passages answer whom.
        settings: how many, and which.
    """

    def __init__(
        self,
        language: str,
        queries: Mapping[str, Column],
        passages: Column,
        index: Index,
        known: KnownPositives,
        settings: MiningSettings,
    ) -> None:
        self._queries, self._passages = queries, passages
        self._index, self._known, self._settings = index, known, settings
        self._own = list(queries).index(language)
        self._meanings = known.meanings(passages.rows, len(passages.vectors))
        self._count = min(settings.last_rank + SPARE, len(passages.vectors))

    def find(self, chunk: Chunk) -> Found:
        """Find the negatives of some rows; the same whatever was searched before."""
        settings = self._settings
        generator = np.random.default_rng([settings.seed, 1, self._own, chunk.start])
        numbers = self._passages.rows[chunk.start : chunk.stop]
        negatives = np.full((len(numbers), settings.negatives), -1, np.int32)
        rows = np.flatnonzero(numbers >= 0) + chunk.start
        if not len(rows):
            return Found(negatives, dict.fromkeys(COUNTS, 0))
        own = self._passages.vectors.take(self._passages.rows[rows])
        rankings, known = zip(*(self._rank(rows, at, own) for at in self._asked(rows, generator)), strict=True)
        ranked = rankings[0] if len(rankings) == 1 else by_turns(rankings)
        mined = take_first(ranked, settings.negatives)
        filled = self._fill(mined, rows, ranked, generator)
        negatives[rows - chunk.start] = repeat(filled)
        missing = (filled < 0).sum(axis=1)
        none = missing == settings.negatives
        return Found(
            negatives,
            {
                "pairs": len(rows),
                "mined": int((mined >= 0).sum()),
                "drawn": int((filled >= 0).sum() - (mined >= 0).sum()),
                "repeated": int(missing[~none].sum()),
                "short": int((mined < 0).any(axis=1).sum()),
                "dropped": int(none.sum()),
                "known_positives": sum(map(int, known)),
                "too_near": int(ranked.shunned.sum()),
            },
        )

    def _asked(self, rows: Integers, generator: np.random.Generator) -> list[Integers]:
        """The languages whose queries ask for the passages of rows, by number, for each ranking."""
        same = np.full(len(rows), self._own)
        if self._settings.mode == "mono":
            return [same]
        there = np.stack([column.rows[rows] >= 0 for column in self._queries.values()], axis=1)
        there[:, self._own] = False
        counts = there.sum(axis=1)
        drawn = generator.integers(np.maximum(counts, 1))
        others = np.argsort(~there, axis=1, kind="stable")[np.arange(len(rows)), drawn]
        cross = np.where(counts > 0, others, self._own)
        return [cross] if self._settings.mode == "cross" else [same, cross]

    def _rank(self, rows: Integers, languages: Integers, own: Floats) -> tuple[Candidates, int]:
        queries = np.empty_like(own)
        for number, column in enumerate(self._queries.values()):
            at = np.flatnonzero(languages == number)
            if len(at):
                queries[at] = column.vectors.take(column.rows[rows[at]])
        scores, passages = self._index.search(queries, self._count)
        known = self._are_known(rows, passages)
        candidates = judge(passages, scores, np.einsum("rd,rd->r", queries, own), known, self._settings)
        return candidates, int((known & (passages >= 0)).sum())

    def _are_known(self, rows: Integers, passages: Integers) -> NDArray[np.bool_]:
        return self._known.answer(rows, self._meanings[passages])

    def _fill(self, mined: Integers, rows: Integers, ranked: Candidates, generator: np.random.Generator) -> Integers:
        short = np.flatnonzero((mined < 0).any(axis=1))
        filled = mined.copy()
        passages = len(self._passages.vectors)
        for part in np.array_split(short, -(-len(short) // 1024) or 1):
            if passages <= 1024:
                drawn = np.argsort(generator.random((len(part), passages)), axis=1)
            else:
                drawn = generator.integers(passages, size=(len(part), DRAWS + self._settings.negatives))
            shunned = Candidates(ranked.passages[part], ranked.allowed[part], ranked.shunned[part])
            filled[part] = fill(mined[part], drawn, self._are_known(rows[part], drawn), shunned)
        return filled
