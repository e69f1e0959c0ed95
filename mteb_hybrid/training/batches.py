"""The order of batches: which rows, in which languages, at which step (PROTOCOL section 5).

It is a function of the sources, the settings, the seed and the epoch alone, so that it is known without training, the
same after a restart, and the same however many processes share it. Only row numbers are handled here, no texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.recipe import AlphaSchedule, Strategy
from mteb_hybrid.training.row_index import RowIndex, in_bitmap

Kind = Literal["mono", "cross", "mixed"]
Rows = NDArray[np.signedinteger]

_DEFAULT_ALPHA: dict[Strategy, float] = {"mono": 1, "cross": 0, "hybrid": 0.5, "mixed": 1, "bilingual": 0}


@dataclass(frozen=True)
class Batch:
    """The pairs of one step, over all processes.

    Attributes:
        source: the number of the source they come from.
        kind: ``mono`` (one language), ``cross`` (every pair in two) or ``mixed`` (pairs in one, not all in the same).
        rows: the rows of the source, shape (size,); none twice, and no passage group twice.
        query_languages: the number of each query's language among the source's, shape (size,).
        passage_languages: the same for the passages.
    """

    source: int
    kind: Kind
    rows: Rows
    query_languages: Rows
    passage_languages: Rows


class HybridBatches:
    """The batches of all epochs.

    An epoch has as many batches as the rows of all sources fill. Each batch comes from one source, drawn in proportion
    to its rows to the power of ``size_exponent``. It is monolingual with chance alpha, in a language drawn uniformly
    over the source's; otherwise each pair draws its two languages uniformly from those its row has. Rows come in random
    order without replacement: with one source whose rows have every language and a passage group each, an epoch deals
    every row at most once. Where rows share groups, some wait, and others may be dealt twice in their place.

    Args:
        sources: the rows of each source.
        size: pairs in a batch, over all processes.
        strategy: ``mono``, ``cross``, ``hybrid``, ``mixed`` or ``bilingual``, as in the recipe.
        alpha: the share of monolingual batches in ``hybrid`` (0.5 by default) and ``bilingual`` (0), or its schedule.
        steps: batches over which a schedule of alpha runs; one epoch by default.
        size_exponent: 1 draws sources by size (the paper), 0 all alike.
        seed: another seed gives another order.

    Raises:
        HybridError: a batch that the settings ask for cannot be filled without repeating a row or a passage group.
    """

    def __init__(
        self,
        sources: Sequence[RowIndex],
        size: int,
        *,
        strategy: Strategy = "hybrid",
        alpha: float | AlphaSchedule | None = None,
        steps: int | None = None,
        size_exponent: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.sources = tuple(sources)
        self.size = size
        self.strategy = strategy
        self.seed = seed
        self._alpha = _alpha(strategy, alpha)
        self._steps = steps or len(self)
        weights = np.array([len(source) for source in self.sources], dtype=float) ** size_exponent
        self._chances = weights / weights.sum()
        self._pairs = [self._fillable_pairs(source) for source in self.sources]
        for source in self.sources:
            self._check(source)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return sum(len(source) for source in self.sources) // self.size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 0."""
        generator = np.random.default_rng([self.seed, epoch])
        tables = [_Dealer(self, number, epoch) for number in range(len(self.sources))]
        for step in range(epoch * len(self), (epoch + 1) * len(self)):
            number = int(generator.choice(len(self.sources), p=self._chances)) if len(self.sources) > 1 else 0
            monolingual = generator.random() < self.alpha(step)
            yield tables[number].batch(monolingual, generator)

    def alpha(self, step: int) -> float:
        """The chance that the batch of a step, counted over all epochs, is monolingual."""
        if isinstance(self._alpha, float):
            return self._alpha
        done = min(step / max(self._steps - 1, 1), 1.0)
        if self._alpha.schedule == "constant":
            done = 0.0
        elif self._alpha.schedule == "cosine":
            done = (1 - cos(pi * done)) / 2
        return self._alpha.start + (self._alpha.end - self._alpha.start) * done

    def expected_rows(self, source: int, epoch: int) -> tuple[float, float]:
        """How many rows of a source an epoch is expected to use in monolingual and in other batches."""
        rows = float(self._chances[source]) * len(self) * self.size
        mean = (self.alpha(epoch * len(self)) + self.alpha((epoch + 1) * len(self) - 1)) / 2
        return rows * mean, rows * (1 - mean)

    def pairs(self, source: int) -> Sequence[tuple[int, int]]:
        """The pairs of languages that fill a batch of strategy ``bilingual``, each in one order."""
        return self._pairs[source]

    @property
    def has_monolingual(self) -> bool:
        """Whether monolingual batches occur at all."""
        return self._kinds[0]

    @property
    def _kinds(self) -> tuple[bool, bool]:
        """Whether monolingual and other batches occur at all."""
        if isinstance(self._alpha, float):
            return self._alpha > 0, self._alpha < 1
        ends = (self._alpha.start, self._alpha.start if self._alpha.schedule == "constant" else self._alpha.end)
        return max(ends) > 0, min(ends) < 1

    def _fillable_pairs(self, source: RowIndex) -> list[tuple[int, int]]:
        if self.strategy != "bilingual":
            return []
        pairs = [(a, b) for a in range(len(source.languages)) for b in range(a + 1, len(source.languages))]
        return [
            (a, b) for a, b in pairs if source.passages(source.presence[a] & source.presence[b], self.size) >= self.size
        ]

    def _check(self, source: RowIndex) -> None:
        mono, other = self._kinds
        if self.strategy == "mixed":
            self._check_full(source, "batches in mixed languages", source.passages(source.with_languages(1), self.size))
            return
        if mono:
            for language, present in zip(source.languages, source.presence, strict=True):
                self._check_full(source, f"monolingual batches in {language}", source.passages(present, self.size))
        if other and len(source.languages) < 2:
            raise HybridError(
                f"{source.name}: cross-lingual batches need two languages, there is only {source.languages[0]}; use "
                f"strategy mono"
            )
        if other and self.strategy == "bilingual" and not self._pairs[self.sources.index(source)]:
            raise HybridError(
                f"{source.name}: no two languages share the {self.size} passages that a bilingual batch needs; "
                f"use smaller batches, or strategy cross"
            )
        if other and self.strategy != "bilingual":
            self._check_full(source, "cross-lingual batches", source.passages(source.with_languages(2), self.size))

    def _check_full(self, source: RowIndex, what: str, passages: int) -> None:
        if passages < self.size:
            raise HybridError(
                f"{source.name}: {what} need {self.size} different passages, there are {passages}; use smaller "
                f"batches, another strategy, or leave that language out"
            )


