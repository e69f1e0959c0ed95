"""The settings: names and numbers of subsets, and the layout of a collection for mteb."""

from __future__ import annotations

from typing import Any

import pytest

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.evaluation.settings import Setting, Subset, answerable, build_splits

XQUAD = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")

# Group g1 is answered in all three languages, in en twice; g2 in de and en; g3 nowhere; fr asks nothing of g2.
COLLECTION = ParallelCollection(
    "Three",
    {
        "de": TextTable(("1", "2", "3"), ("Wer?", "Was?", "Wo?"), (("g1",), ("g2",), ("g3",))),
        "en": TextTable(("1", "2"), ("Who?", "What?"), (("g1",), ("g2",))),
        "fr": TextTable(("1",), ("Qui ?",), (("g1",),)),
    },
    {
        "de": TextTable(("d1", "d2"), ("Sie.", "Das."), (("g1",), ("g2",))),
        "en": TextTable(("e1", "e2", "e3"), ("She.", "She again, and it.", "Noise."), (("g1",), ("g1", "g2"), ())),
        "fr": TextTable(("f1",), ("Elle.",), (("g1",),)),
    },
)


def splits(setting: Setting) -> dict[str, dict[str, Any]]:
    laid_out = build_splits(COLLECTION, setting.subsets(COLLECTION.languages), "test")
    assert all(list(split) == ["test"] for split in laid_out.values())
    return {name: split["test"] for name, split in laid_out.items()}


@pytest.mark.parametrize(
    ("setting", "eleven", "seven"),
    [(Setting.MONOLINGUAL, 11, 7), (Setting.CROSS_LINGUAL, 110, 42), (Setting.MULTILINGUAL, 11, 7)],
)
def test_numbers_of_subsets(setting: Setting, eleven: int, seven: int) -> None:
    assert len(setting.subsets(XQUAD)) == eleven
    assert len(setting.subsets(XQUAD[:7])) == seven


def test_names_of_subsets() -> None:
    de, en = ("de",), ("en",)
    assert Setting.MONOLINGUAL.subsets(("de", "en")) == {"de-de": Subset("de", de), "en-en": Subset("en", en)}
    assert Setting.CROSS_LINGUAL.subsets(("de", "en")) == {"de-en": Subset("de", en), "en-de": Subset("en", de)}
    both = ("de", "en")
    assert Setting.MULTILINGUAL.subsets(both) == {"de-all": Subset("de", both), "en-all": Subset("en", both)}


@pytest.mark.parametrize("setting", Setting)
def test_a_name_has_one_hyphen_whatever_the_language_tags(setting: Setting) -> None:
    subsets = setting.subsets(("zh-Hant-TW", "pt-BR"))
    assert all(name.count("-") == 1 for name in subsets)
    assert {subset.query_language for subset in subsets.values()} == {"zh-Hant-TW", "pt-BR"}
    expected = {
        Setting.MONOLINGUAL: ["zh_Hant_TW-zh_Hant_TW", "pt_BR-pt_BR"],
        Setting.CROSS_LINGUAL: ["zh_Hant_TW-pt_BR", "pt_BR-zh_Hant_TW"],
        Setting.MULTILINGUAL: ["zh_Hant_TW-all", "pt_BR-all"],
    }
    assert list(subsets) == expected[setting]


def test_one_language_has_no_cross_lingual_subset() -> None:
    assert Setting.CROSS_LINGUAL.subsets(("de",)) == {}


@pytest.mark.parametrize(
    ("setting", "subset", "qrels"),
    [
        (Setting.MONOLINGUAL, "en-en", {"1": {"e1": 1, "e2": 1}, "2": {"e2": 1}}),
        (Setting.MONOLINGUAL, "de-de", {"1": {"d1": 1}, "2": {"d2": 1}}),
        (Setting.CROSS_LINGUAL, "de-en", {"1": {"e1": 1, "e2": 1}, "2": {"e2": 1}}),
        (Setting.CROSS_LINGUAL, "de-fr", {"1": {"f1": 1}}),
        (Setting.CROSS_LINGUAL, "fr-de", {"1": {"d1": 1}}),
        (
            Setting.MULTILINGUAL,
            "de-all",
            {"1": {"d1": 1, "e1": 1, "e2": 1, "f1": 1}, "2": {"d2": 1, "e2": 1}},
        ),
        (Setting.MULTILINGUAL, "fr-all", {"1": {"d1": 1, "e1": 1, "e2": 1, "f1": 1}}),
    ],
)
def test_relevant_passages_and_the_queries_that_have_one(
    setting: Setting, subset: str, qrels: dict[str, dict[str, int]]
) -> None:
    split = splits(setting)[subset]
    assert split["relevant_docs"] == qrels
    language = COLLECTION.queries[subset.partition("-")[0]]
    texts = dict(zip(language.ids, language.texts, strict=True))
    assert split["queries"].to_list() == [{"id": id_, "text": texts[id_]} for id_ in qrels]
    assert split["top_ranked"] is None


def test_the_corpus_holds_every_passage_of_its_languages() -> None:
    english = {"id": ["e1", "e2", "e3"], "text": ["She.", "She again, and it.", "Noise."]}
    assert splits(Setting.CROSS_LINGUAL)["de-en"]["corpus"].to_dict() == english
    assert splits(Setting.MULTILINGUAL)["fr-all"]["corpus"]["id"][:] == ["d1", "d2", "e1", "e2", "e3", "f1"]


def test_subsets_share_corpora_and_whole_query_sets() -> None:
    cross = splits(Setting.CROSS_LINGUAL)
    assert cross["de-en"]["corpus"] is cross["fr-en"]["corpus"]
    assert cross["de-en"]["corpus"] is not cross["de-fr"]["corpus"]
    assert cross["fr-de"]["queries"] is cross["fr-en"]["queries"]
    assert len({id(split["corpus"]) for split in splits(Setting.MULTILINGUAL).values()}) == 1


def test_layout_of_the_subsets_asked_for_alone() -> None:
    subsets = {"de-all": Setting.MULTILINGUAL.subsets(COLLECTION.languages)["de-all"]}
    laid_out = build_splits(COLLECTION, subsets, "dev")
    assert list(laid_out) == ["de-all"]
    assert list(laid_out["de-all"]) == ["dev"]
    assert set(laid_out["de-all"]["dev"]) == {"queries", "corpus", "relevant_docs", "top_ranked"}


def test_answerable_if_any_query_has_a_relevant_passage() -> None:
    assert answerable(COLLECTION, Subset("fr", ("de",)))
    none = TextTable(("x1",), ("Nothing.",), ((),))
    without = ParallelCollection("None", COLLECTION.queries, {**COLLECTION.passages, "fr": none})
    assert not answerable(without, Subset("de", ("fr",)))
    assert answerable(without, Subset("de", ("fr", "en")))
