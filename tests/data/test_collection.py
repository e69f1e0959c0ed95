"""The parallel collection: its shape, its index by group, its fingerprint."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

from mteb_hybrid.data.collection import ParallelCollection, TextTable

EMPTY = TextTable((), (), ())
QUERIES = TextTable(("q1", "q2"), ("Who?", "What?"), (("g1",), ("g2",)))
PASSAGES = TextTable(("p1", "p2", "p3"), ("She.", "Both.", "None."), (("g1",), ("g2", "g1"), ()))


def _collection(queries: TextTable = QUERIES, passages: TextTable = PASSAGES, name: str = "c") -> ParallelCollection:
    return ParallelCollection(name, {"de": queries, "en": EMPTY}, {"de": passages, "en": EMPTY})


@pytest.mark.parametrize("column", ["ids", "texts", "groups"])
def test_columns_must_be_of_one_length(column: str) -> None:
    with pytest.raises(ValueError, match="one length"):
        replace(QUERIES, **{column: getattr(QUERIES, column)[:1]})


def test_rows_by_group() -> None:
    assert dict(PASSAGES.rows_by_group) == {"g1": (0, 1), "g2": (1,)}
    assert dict(EMPTY.rows_by_group) == {}
    assert (len(PASSAGES), len(EMPTY)) == (3, 0)


def test_languages_are_in_the_order_of_the_collection() -> None:
    assert _collection().languages == ("de", "en")


@pytest.mark.parametrize("passages", [{"de": PASSAGES}, {"en": EMPTY, "de": PASSAGES}, {"de": PASSAGES, "fr": EMPTY}])
def test_queries_and_passages_must_have_the_same_languages(passages: dict[str, TextTable]) -> None:
    with pytest.raises(ValueError, match="same languages"):
        ParallelCollection("c", {"de": QUERIES, "en": EMPTY}, passages)


def test_revision_is_the_same_for_the_same_content_under_any_name() -> None:
    revision = _collection().revision
    assert revision == _collection(replace(QUERIES), replace(PASSAGES), name="d").revision
    assert len(revision) == 40
    assert set(revision) <= set(string.hexdigits.lower())


@pytest.mark.parametrize(
    "other",
    [
        _collection(replace(QUERIES, ids=("q1", "q3"))),
        _collection(replace(QUERIES, texts=("Who?", "What!"))),
        _collection(replace(QUERIES, groups=(("g1",), ("g1",)))),
        _collection(passages=replace(PASSAGES, groups=(("g1",), ("g2",), ("g1",)))),
        _collection(passages=replace(PASSAGES, groups=(("g1",), ("g2", "g1"), ("",)))),
        _collection(passages=replace(PASSAGES, ids=("p1S", "p2", "p3"), texts=("he.", "Both.", "None."))),
        _collection(PASSAGES, QUERIES),
        ParallelCollection("c", {"de": QUERIES}, {"de": PASSAGES}),
        ParallelCollection("c", {"en": EMPTY, "de": QUERIES}, {"en": EMPTY, "de": PASSAGES}),
        ParallelCollection("c", {"fr": QUERIES, "en": EMPTY}, {"fr": PASSAGES, "en": EMPTY}),
    ],
    ids=[
        *("query id", "query text", "query group", "group moved", "group added", "letter moved"),
        *("roles swapped", "language left out", "languages in another order", "another language"),
    ],
)
def test_revision_changes_with_any_content(other: ParallelCollection) -> None:
    assert other.revision != _collection().revision


def test_revision_takes_any_text() -> None:
    odd = TextTable(("p",), ("\ud800 \0 \u202e",), ((),))
    assert len(_collection(passages=odd).revision) == 40
