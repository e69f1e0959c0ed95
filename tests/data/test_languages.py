"""Language tags as users write them, in the form that mteb wants."""

from __future__ import annotations

import pytest
from mteb.languages import check_language_code

from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.lareqa import XQUAD_R
from mteb_hybrid.errors import HybridError

EXPECTED = {
    "de": "deu-Latn",
    "deu": "deu-Latn",
    "DE": "deu-Latn",
    "deu-Latn": "deu-Latn",
    "de-AT": "deu-Latn",
    "de_DE": "deu-Latn",
    "zh": "zho-Hans",
    "zh-Hant": "zho-Hant",
    "zh-TW": "zho-Hant",
    "sr": "srp-Cyrl",
    "sr-Latn": "srp-Latn",
    "hi-Latn": "hin-Latn",
    "ar": "ara-Arab",
    "iw": "heb-Hebr",
}


@pytest.mark.parametrize(("tag", "expected"), EXPECTED.items())
def test_tags(tag: str, expected: str) -> None:
    assert langscript(tag) == expected


@pytest.mark.parametrize("tag", XQUAD_R.checksums)
def test_mteb_knows_the_languages_of_the_tasks(tag: str) -> None:
    check_language_code(langscript(tag))


@pytest.mark.parametrize(
    "tag", ["", " ", "german", "zz", "xyz", "de-", "d", " de", "de\n", "e\nn", "x-foo", "Zyyy", "日本語", "a" * 300]
)
def test_unknown_tags_are_told_in_one_short_line(tag: str) -> None:
    with pytest.raises(HybridError, match=r"unknown language tag .* use a BCP 47 tag") as caught:
        langscript(tag)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("tag", ["qaa", "afa", "zhx"])
def test_a_tag_that_mteb_would_refuse_is_refused_here(tag: str) -> None:
    """Private use and families of languages: the metadata of a task cannot hold them."""
    with pytest.raises(HybridError, match=tag):
        langscript(tag)
