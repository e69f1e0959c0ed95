"""What cleaning drops, and what it leaves."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mteb_hybrid.building.cleaning import Clean, CleaningSettings
from mteb_hybrid.building.shards import Kept, pairs_of, schema_of
from mteb_hybrid.errors import HybridError

PASSAGE = "The capital of France is Paris."
UNTOLD = CleaningSettings(language=False)


def shard(*pairs: tuple[str | None, str | None], language: str = "en") -> pyarrow.Table:
    """Rows of one language."""
    schema = schema_of([language])
    rows = [(str(number), None, query, passage) for number, (query, passage) in enumerate(pairs)]
    return pyarrow.table(
        [pyarrow.array(column, pyarrow.large_string()) for column in zip(*rows, strict=True)], schema=schema
    )


def clean(*pairs: tuple[str | None, str | None], **settings: object) -> Kept:
    return Clean(CleaningSettings.model_validate({"language": False, **settings}))(shard(*pairs))


@pytest.mark.parametrize(
    ("query", "passage", "reason"),
    [
        ("Hi", PASSAGE, "query too short"),
        (" \u200b ", PASSAGE, "query too short"),
        ("why " * 251, PASSAGE, "query too long"),
        ("What is it?", "Paris.", "passage too short"),
        ("What is it?", "words " * 2_000, "passage too long"),
        ("https://example.org/a?b=c", PASSAGE, "query without words"),
        ("What is it?", "<br/> &nbsp; <a href='x'> www.example.org", "passage without words"),
        ("What is it?", "…… !!! ?????", "passage without words"),
        ("What is it?", "1990 1991 1992 1993 (a)", "few letters"),
        (PASSAGE.upper(), PASSAGE, "query is the passage"),
    ],
)
def test_a_pair_goes_for_one_reason(query: str, passage: str, reason: str) -> None:
    kept = clean((query, passage), ("What is the capital?", PASSAGE))
    assert kept.dropped == {reason: 1}
    assert kept.table["id"].to_pylist() == ["1"]


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("谁是国王", "威廉三世在一六八九年登基为王。"),
        ("C++?", "C++ is a language, see https://example.org for more."),
        ("When?", "In 1990–1994, 12 of 30 voted."),
        ("कौन", "हिन्दी में लिखा हुआ एक वाक्य।"),
    ],
)
def test_an_ordinary_pair_stays(query: str, passage: str) -> None:
    kept = clean((query, passage))
    assert not kept.dropped
    assert kept.table["passage_en"].to_pylist() == [passage]


def test_each_check_can_be_switched_off() -> None:
    pairs = [("?", "…"), ("why " * 400, "1 " * 9_000), ("same", "same"), ("https://a.b", "<br>")]
    limits = {"query_shortest": 1, "query_longest": None, "passage_shortest": 1, "passage_longest": None}
    kept = clean(*pairs, **limits, letters=0.0, words=False, distinct=False)
    assert not kept.dropped
    assert len(kept.table) == len(pairs)


def test_texts_are_tidied_unless_told_otherwise() -> None:
    pair = ("  What\nis it?", PASSAGE + "\u200e")
    assert clean(pair).table["query_en"].to_pylist() == ["What is it?"]
    assert clean(pair).table["passage_en"].to_pylist() == [PASSAGE]
    assert clean(pair, tidy=False).table["query_en"].to_pylist() == [pair[0]]


def test_one_language_of_a_row_may_go() -> None:
    schema = schema_of(["de", "en"])
    row = ["r", "g", "Was ist das?", "kurz", "What is it?", PASSAGE]
    table = pyarrow.table([pyarrow.array([text], pyarrow.large_string()) for text in row], schema=schema)
    kept = Clean(UNTOLD)(table)
    assert kept.dropped == {"passage too short": 1}
    assert kept.table.to_pylist() == [
        {
            "id": "r",
            "group": "g",
            "query_de": None,
            "passage_de": None,
            "query_en": "What is it?",
            "passage_en": PASSAGE,
        }
    ]
    assert kept.table.schema == schema


def test_rows_without_a_pair_are_nothing() -> None:
    assert not clean((None, None)).dropped
    assert len(Clean(UNTOLD)(schema_of(["en"]).empty_table()).table) == 0


TEXTS = st.one_of(st.none(), st.text(max_size=40), st.sampled_from([PASSAGE, "What is it?", "12345 67890 a", "<p>"]))


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXTS, TEXTS).map(lambda pair: pair if None not in pair else (None, None)), min_size=1))
def test_what_goes_is_counted_and_what_is_clean_stays(pairs: list[tuple[str | None, str | None]]) -> None:
    table = shard(*pairs)
    stage = Clean(UNTOLD)
    kept = stage(table)
    assert pairs_of(kept.table)["en"] + sum(kept.dropped.values()) == pairs_of(table)["en"]
    again = pickle.loads(pickle.dumps(stage))(kept.table)
    assert again.table.equals(kept.table)
    assert not again.dropped
    halves = [stage(table.slice(0, 1)).table, stage(table.slice(1)).table]
    assert pyarrow.concat_tables(halves).equals(kept.table)


def test_a_text_in_another_language_goes_if_it_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    from mteb_hybrid.building.translation import gates

    def in_language(texts: list[str], language: str, shortest: int) -> list[bool]:
        return [len(text) < shortest or ("ß" in text) == (language == "de") for text in texts]

    monkeypatch.setattr(gates, "in_language", in_language)
    monkeypatch.setitem(sys.modules, "py3langid", SimpleNamespace())
    german = "Der Fluß fließt durch Gießen. " * 10
    table = shard(("Wo fließt der Fluß?", german), ("What is it?", PASSAGE * 10))
    kept = Clean(CleaningSettings())(table)
    assert kept.dropped == {"passage in another language": 1}
    assert kept.table["id"].to_pylist() == ["1"]
    assert not Clean(CleaningSettings(language_letters=1_000))(table).dropped


def test_real_languages_are_told() -> None:
    pytest.importorskip("py3langid")
    english = "The river rises in the hills of the south, and flows through four towns before it meets the sea there."
    german = (
        "Der Fluss entspringt in den Bergen im Süden und fließt durch vier Städte, bevor er dort das Meer erreicht."
    )
    table = shard(("Where does it rise?", english), ("Where does it rise?", german), ("Wo?", "Ein kurzer Satz."))
    kept = Clean(CleaningSettings(language_letters=60))(table)
    assert kept.table["id"].to_pylist() == ["0", "2"]


def test_the_identifier_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(HybridError, match=r"cleaning\.language needs py3langid: pip install 'mteb-hybrid\[langid\]'"):
        Clean(CleaningSettings())


def test_lengths_must_leave_something() -> None:
    with pytest.raises(ValidationError, match="query_longest 2 is below query_shortest 3"):
        CleaningSettings(query_longest=2)
