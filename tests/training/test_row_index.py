"""The row index: bitmaps of languages and passage groups, against plain loops over small tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mteb_hybrid.training.row_index import RowIndex, in_bitmap

Table = list[list[bool]]  # for each row, whether it has each language


def packed(table: Table) -> NDArray[np.uint8]:
    return np.packbits(np.array(table, dtype=bool).T, axis=1, bitorder="little")


def index_of(table: Table, groups: list[int] | None = None) -> RowIndex:
    languages = tuple(f"l{number}" for number in range(len(table[0])))
    numbers = None if groups is None else np.array(groups, dtype=np.int32)
    return RowIndex("s", languages, len(table), packed(table), numbers)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    languages = draw(st.integers(1, 5))
    row = st.lists(st.booleans(), min_size=languages, max_size=languages)
    return draw(st.lists(row, min_size=1, max_size=40))  # mostly not a multiple of 8 rows


def rows_with(table: Table, least: int) -> list[int]:
    return [number for number, row in enumerate(table) if sum(row) >= least]


def test_the_example_of_a_ragged_source() -> None:
    index = index_of(
        [[True, True, False], [True, False, False], [True, True, True], [False, True, False]], [5, 0, 5, 5]
    )
    assert len(index) == 4
    assert [index.count(present) for present in index.presence] == [3, 3, 1]
    assert index.numbers(index.with_languages(2)).tolist() == [0, 2]
    assert [index.passages(present) for present in index.presence] == [2, 1, 1]
    assert not index.complete


@given(tables())
@settings(max_examples=60)
def test_rows_are_found_by_their_languages(table: Table) -> None:
    index = index_of(table)
    everything = index.numbers()
    assert everything.tolist() == list(range(len(table)))
    assert index.languages_of(everything).tolist() == table
    for language, present in enumerate(index.presence):
        have = [number for number, row in enumerate(table) if row[language]]
        assert index.numbers(present).tolist() == have
        assert index.count(present) == len(have)
    for least in (1, 2):
        assert index.numbers(index.with_languages(least)).tolist() == rows_with(table, least)


@given(tables(), st.data())
@settings(max_examples=60)
def test_languages_of_some_rows_in_any_order(table: Table, data: st.DataObject) -> None:
    index = index_of(table)
    numbers = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=20))
    dtype = data.draw(st.sampled_from([np.int32, np.int64]))
    rows = np.array(numbers, dtype=dtype)
    assert index.languages_of(rows).tolist() == [table[number] for number in numbers]
    assert in_bitmap(index.presence, rows).T.tolist() == [table[number] for number in numbers]
    assert in_bitmap(index.presence[0], rows).tolist() == [table[number][0] for number in numbers]


@given(tables(), st.data())
@settings(max_examples=60)
def test_passages_counts_groups_once(table: Table, data: st.DataObject) -> None:
    group = st.integers(0, 6)
    groups = data.draw(st.lists(group, min_size=len(table), max_size=len(table)))
    alone, shared = index_of(table), index_of(table, groups)
    for present in [*shared.presence, shared.with_languages(1), shared.with_languages(2)]:
        numbers = shared.numbers(present).tolist()
        assert shared.passages(present) == len({groups[number] for number in numbers})
        assert alone.passages(present) == len(numbers)


@pytest.mark.parametrize(
    ("table", "complete"),
    [
        ([[True, True]] * 9, True),
        ([[True, True]] * 8 + [[True, False]], False),
        ([[True]] * 9, False),  # nothing to pair up
    ],
)
def test_complete_is_every_row_in_every_one_of_several_languages(table: Table, complete: bool) -> None:
    assert index_of(table).complete is complete


def test_row_numbers_take_four_bytes_and_a_bitmap_an_eighth() -> None:
    index = index_of([[True, False, True]] * 1000)
    assert index.presence.nbytes == 3 * 125
    assert index.numbers().dtype == index.numbers(index.presence[0]).dtype == np.int32
    assert index.with_languages(2).nbytes == 125


def test_two_indices_of_the_same_content_are_not_mixed_up() -> None:
    one, other = index_of([[True, True]] * 3), index_of([[True, True]] * 3)
    assert one != other and len({one, other}) == 2  # a bitmap cannot be compared by ==
