"""The batches: what every one of them must be, what an epoch deals, and in which shares.

Statistical tests have fixed seeds, and bounds that a right program misses with a chance below one in a million.
"""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, chisquare

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.batches import Batch, HybridBatches, batch_digest
from mteb_hybrid.training.recipe import AlphaSchedule, Strategy
from mteb_hybrid.training.row_index import RowIndex

STRATEGIES: tuple[Strategy, ...] = ("mono", "cross", "hybrid", "mixed", "bilingual")
RARE = 1e-6  # the chance that a right program fails a statistical test


@dataclass(frozen=True)
class Table:
    """A source without bitmaps.

    Attributes:
        present: whether each row has each language, shape (rows, languages).
        groups: the passage group of each row.
    """

    present: NDArray[np.bool_]
    groups: NDArray[np.int32] | None = None
    name: str = "s"

    @property
    def index(self) -> RowIndex:
        packed = np.packbits(self.present.T, axis=1, bitorder="little")
        return RowIndex(self.name, languages(self.present.shape[1]), len(self.present), packed, self.groups)

    def passages(self, rows: NDArray[np.bool_]) -> int:
        return len(set((np.arange(len(rows)) if self.groups is None else self.groups)[rows].tolist()))


def languages(count: int) -> tuple[str, ...]:
    return tuple(f"l{number}" for number in range(count))


def complete(rows: int, count: int, groups: Sequence[int] | None = None, name: str = "s") -> Table:
    numbers = None if groups is None else np.array(groups, dtype=np.int32)
    return Table(np.ones((rows, count), dtype=bool), numbers, name)


def ragged(rows: int, shares: Sequence[float], seed: int = 0) -> Table:
    """Each language with its share of the rows; rows may have none."""
    return Table(np.random.default_rng(seed).random((rows, len(shares))) < np.array(shares))


def batches(tables: Table | Sequence[Table], size: int, **options: Any) -> HybridBatches:
    return HybridBatches(
        [table.index for table in ([tables] if isinstance(tables, Table) else tables)], size, **options
    )


# --- generated sources and settings --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    tables: tuple[Table, ...]
    size: int
    strategy: Strategy
    options: dict[str, Any]
    epoch: int

    def batches(self) -> HybridBatches:
        return batches(self.tables, self.size, strategy=self.strategy, **self.options)

    def can_be_filled(self) -> bool:
        """Whether each source fills all kinds of batches that occur, counted the plain way."""
        return all(self._mono_and_other(table) for table in self.tables)

    def _mono_and_other(self, table: Table) -> bool:
        count = table.present.sum(axis=1)
        if self.strategy == "mixed":
            return table.passages(count >= 1) >= self.size
        mono, other = alpha_occurs(self.strategy, self.options.get("alpha"))
        each = [table.passages(column) >= self.size for column in table.present.T]
        if mono and not all(each):
            return False
        if not other or self.strategy != "bilingual":
            return not other or table.passages(count >= 2) >= self.size
        columns = table.present.T
        both = [columns[a] & columns[b] for a in range(len(columns)) for b in range(a)]
        return any(table.passages(rows) >= self.size for rows in both)


def alpha_occurs(strategy: Strategy, alpha: float | AlphaSchedule | None) -> tuple[bool, bool]:
    """Whether monolingual batches occur, and whether others do."""
    if alpha is None:
        return strategy in {"mono", "hybrid"}, strategy in {"cross", "hybrid", "bilingual"}
    if isinstance(alpha, float):
        return alpha > 0, alpha < 1
    ends = {alpha.start} if alpha.schedule == "constant" else {alpha.start, alpha.end}
    return max(ends) > 0, min(ends) < 1


