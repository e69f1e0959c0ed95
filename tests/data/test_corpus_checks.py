"""Which id is there twice, found without a table of all ids."""

from __future__ import annotations

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.data import corpus_checks

CHUNKS = st.lists(st.lists(st.text("ab", max_size=3), max_size=5), max_size=5)


def first_repeated(chunks: list[list[str]], at_once: int = 10) -> tuple[int, int] | None:
    return corpus_checks._first_repeated(pyarrow.chunked_array(chunks, pyarrow.string()), at_once)


@given(chunks=CHUNKS, at_once=st.integers(1, 10))
def test_as_a_search_row_by_row(chunks: list[list[str]], at_once: int) -> None:
    ids = [text for chunk in chunks for text in chunk]
    expected = next(((ids.index(text), row) for row, text in enumerate(ids) if text in ids[:row]), None)
    assert first_repeated(chunks, at_once) == expected


def test_different_ids_of_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_checks, "hash", len, raising=False)
    assert first_repeated([["ab", "ba"], ["aa", "b"]]) is None
    assert first_repeated([["ab", "ba"], ["aa", "ba"]]) == (1, 3)