class _Dealer:
    """Makes the batches of one source in one epoch."""

    def __init__(self, batches: HybridBatches, number: int, epoch: int) -> None:
        self._batches = batches
        self._number = number
        self._source = batches.sources[number]
        self._generator = np.random.default_rng([batches.seed, epoch, number + 1])  # 0 would be the epoch's own
        self._mono, self._other = batches.expected_rows(number, epoch)
        self._order: Rows | None = None
        self._decks: dict[tuple[int, ...] | Kind, _Deck] = {}

    def batch(self, monolingual: bool, generator: np.random.Generator) -> Batch:
        """Deal the next batch."""
        if self._batches.strategy == "mixed":
            return self._mixed(generator)
        if monolingual:
            return self._monolingual(generator)
        return self._bilingual(generator) if self._batches.strategy == "bilingual" else self._cross(generator)

    def _monolingual(self, generator: np.random.Generator) -> Batch:
        count = len(self._source.languages)
        language = int(generator.integers(count))
        start = (self._other + self._mono * language / count) / (self._mono + self._other)  # other batches begin at 0
        rows = self._deal((language,), self._mono / count, start=start)
        return self._in(rows, "mono", language, language)

    def _bilingual(self, generator: np.random.Generator) -> Batch:
        pairs = self._batches.pairs(self._number)
        pair, turned = divmod(int(generator.integers(2 * len(pairs))), 2)
        start = self._other / (self._mono + self._other) * pair / len(pairs)
        rows = self._deal(pairs[pair], self._other / len(pairs), start=start)
        query, passage = pairs[pair][::-1] if turned else pairs[pair]
        return self._in(rows, "cross", query, passage)

    def _cross(self, generator: np.random.Generator) -> Batch:
        rows = self._deal("cross", self._other)
        languages = self._source.languages_of(rows)
        counts = languages.sum(axis=1)
        query = generator.integers(counts)
        passage = generator.integers(counts - 1)
        passage += passage >= query
        ranked = np.argsort(~languages, axis=1, kind="stable")  # the languages that a row has come first
        at = np.arange(len(rows))
        return Batch(self._number, "cross", rows, ranked[at, query], ranked[at, passage])

    def _mixed(self, generator: np.random.Generator) -> Batch:
        rows = self._deal("mixed", self._mono + self._other)
        languages = self._source.languages_of(rows)
        chosen = generator.integers(languages.sum(axis=1))
        ranked = np.argsort(~languages, axis=1, kind="stable")
        language = ranked[np.arange(len(rows)), chosen]
        return Batch(self._number, "mixed", rows, language, language)

    def _in(self, rows: Rows, kind: Kind, query: int, passage: int) -> Batch:
        return Batch(self._number, kind, rows, np.full(len(rows), query), np.full(len(rows), passage))

    def _deal(self, key: tuple[int, ...] | Kind, expected: float, start: float = 0.0) -> Rows:
        """Rows for a batch; kinds of batch that can use all rows share one deck, so that an epoch repeats none."""
        if self._source.complete:
            key, expected, start = "mixed", self._mono + self._other, 0.0
        if key not in self._decks:
            self._decks[key] = self._deck(key, expected, start)
        return self._decks[key].deal(self._batches.size)

    def _deck(self, key: tuple[int, ...] | Kind, expected: float, start: float) -> _Deck:
        """A deck walks the order of the source; one that is used up within an epoch is shuffled anew each time.

        So the orders of all decks together take no more memory than the rows of the source.
        """
        source, groups = self._source, self._source.groups
        if source.complete:
            usable, count = None, len(source)
        elif isinstance(key, tuple):
            usable = np.bitwise_and.reduce(source.presence[list(key)])
            count = source.count(usable)
        else:
            usable = source.with_languages(2 if key == "cross" else 1)
            count = source.count(usable)
        if expected > count + 1e-6 * len(source):
            return _Deck(source.numbers(usable), groups, None, count, shuffle=self._generator.shuffle)
        if self._order is None:
            self._order = source.numbers()
            self._generator.shuffle(self._order)
        return _Deck(self._order, groups, usable, count, start=int(start * len(source)) % len(source))