@st.composite
def tables(draw: st.DrawFn, name: str, size: int) -> Table:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 12) | st.just(73))
    rows = draw(st.integers(size, 15 * size + 30))
    share = draw(st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.1]))
    present = generator.random((rows, count)) < share
    groups = None
    if (skew := draw(st.sampled_from([None, None, 1.0, 3.0]))) is not None:
        groups = (generator.random(rows) ** skew * draw(st.integers(1, rows))).astype(np.int32)
    return Table(present, groups, name)


shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])
schedules = st.builds(
    AlphaSchedule, start=shares, end=shares, schedule=st.sampled_from(["constant", "linear", "cosine"])
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(1, 12))
    sources = [draw(tables(f"s{number}", size)) for number in range(draw(st.integers(1, 3)))]
    strategy = draw(st.sampled_from(STRATEGIES))
    options: dict[str, Any] = {
        "size_exponent": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }
    if strategy in {"hybrid", "bilingual"}:
        options["alpha"] = draw(st.none() | shares | schedules)
        options["steps"] = draw(st.none() | st.integers(1, 100))
    return Case(tuple(sources), size, strategy, options, draw(st.integers(0, 3)))


def check(batch: Batch, table: Table, size: int, strategy: Strategy) -> None:
    """All that must hold of a batch whatever the settings."""
    rows, query, passage = batch.rows, batch.query_languages, batch.passage_languages
    assert len(rows) == len(query) == len(passage) == size
    assert len(set(rows.tolist())) == size
    if table.groups is not None:
        assert len(set(table.groups[rows].tolist())) == size
    assert table.present[rows, query].all() and table.present[rows, passage].all()
    kinds = {"mono": {"mono"}, "cross": {"cross"}, "mixed": {"mixed"}}.get(strategy, {"mono", "cross"})
    assert batch.kind in kinds
    if batch.kind == "cross":
        assert (query != passage).all()
    else:
        assert (query == passage).all()
    if batch.kind == "mono" or strategy == "bilingual":
        assert len(set(query.tolist())) == len(set(passage.tolist())) == 1


@given(cases())
@settings(max_examples=80)
def test_every_batch_is_as_asked_for_or_there_is_an_error_before_the_first(case: Case) -> None:
    if not case.can_be_filled():
        event("cannot be filled")
        with pytest.raises(HybridError) as caught:
            case.batches()
        assert "\n" not in str(caught.value)
        return
    event("filled")
    batches = case.batches()
    assert len(batches) == sum(len(table.present) for table in case.tables) // case.size
    dealt = list(batches.epoch(case.epoch))
    assert len(dealt) == len(batches)
    for batch in dealt:
        check(batch, case.tables[batch.source], case.size, case.strategy)


