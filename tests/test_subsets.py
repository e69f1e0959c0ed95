"""The settings: numbers and names of their subsets, and what the names hold."""

from __future__ import annotations

import pytest

from mteb_hybrid.subsets import Setting, Subset, split_task_name

XQUAD = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


@pytest.mark.parametrize(
    ("setting", "eleven", "seven"),
    [
        (Setting.MONOLINGUAL, 11, 7),
        (Setting.CROSS_LINGUAL, 110, 42),
        (Setting.MULTILINGUAL, 11, 7),
        (Setting.LANGUAGE_BIAS, 11, 7),
    ],
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
        Setting.LANGUAGE_BIAS: ["zh_Hant_TW-all", "pt_BR-all"],
    }
    assert list(subsets) == expected[setting]
    assert all(setting.languages_of(name)[0] == subset.query_language for name, subset in subsets.items())


def test_one_language_has_no_cross_lingual_subset() -> None:
    assert Setting.CROSS_LINGUAL.subsets(("de",)) == {}


@pytest.mark.parametrize(
    ("task", "split"),
    [
        ("XQuADRMonolingual", ("XQuADR", Setting.MONOLINGUAL)),
        ("my-own_CrossLingual", ("my-own_", Setting.CROSS_LINGUAL)),
        ("MLQARLanguageBias", ("MLQAR", Setting.LANGUAGE_BIAS)),
        ("Multilingual", None),
        ("XQuADR", None),
    ],
)
def test_task_names(task: str, split: tuple[str, Setting] | None) -> None:
    assert split_task_name(task) == split


@pytest.mark.parametrize(
    ("setting", "subset", "languages"),
    [
        (Setting.MONOLINGUAL, "de-de", ("de",)),
        (Setting.MONOLINGUAL, "zh_Hant-zh_Hant", ("zh-Hant",)),
        (Setting.MONOLINGUAL, "de-en", ()),
        (Setting.MONOLINGUAL, "-", ()),
        (Setting.MULTILINGUAL, "de-all", ("de",)),
        (Setting.MULTILINGUAL, "zh_Hant-all", ("zh-Hant",)),
        (Setting.MULTILINGUAL, "de", ()),
        (Setting.MULTILINGUAL, "-all", ()),
        (Setting.LANGUAGE_BIAS, "de-all", ("de",)),
        (Setting.CROSS_LINGUAL, "ar-de", ("ar", "de")),
        (Setting.CROSS_LINGUAL, "zh_Hant-zh_Hans", ("zh-Hant", "zh-Hans")),
        (Setting.CROSS_LINGUAL, "en-all", ("en", "all")),  # Allar is a language
        (Setting.CROSS_LINGUAL, "de-de", ()),
        (Setting.CROSS_LINGUAL, "de-en-US", ()),
        (Setting.CROSS_LINGUAL, "de", ()),
        (Setting.CROSS_LINGUAL, "de-", ()),
    ],
)
def test_subset_names(setting: Setting, subset: str, languages: tuple[str, ...]) -> None:
    assert setting.languages_of(subset) == languages
