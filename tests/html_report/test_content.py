"""What is shown of texts and names of others: bounded, on one line, and without signs that mislead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.html_report.content import (
    Data,
    Picture,
    name_to_show,
    names_to_show,
    shown,
    stem,
    text_to_show,
    with_own_names,
)

anything = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.81649, "score", "0.816"),
        (1214.31, "distance", "1,214.3"),
        (0.7286, "share", "72.9%"),
        (13090, "count", "13,090"),
        (0.25, "number", "0.25"),
        ("de", "text", "de"),
        (None, "score", "–"),
    ],
)
def test_figures(value: float | str | None, form: str, text: str) -> None:
    assert shown(value, form) == text  # type: ignore[arg-type]


def test_a_long_name_keeps_both_ends_and_none_is_empty() -> None:
    assert name_to_show("local/hybrid-alpha0.25-seed1-6d282d6f", 24) == "local/hybrid…d1-6d282d6f"
    assert name_to_show("a" * 24, 24) == "a" * 24
    assert len(name_to_show("a" * 10_000_000, 20)) == 20
    assert name_to_show("\u202egpj.exe\x00\n") == "gpj.exe"
    assert name_to_show("\u200b") == "(no name)"


def test_names_that_have_become_equal_are_numbered() -> None:
    assert names_to_show(["ab", "a\x00b", "ab", "a b"]) == ["ab", "a b", "ab (2)", "a b (2)"]


def test_numbered_names_are_no_others() -> None:
    assert names_to_show(["a", "a (2)", "a"]) == ["a", "a (2)", "a (3)"]


@given(st.lists(anything, max_size=6))
def test_names_to_show_are_distinct(names: list[str]) -> None:
    found = names_to_show(names, 12)
    assert len(set(found)) == len(names)
    assert all(name.isprintable() for name in found)


def test_a_text_keeps_its_script_and_loses_what_forces_a_direction() -> None:
    zero_width_non_joiner = "می\u200cخواهم"
    assert text_to_show(zero_width_non_joiner, 100) == zero_width_non_joiner
    assert text_to_show("a\u202e\u2066b\u0007\ud800\u2028c\n d", 100) == "ab c d"
    assert text_to_show("x" * 10_000_000, 5) == "xxxx…"
    assert text_to_show("\x00" * 300 + "later", 100) == "…"


@given(anything, st.integers(1, 30))
def test_a_text_is_bounded_and_can_be_written(text: str, limit: int) -> None:
    found = text_to_show(text, limit)
    assert len(found) <= limit
    assert "\n" not in found and found.encode("utf-8").decode("utf-8") == found


@given(anything, anything)
def test_a_stem_is_fit_for_files_and_ids(one: str, other: str) -> None:
    found = stem(one, other)
    assert 0 < len(found) <= 100
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not found.startswith("-")


def test_pictures_of_one_name_are_numbered() -> None:
    def picture(name: str) -> Picture:
        return Picture(name, "", "", Data((), ()), lambda ink, ground: None)  # type: ignore[arg-type, return-value]

    names = [each.name for each in with_own_names([picture("a"), picture("a-2"), picture("a"), picture("a")])]
    assert names == ["a", "a-2", "a-3", "a-4"]