@given(cases().filter(Case.can_be_filled), st.data())
@settings(max_examples=25)
def test_the_order_is_a_function_of_seed_epoch_and_step(case: Case, data: st.DataObject) -> None:
    one, other = case.batches(), case.batches()
    expected = list(islice(one.epoch(case.epoch), 20))
    ahead = other.epoch(case.epoch + 1)  # an epoch may be begun while another is under way
    again: list[Batch] = []
    for batch in islice(other.epoch(case.epoch), 20):
        next(ahead, None)
        again.append(batch)
    assert batch_digest(again) == batch_digest(expected)
    steps = data.draw(st.integers(0, len(expected)))
    assert batch_digest(islice(one.epoch(case.epoch), steps)) == batch_digest(expected[:steps])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_epochs_and_seeds_differ(strategy: Strategy) -> None:
    source = ragged(200, [0.9, 0.8, 0.7])
    orders = [batches(source, 8, strategy=strategy, seed=seed).epoch(epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    first_rows = [tuple(next(order).rows.tolist()) for order in orders]
    assert len(set(first_rows)) == 6
    assert len({batch_digest(order) for order in orders}) == 6


@pytest.mark.parametrize("strategy", ["hybrid", "bilingual"])
def test_the_kinds_and_languages_of_epochs_differ_too(strategy: Strategy) -> None:
    of = batches(complete(400, 3), 8, strategy=strategy, alpha=0.5)
    plans = [tuple((batch.kind, int(batch.query_languages[0])) for batch in of.epoch(epoch)) for epoch in range(4)]
    assert len(set(plans)) == 4


def test_the_digest_tells_every_number() -> None:
    def digest(*numbers: list[int]) -> str:
        source, rows, query, passage = (np.array(each) for each in numbers)
        return batch_digest([Batch(int(source[0]), "cross", rows, query, passage)])

    digests = {
        digest([0], [1, 2], [0, 1], [1, 0]),
        digest([1], [1, 2], [0, 1], [1, 0]),
        digest([0], [2, 1], [0, 1], [1, 0]),
        digest([0], [1, 2], [2, 1], [1, 0]),
        digest([0], [1, 2], [0, 1], [1, 2]),
    }
    assert len(digests) == 5
    assert all(len(each) == 40 and set(each) <= set("0123456789abcdef") for each in digests)
    batch = Batch(0, "cross", *(np.array(each, dtype=np.int32) for each in ([1, 2], [0, 1], [1, 0])))
    assert batch_digest([batch]) in digests  # however wide the numbers are
    assert batch_digest([batch, batch]) != batch_digest([batch])


# --- coverage -------------------------------------------------------------------------------------------------------


def times_dealt(dealt: Sequence[Batch], rows: int) -> NDArray[np.intp]:
    return np.bincount(np.concatenate([batch.rows for batch in dealt]), minlength=rows)


@given(st.sampled_from(STRATEGIES), st.integers(2, 5), st.integers(1, 20), st.integers(0, 200), st.integers(0, 9))
@settings(max_examples=25)
def test_an_epoch_deals_a_complete_source_once(
    strategy: Strategy, count: int, size: int, more: int, epoch: int
) -> None:
    rows = size + more
    times = times_dealt(list(batches(complete(rows, count), size, strategy=strategy).epoch(epoch)), rows)
    assert times.max() == 1
    assert (times == 0).sum() < size


def deck(batch: Batch, strategy: Strategy) -> tuple[int, ...]:
    """The languages that a row must have for such a batch; none where any will do."""
    if batch.kind == "mono" or strategy == "bilingual":
        return tuple(sorted({int(batch.query_languages[0]), int(batch.passage_languages[0])}))
    return ()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("shares", [(0.9, 0.8), (1.0, 0.5, 0.03), (0.1, 0.1, 0.1, 0.1)])
def test_all_rows_of_a_kind_are_dealt_once_before_any_is_again(strategy: Strategy, shares: tuple[float, ...]) -> None:
    source = ragged(2000, shares)
    dealt: dict[tuple[int, ...], list[Batch]] = {}
    for batch in batches(source, 7, strategy=strategy).epoch(0):
        dealt.setdefault(deck(batch, strategy), []).append(batch)
    has = source.present
    for needed, its in dealt.items():
        least = 2 if its[0].kind == "cross" else 1
        usable = (has.sum(axis=1) >= least) & has[:, list(needed)].all(axis=1)
        times = times_dealt(its, len(has))
        assert not times[~usable].any()
        assert times[usable].max() - times[usable].min() <= 1


def test_rows_that_come_again_within_an_epoch_meet_others() -> None:
    source = complete(4000, 2)
    source.present[40:, 1] = False
    together = Counter(frozenset(batch.rows.tolist()) for batch in batches(source, 4, strategy="cross").epoch(0))
    assert together.total() == 1000 and len(together) > 900


@pytest.mark.parametrize("strategy", ["hybrid", "bilingual"])
def test_one_missing_text_changes_little(strategy: Strategy) -> None:
    """Kinds of batch that can no longer share a deck deal from different parts of the order."""
    source = complete(10_000, 4)
    source.present[7, 3] = False
    times = times_dealt(list(batches(source, 20, strategy=strategy, alpha=0.5).epoch(0)), 10_000)
    assert (times > 0).mean() > 0.8
    assert times.max() <= 3


@pytest.mark.parametrize("size", [10, 25, 50])
def test_a_shared_passage_only_delays_a_row(size: int) -> None:
    """Without groups the order is the same, so what they change can be seen."""
    rows = 1000
    groups = np.random.default_rng(1).permutation(np.arange(rows) // 2).tolist()  # two rows of each
    plain = np.concatenate([batch.rows for batch in batches(complete(rows, 2), size).epoch(0)])
    grouped = np.concatenate([batch.rows for batch in batches(complete(rows, 2, groups), size).epoch(0)])
    dealt, place = np.unique(grouped, return_index=True)
    assert len(dealt) > rows - size  # the epoch may end while some wait
    delay = place - np.argsort(plain)[dealt]
    assert 0 < delay.max() < 2 * size  # it is in the next batch


@pytest.mark.parametrize("largest", [3, 10, 40])
def test_an_epoch_deals_all_rows_of_skewed_groups(largest: int) -> None:
    generator = np.random.default_rng(largest)
    sizes = 1 + (largest * generator.random(400) ** 4).astype(int)
    groups = generator.permutation(np.repeat(np.arange(400), sizes))
    times = times_dealt(list(batches(complete(len(groups), 3, groups.tolist()), 10).epoch(0)), len(groups))
    assert times.max() == 1
    assert (times == 0).sum() < 10


def test_a_group_too_large_for_the_epoch_is_in_every_batch_once() -> None:
    groups = [0] * 500 + list(range(1, 501))
    dealt = list(batches(complete(1000, 2, groups), 10).epoch(0))
    times = times_dealt(dealt, 1000)
    assert [int((batch.rows < 500).sum()) for batch in dealt] == [1] * 100
    assert times[500:].min() == 1 and times[500:].max() == 2  # 900 places for 500 rows


def test_rows_that_wait_do_not_pile_up() -> None:
    """As many passages as places, one of them in a single row: every batch has to look through half of the rows."""
    source = complete(1000, 2, [*np.random.default_rng(0).integers(1, 50, 999).tolist(), 0])
    order = batches([source, complete(9000, 2)], 50, size_exponent=0, strategy="mixed").epoch(0)
    tracemalloc.start()
    try:
        for batch in islice(order, 20):
            check(batch, source if batch.source == 0 else complete(9000, 2), 50, "mixed")
        before, _ = tracemalloc.get_traced_memory()
        for _ in islice(order, 150):
            pass
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000  # a few numbers for each row


def test_a_rare_passage_is_looked_for_in_long_steps() -> None:
    source = complete(50_000, 2, [*np.random.default_rng(0).integers(1, 50, 49_999).tolist(), 0])
    started = time.process_time()
    for batch in islice(batches(source, 50).epoch(0), 2):
        check(batch, source, 50, "hybrid")
    assert time.process_time() - started < 10  # it takes a tenth of a second


# --- shares ---------------------------------------------------------------------------------------------------------


def as_likely(count: int, of: int, chance: float) -> bool:
    """Whether so many are within what a right program gives but once in a million times."""
    return bool(binom.ppf(RARE / 2, of, chance) <= count <= binom.isf(RARE / 2, of, chance))


def uniform(counts: Sequence[int] | NDArray[np.intp], expected: Sequence[float] | None = None) -> bool:
    return bool(chisquare(counts, expected).pvalue > RARE)


def test_the_bounds_tell_a_small_bias() -> None:
    assert as_likely(2000, 4000, 0.5) and not as_likely(2200, 4000, 0.5)
    assert uniform([500] * 9) and not uniform([500] * 8 + [700])


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("strategy", ["hybrid", "bilingual"])
def test_alpha_is_the_share_of_monolingual_batches(strategy: Strategy, alpha: float) -> None:
    dealt = batches(ragged(6000, [0.9, 0.8, 0.2]), 4, strategy=strategy, alpha=alpha).epoch(0)
    kinds = Counter(batch.kind for batch in dealt)
    assert kinds.total() == 1500
    assert as_likely(kinds["mono"], 1500, alpha)


@pytest.mark.parametrize(("strategy", "mono"), [("hybrid", 0.5), ("bilingual", 0.0), ("mono", 1.0), ("cross", 0.0)])
def test_the_share_where_alpha_is_not_given(strategy: Strategy, mono: float) -> None:
    kinds = Counter(batch.kind for batch in batches(complete(4000, 3), 4, strategy=strategy).epoch(0))
    assert as_likely(kinds["mono"], 1000, mono) and kinds["cross"] == 1000 - kinds["mono"]


@pytest.mark.parametrize("shares", [[1.0] * 9, [1.0, 0.5, 0.02, 0.02, 0.9, 0.3, 0.3, 0.3, 0.01]])
def test_monolingual_languages_are_uniform_whatever_their_size(shares: list[float]) -> None:
    dealt = batches(ragged(8000, shares), 1, strategy="mono").epoch(0)
    assert uniform(np.bincount([batch.query_languages[0] for batch in dealt], minlength=9))


def ordered_pairs(dealt: Iterator[Batch], rows: NDArray[np.bool_] | None = None) -> Counter[tuple[int, int]]:
    """How often each pair of a query language and a passage language occurs, in some of the rows."""
    pairs: Counter[tuple[int, int]] = Counter()
    for batch in dealt:
        kept = np.ones(len(batch.rows), dtype=bool) if rows is None else rows[batch.rows]
        pairs.update(zip(batch.query_languages[kept].tolist(), batch.passage_languages[kept].tolist(), strict=True))
    return pairs


@pytest.mark.parametrize("count", [2, 5, 73])
def test_cross_lingual_pairs_are_uniform(count: int) -> None:
    pairs = ordered_pairs(batches(complete(60_000, count), 100, strategy="cross").epoch(0))
    assert len(pairs) == count * (count - 1)
    assert uniform(list(pairs.values()))


@pytest.mark.parametrize("having", [(0, 1), (0, 1, 2), (1, 3, 4), (0, 1, 2, 3, 4)])
def test_a_row_draws_among_the_languages_that_it_has(having: tuple[int, ...]) -> None:
    source = ragged(40_000, [0.8, 0.7, 0.5, 0.5, 0.6], seed=2)
    rows = (source.present == np.isin(np.arange(5), having)).all(axis=1)
    pairs = ordered_pairs(batches(source, 100, strategy="cross").epoch(0), rows)
    assert set(pairs) == {(a, b) for a in having for b in having if a != b}
    assert uniform(list(pairs.values()))
    alike = ordered_pairs(batches(source, 100, strategy="mixed").epoch(0), rows)
    assert set(alike) == {(a, a) for a in having}
    assert uniform(list(alike.values()))


def test_bilingual_pairs_are_uniform_over_those_that_fill_a_batch() -> None:
    source = ragged(12_000, [1.0, 0.9, 0.5, 0.1])
    source.present[source.present[:, 2], 3] = False  # l2 and l3 never meet
    dealt = batches(source, 4, strategy="bilingual").epoch(0)
    pairs = Counter((int(batch.query_languages[0]), int(batch.passage_languages[0])) for batch in dealt)
    assert set(pairs) == {(a, b) for a in range(4) for b in range(4) if a != b and {a, b} != {2, 3}}
    assert uniform(list(pairs.values()))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_sources_are_drawn_by_size_to_the_power_of_the_exponent(exponent: float) -> None:
    rows = np.array([4000, 1000, 500])
    sources = [complete(number, 2, name=f"s{number}") for number in rows]
    drawn = np.bincount([batch.source for batch in batches(sources, 4, size_exponent=exponent).epoch(0)], minlength=3)
    assert drawn.sum() == 5500 // 4
    assert uniform(drawn, rows**exponent / (rows**exponent).sum() * drawn.sum())


def test_the_kind_does_not_depend_on_the_source_or_on_the_batch_before() -> None:
    sources = [complete(4000, 2, name="a"), complete(4000, 3, name="b")]
    dealt = [(batch.source, batch.kind) for batch in batches(sources, 4).epoch(0)]
    assert uniform(list(Counter(dealt).values()))
    assert uniform(list(Counter(zip(dealt[::2], dealt[1::2], strict=True)).values()))


def test_the_order_favours_no_row_and_no_two_rows_together() -> None:
    first = [next(batches(complete(10, 2), 4, seed=seed).epoch(0)).rows for seed in range(1500)]
    assert uniform(np.bincount([rows[0] for rows in first], minlength=10))
    couples = Counter(frozenset(rows[:2].tolist()) for rows in first)
    assert len(couples) == 45 and uniform(list(couples.values()))


# --- schedules of alpha ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "begin", "middle", "end"),
    [("constant", 0.9, 0.9, 0.9), ("linear", 0.86, 0.5, 0.14), ("cosine", 0.9, 0.5, 0.1)],
)
def test_a_schedule_changes_the_share_over_an_epoch(schedule: Any, begin: float, middle: float, end: float) -> None:
    alpha = AlphaSchedule(start=0.9, end=0.1, schedule=schedule)
    kinds = [batch.kind for batch in batches(complete(12_000, 2), 4, alpha=alpha).epoch(0)]
    assert len(kinds) == 3000
    for first, share in ((0, begin), (1350, middle), (2700, end)):
        assert as_likely(kinds[first : first + 300].count("mono"), 300, share)


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("constant", [0.2] * 5), ("linear", [0.2, 0.4, 0.6, 0.8, 1.0]), ("cosine", [0.2, 0.317157, 0.6, 0.882843, 1.0])],
)
def test_a_schedule_runs_over_the_steps_that_it_is_given(schedule: Any, shares: list[float]) -> None:
    alpha = AlphaSchedule(start=0.2, end=1.0, schedule=schedule)
    found = batches(complete(40, 2), 4, alpha=alpha, steps=5)
    assert [found.alpha(step) for step in range(5)] == pytest.approx(shares, abs=1e-6)
    assert found.alpha(5) == found.alpha(10**9) == pytest.approx(shares[-1])


