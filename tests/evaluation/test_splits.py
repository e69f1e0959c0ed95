"""The layout of a collection for mteb."""

from __future__ import annotations

from typing import Any

import pytest

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.evaluation.splits import answerable, build_splits
from mteb_hybrid.subsets import Setting, Subset

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
