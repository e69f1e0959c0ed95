"""Cards that users have edited, published again."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.card_merge import merge_cards
from mteb_hybrid.publishing.card_parts import normal, read_card

BASE = """---
license: mit
tags:
- a
---

# Ours

What it is.

## Results

old figures

## Limits

few
"""
NEW = BASE.replace("old figures", "new figures").replace("- a", "- a\n- b").replace("few", "few\n\n## Citation\n\nus")


def headings(card: str) -> list[str]:
    return re.findall(r"(?m)^## (.*)$", card)


def front(card: str) -> object:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_first_card_and_one_that_nobody_edited() -> None:
    assert merge_cards(None, None, NEW) == NEW
    assert merge_cards(BASE, None, NEW) == NEW  # deleted as a whole: made again
    assert merge_cards(None, " \n", NEW) == NEW
    assert merge_cards(BASE, BASE, NEW) == NEW
    assert merge_cards(BASE, BASE.replace("\n", "\r\n") + "\n \n", NEW) == NEW


def test_an_edited_section_is_kept_and_the_others_are_new() -> None:
    merged = merge_cards(BASE, BASE.replace("few", "many, I fear"), NEW)
    assert merged == NEW.replace("few", "many, I fear")


def test_an_edited_preamble_is_kept() -> None:
    assert merge_cards(BASE, BASE.replace("What it is.", "Mine."), NEW) == NEW.replace("What it is.", "Mine.")


def test_the_users_own_sections_stay_where_they_are() -> None:
    theirs = BASE.replace("## Limits", "## Thanks\n\nto all\n\n## Limits") + "\n## Contact\n\nada@example.org\n"
    merged = merge_cards(BASE, theirs, NEW)
    assert headings(merged) == ["Results", "Thanks", "Limits", "Contact", "Citation"]
    assert "to all" in merged and "ada@example.org" in merged and "new figures" in merged
    first = merge_cards(BASE, BASE.replace("## Results", "## News\n\nnone\n\n## Results"), NEW)
    assert headings(first) == ["News", "Results", "Limits", "Citation"]


def test_what_the_user_deleted_stays_deleted() -> None:
    merged = merge_cards(BASE, BASE.replace("## Results\n\nold figures\n\n", "").replace("license: mit\n", ""), NEW)
    assert headings(merged) == ["Limits", "Citation"]
    assert front(merged) == {"tags": ["a", "b"]}


def test_what_is_not_generated_any_more_goes_unless_it_was_edited() -> None:
    without = BASE.replace("## Results\n\nold figures\n\n", "").replace("tags:\n- a\n", "")
    assert merge_cards(BASE, BASE + "\n## Mine\n\nx\n", without) == without + "\n## Mine\n\nx\n"
    merged = merge_cards(BASE, BASE.replace("old figures", "my figures").replace("- a", "- z"), without)
    assert "my figures" in merged
    assert front(merged) == {"license": "mit", "tags": ["z"]}


def test_an_order_of_the_users_is_kept_and_a_new_one_is_taken() -> None:
    turned = BASE.replace("## Results\n\nold figures\n\n", "") + "\n## Results\n\nold figures\n"
    assert headings(merge_cards(BASE, turned, NEW)) == ["Limits", "Citation", "Results"]
    new = turned.replace("few", "more")
    assert headings(merge_cards(BASE, BASE + "\n## Mine\n\nx\n", new)) == ["Limits", "Mine", "Results"]


def test_keys_are_merged_one_by_one() -> None:
    theirs = BASE.replace(
        "license: mit", "# by our lawyers\nlicense: other\nlicense_name: ours\nthumbnail: 'x.png' # big"
    )
    merged = merge_cards(BASE, theirs, NEW)
    own = "---\n# by our lawyers\nlicense: other\nlicense_name: ours\nthumbnail: 'x.png' # big\n"
    assert merged.startswith(f"{own}tags:\n- a\n- b\n---\n\n# Ours")


def test_other_writing_of_the_same_value_is_no_edit() -> None:
    merged = merge_cards(BASE, BASE.replace("tags:\n- a", "# ours\ntags: ['a']"), NEW)
    assert "# ours\ntags:\n- a\n- b\n" in merged
    assert merge_cards(BASE, BASE.replace("license: mit\ntags:\n- a", "{license: mit, tags: [a]}"), NEW) == NEW


@pytest.mark.parametrize(
    "written", ["  license: x\n  a: 1", "license: x\n...", '{"license": "x", a: 1}', "a: &x [1]\nlicense: *x"]
)
def test_front_matter_in_unusual_forms(written: str) -> None:
    merged = merge_cards(BASE, BASE.replace("license: mit\ntags:\n- a", written), NEW.replace("mit", "mit\nnew: 1"))
    assert front(merged) == {**yaml.safe_load(written), "new": 1}


def test_a_card_that_was_never_generated_is_the_users() -> None:
    theirs = "---\nlicense: apache-2.0\nlanguage:\n---\n"  # as the Hub makes it
    merged = merge_cards(None, theirs, NEW.replace("license", "language: de\nlicense"))
    assert front(merged) == {"license": "apache-2.0", "language": "de", "tags": ["a", "b"]}
    assert merged.split("---\n")[2] == NEW.split("---\n")[2]
    theirs = "# My model\n\n## Limits\n\nnone!\n\n## Results\n\n"
    merged = merge_cards(None, theirs, NEW)
    assert front(merged) == front(NEW)
    assert headings(merged) == ["Limits", "Citation", "Results"]
    assert "# My model\n\n## Limits\n\nnone!" in merged
    assert "new figures" in merged and "What it is" not in merged


def test_headings_are_those_that_a_reader_sees() -> None:
    hidden = (
        "```\n## not one\n```\n\n~~~~\n## nor this\n```\n~~~~\n\n    ## nor this\n\n> ## nor this\n\n- ## nor this\n"
    )
    card = f"# T\n\n## One ##\n\n{hidden}\n<!--\n## nor this\n-->\n\nTwo\n---\n\n### deeper\n\n## One\n\nx"
    assert list(read_card(card).sections) == [("one", 0), ("two", 0), ("one", 1)]
    assert read_card(card).preamble.text == "# T"


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("license: [", "is not YAML (line"),
        ("license: mit\n\ttags: 1", "is not YAML (line 3)"),
        ("a: 1\n: : :\n- x", "is not YAML"),
        ("- a\n- b", "is no mapping"),
        ("just text", "is no mapping"),
        ("%YAML 1.1", "is not YAML"),
        ("a: *x", "is not YAML (line 2)"),
        ("a: !!python/object:os.system 1", "is not YAML"),
        ("a: " + "[" * 1000 + "]" * 1000, "nested too deep"),
        ("a: " + "9" * 5000, "cannot be read"),
    ],
)
@pytest.mark.parametrize("new", [BASE, NEW])
def test_broken_front_matter(written: str, part: str, new: str) -> None:
    with pytest.raises(HybridError) as raised:
        merge_cards(BASE, BASE.replace("license: mit\ntags:\n- a", written), new)
    message = str(raised.value)
    assert part in message and "publish again" in message
    assert "\n" not in message and len(message) < 400


def test_a_broken_card_of_last_time_costs_nothing() -> None:
    merged = merge_cards("---\na: [\n---\n", BASE, NEW)
    assert normal(merged) == normal(NEW.replace("new figures", "old figures").replace("- a\n- b", "- a"))


WORDS = st.sampled_from(
    ["one", "two", "*three*", "```\n## no heading\n```", "| a |\n| - |", "ä\u200c", "<b>x</b>", "1. x"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map("\n\n".join)
NAMES = st.sampled_from(["Results", "Limits", "Licence", "Recipe", "Use"])
OWN = st.sampled_from(["Thanks", "Contact", "News"])
KEYS = st.dictionaries(
    st.sampled_from(["license", "tags", "language"]), st.sampled_from(["a", ["a", "b"], {"x": 1}, True])
)


def card(keys: dict[str, object], preamble: str, sections: list[tuple[str, str]]) -> str:
    parts = [f"---\n{yaml.safe_dump(keys)}---"] if keys else []
    return "\n\n".join([*parts, f"# T\n\n{preamble}", *(f"## {name}\n\n{text}" for name, text in sections)]) + "\n"


def cards(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sections = st.lists(st.tuples(names, TEXTS), unique_by=lambda section: section[0], max_size=5)
    return st.builds(card, KEYS, TEXTS, sections)


@settings(max_examples=60)
@given(base=cards(NAMES), theirs=cards(NAMES | OWN), new=cards(NAMES))
def test_merging_in_general(base: str, theirs: str, new: str) -> None:
    assert merge_cards(base, base, new) == new
    assert normal(merge_cards(base, theirs, base)) == normal(theirs)
    assert merge_cards(theirs, theirs, theirs) == theirs
    merged = merge_cards(base, theirs, new)
    was, there, now, found = map(read_card, (base, theirs, new, merged))
    for part in ("sections", "keys"):
        was_parts, there_parts, now_parts, found_parts = (getattr(each, part) for each in (was, there, now, found))
        for key in {*was_parts, *there_parts, *now_parts}:
            before, own, latest = (parts.get(key) for parts in (was_parts, there_parts, now_parts))
            before, own, latest = (each and each.meaning for each in (before, own, latest))
            wanted = latest if own == before else own
            assert (found_parts[key].meaning if key in found_parts else None) == wanted
    # Merged once, it is stable: the same card published again changes nothing.
    assert merge_cards(new, merged, new) == merged


@settings(max_examples=30)
@given(theirs=cards(NAMES | OWN), new=cards(NAMES))
def test_merging_without_a_card_of_last_time(theirs: str, new: str) -> None:
    there, now, found = map(read_card, (theirs, new, merge_cards(None, theirs, new)))
    assert {key: found.sections[key].text for key in there.sections} == {k: p.text for k, p in there.sections.items()}
    assert set(found.sections) == {*there.sections, *now.sections}
    assert [key for key in found.sections if key in there.sections] == list(there.sections)
    assert {**now.keys, **there.keys} == dict(found.keys)