def test_a_schedule_goes_on_over_epochs() -> None:
    alpha = AlphaSchedule(start=1.0, end=0.0)
    two = batches(complete(2000, 2), 4, alpha=alpha, steps=1000)
    kinds = [[batch.kind for batch in two.epoch(epoch)] for epoch in range(3)]
    assert as_likely(kinds[0].count("mono"), 500, 0.75)
    assert as_likely(kinds[1].count("mono"), 500, 0.25)
    assert kinds[2].count("mono") == 0  # over: it stays where it ended
    assert kinds[0][0] == "mono" and kinds[1][-1] == "cross"


def test_without_steps_a_schedule_takes_an_epoch() -> None:
    found = batches(complete(44, 2), 4, alpha=AlphaSchedule(start=0.0, end=1.0))
    assert [found.alpha(step) for step in (0, 5, 10)] == [0.0, 0.5, 1.0]
    assert batches(complete(4, 2), 4, alpha=AlphaSchedule(start=0.25, end=1.0)).alpha(0) == 0.25  # one step


# --- faults ---------------------------------------------------------------------------------------------------------


def error(*arguments: Any, **options: Any) -> str:
    with pytest.raises(HybridError) as caught:
        batches(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("strategy", ["mono", "hybrid"])
def test_a_language_with_too_few_passages(strategy: Strategy) -> None:
    source = Table(np.ones((20, 3), dtype=bool), name="laws")
    source.present[3:, 1] = False
    assert error(source, 4, strategy=strategy) == (
        "laws: monolingual batches in l1 need 4 different passages, there are 3; use smaller batches, another "
        "strategy, or leave that language out"
    )
    assert len(batches(source, 3, strategy=strategy)) == 6


def test_rows_of_one_passage_count_once() -> None:
    source = complete(20, 2, [0, 0, 0, 0, 1, 1, 1, 1, *[2] * 12], name="laws")
    for strategy in STRATEGIES:
        assert len(batches(source, 3, strategy=strategy)) == 6
        assert error(source, 4, strategy=strategy).startswith("laws: ")
    assert "cross-lingual batches need 4 different passages, there are 3" in error(source, 4, strategy="cross")
    assert "batches in mixed languages need 4 different passages, there are 3" in error(source, 4, strategy="mixed")


@pytest.mark.parametrize("strategy", ["cross", "hybrid", "bilingual"])
def test_one_language_has_no_cross_lingual_batches(strategy: Strategy) -> None:
    text = error([complete(9, 2), complete(9, 1, name="laws")], 4, strategy=strategy)
    assert text == "laws: cross-lingual batches need two languages, there is only l0; use strategy mono"
    assert len(batches([complete(9, 2), complete(9, 1)], 4, strategy="mono")) == 4


def test_too_few_rows_of_two_languages() -> None:
    present = np.zeros((20, 2), dtype=bool)
    present[:12, 0] = present[9:, 1] = True  # three rows have both
    assert "laws: cross-lingual batches need 4 different passages, there are 3" in error(
        Table(present, name="laws"), 4, strategy="cross"
    )


def test_no_two_languages_share_enough_for_a_bilingual_batch() -> None:
    present = np.zeros((12, 3), dtype=bool)
    for row in range(12):
        present[row, [row % 3, (row + 1) % 3]] = True  # each two languages share four rows
    assert len(batches(Table(present), 4, strategy="bilingual")) == 3
    assert error([complete(9, 2), Table(present, name="laws")], 5, strategy="bilingual") == (
        "laws: no two languages share the 5 passages that a bilingual batch needs; use smaller batches, or strategy "
        "cross"
    )


@pytest.mark.parametrize("strategy", ["mono", "cross", "mixed"])
def test_alpha_without_a_use(strategy: Strategy) -> None:
    for alpha in (0.5, AlphaSchedule(start=0.0, end=1.0)):
        text = error(complete(9, 2), 4, strategy=strategy, alpha=alpha)
        assert text == f"alpha has no effect on strategy {strategy}; leave it out, or use hybrid"


@pytest.mark.parametrize("alpha", [-0.1, 1.01, float("nan"), float("inf")])
def test_alpha_is_a_chance(alpha: float) -> None:
    assert error(complete(9, 2), 4, alpha=alpha) == f"alpha is a chance between 0 and 1, not {alpha}"


def test_a_kind_that_never_occurs_needs_no_rows() -> None:
    assert len(batches(complete(9, 1), 4, alpha=1)) == 2  # no cross-lingual batches in hybrid
    present = np.ones((9, 3), dtype=bool)
    present[1:, 2] = False
    assert len(batches(Table(present), 4, alpha=0)) == 2  # no monolingual ones in l2
    constant = AlphaSchedule(start=0.0, end=1.0, schedule="constant")
    assert len(batches(Table(present), 4, alpha=constant)) == 2
    assert "in l2" in error(Table(present), 4, alpha=AlphaSchedule(start=0.0, end=0.1))


def test_as_many_passages_as_places_are_enough() -> None:
    source = complete(4, 2, name="laws")
    for strategy in STRATEGIES:
        (batch,) = batches(source, 4, strategy=strategy).epoch(0)
        assert sorted(batch.rows.tolist()) == [0, 1, 2, 3]
        assert error(source, 5, strategy=strategy).startswith("laws: ")
