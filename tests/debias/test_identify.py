"""The language of a text where nobody says it: by an identifier made for these tests, and by the real one."""

from __future__ import annotations

import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from mteb_hybrid.debias.identify import identify_languages
from mteb_hybrid.errors import HybridError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """An identifier that takes the first word of a text for its language; the texts it was asked about."""
    texts: Counter[str] = Counter()

    def classify(text: str) -> tuple[str, float]:
        texts[text] += 1
        return text.split(maxsplit=1)[0], -1.0

    monkeypatch.setitem(sys.modules, "py3langid", SimpleNamespace(classify=classify))
    return texts


def test_each_distinct_text_is_looked_at_once(asked: Counter[str]) -> None:
    assert identify_languages(["de a", "fr b", "de a", "de c"]) == ["de", "fr", "de", "de"]
    assert asked == Counter(["de a", "fr b", "de c"])


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "zh"),
        (["zh"], "zh"),
        (["zh-Hant", "de"], "zh-Hant"),
        (["zho-Hans", "deu-Latn"], "zho-Hans"),
        (["zh", "zh-Hant"], "zh"),
        (["zh-Hans", "zh-Hant"], "zh"),
    ],
)
def test_the_answer_is_the_one_known_tag_of_the_language(known: list[str], expected: str, asked: Counter[str]) -> None:
    assert identify_languages(["zh x"], known) == [expected]


def test_a_text_without_letters_is_in_no_language(asked: Counter[str]) -> None:
    assert identify_languages(["", " 3.14 %", "🙂"], ["de"]) == ["und", "und", "und"]
    assert not asked


def test_without_the_identifier_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(HybridError, match=r"pip install 'mteb-hybrid\[langid\]'"):
        identify_languages(["x"])


def test_the_real_identifier() -> None:
    pytest.importorskip("py3langid")
    texts = ["Wer baute die Brücke über den Fluss?", "Who built the bridge over the river?", "Кто построил мост?"]
    assert identify_languages(texts) == ["de", "en", "ru"]