class _Deck:
    """The rows that a kind of batch can use, dealt without replacement until all have been.

    A row whose passage group is in the batch already waits for the next one.

    Args:
        order: row numbers; shuffled in place if ``shuffle`` is given, else shared with other decks and only read.
        groups: the passage group of each row, or None.
        usable: the rows to deal as a bitmap; None is all of ``order``.
        count: how many these are.
        start: where in the order to begin, so that decks that share it do not deal the same rows at the same time.
        shuffle: shuffles the order before each pass.
    """

    def __init__(
        self,
        order: Rows,
        groups: NDArray[np.int32] | None,
        usable: NDArray[np.uint8] | None,
        count: int,
        *,
        start: int = 0,
        shuffle: Callable[[Rows], None] | None = None,
    ) -> None:
        self._order, self._groups, self._usable, self._shuffle = order, groups, usable, shuffle
        self._sparsity = -(-len(order) // count)
        self._position = start
        self._left = 0
        self._waiting = order[:0]

    def deal(self, count: int) -> Rows:
        """The next rows, no passage group twice; there must be as many groups."""
        looked_at, rest = np.split(self._waiting, [4 * count])
        while len(first := self._first_of_each_group(looked_at)) < count:
            if self._left:
                more = self._draw(max(count - len(first), len(looked_at) // 8))
            elif len(rest):
                more, rest = rest, rest[:0]
            else:  # the next pass deals again what still waits, so that it never piles up
                looked_at, more = looked_at[first], self._draw(count - len(first))
            looked_at = np.concatenate([looked_at, more])
        chosen = first[:count]
        self._waiting = np.concatenate([rest, np.delete(looked_at, chosen)])
        return looked_at[chosen]

    def _first_of_each_group(self, rows: Rows) -> NDArray[np.intp]:
        first: NDArray[np.intp] = np.unique(rows if self._groups is None else self._groups[rows], return_index=True)[1]
        first.sort()
        return first

    def _draw(self, count: int) -> Rows:
        """Some usable rows further on in the order, about as many as asked for; perhaps none."""
        if not self._left:
            self._left = len(self._order)
            if self._shuffle is not None:
                self._shuffle(self._order)
        length = min(count * self._sparsity, self._left, len(self._order) - self._position)
        rows = self._order[self._position : self._position + length]
        self._left -= length
        self._position = (self._position + length) % len(self._order)
        if self._usable is None:
            return rows
        return rows[in_bitmap(self._usable, rows)]


def batch_digest(batches: Iterable[Batch]) -> str:
    """The SHA-256 of batches, as 40 hexadecimal digits: equal if and only if they are the same in the same order."""
    digest = hashlib.sha256()
    for batch in batches:
        for numbers in (
            np.array([batch.source, len(batch.rows)]),
            batch.rows,
            batch.query_languages,
            batch.passage_languages,
        ):
            digest.update(numbers.astype("<i8").tobytes())
    return digest.hexdigest()[:40]


def _alpha(strategy: Strategy, alpha: float | AlphaSchedule | None) -> float | AlphaSchedule:
    if alpha is None:
        return float(_DEFAULT_ALPHA[strategy])
    if strategy not in {"hybrid", "bilingual"}:
        raise HybridError(f"alpha has no effect on strategy {strategy}; leave it out, or use hybrid")
    if isinstance(alpha, AlphaSchedule):
        return alpha
    if not 0 <= alpha <= 1:
        raise HybridError(f"alpha is a chance between 0 and 1, not {alpha}")
    return float(alpha)
