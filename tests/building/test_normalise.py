"""How texts are normalised, for comparing and for writing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.building.normalise import comparable, tidy, words

# characters that meet in strange ways: joiners, marks, bases they compose with, spaces, tags, compatibility forms
AWKWARD = "aeI'_-. \t\n\u0301\u0345\u034f\u200b\u200c\u200d\u200e\u00ad\u1fef\u00b4\u0e01\u0e33\u0e49\u0915\u094d\u0645"
TEXTS = st.text(
    st.one_of(st.sampled_from(AWKWARD + "İßΣς½ﬁｶﾞ한\u1100\u1161👩\ufe0f\U0001f3f4\U000e0067\U000e007f"), st.characters())
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("The  U.S., in 1990!", "the u s in 1990"),
        ("Don't – don’t", "dont dont"),
        ("well-kept_name", "well kept name"),
        ("STRASSE Straße", "strasse strasse"),
        ("ﬁnal ＡＢＣ ½", "final abc 1 2"),
        ("cafe\u0301", "café"),
        ("in\u00advisi\u200bble", "invisible"),
        ("كتـــاب", "كتاب"),
        ("¿Qué?", "qué"),
        ("สวัสดี, ครับ", "สวัสดี ครับ"),
        ("it´s", "its"),
        ("\u0301 lone \u0301mark", "lone mark"),
        ("👍 +", ""),
        ("", ""),
    ],
)
def test_the_comparable_form(text: str, form: str) -> None:
    assert comparable(text) == form


def test_accents_and_marks_tell_texts_apart() -> None:
    assert comparable("año") != comparable("ano")
    assert comparable("कि") != comparable("का")


@given(TEXTS)
def test_a_comparable_form_is_its_own(text: str) -> None:
    form = comparable(text)
    assert comparable(form) == form
    assert all(unicodedata.category(c)[0] in "LMN" or c == " " for c in form)


@given(TEXTS)
def test_what_is_tidy_stays_and_compares_the_same(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert comparable(tidy(text)) == comparable(text)


def test_every_character_alone() -> None:
    codes = [
        *range(0x3400),
        *range(0xA000, 0xAC00),
        *range(0xF900, 0x20000),
        *range(0xE0000, 0xE0200),
    ]  # no Han, Hangul
    texts = [chr(code) for code in codes if unicodedata.category(chr(code)) != "Cn"]
    forms = [comparable(text) for text in texts]
    assert [comparable(form) for form in forms] == forms
    assert [tidy(tidy(text)) for text in texts] == [tidy(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Who won, in 1990?", ["who", "won", "in", "1990"]),
        ("北京2008年", ["北", "京", "2008", "年"]),
        ("カタカナとひらがな", list("カタカナとひらがな")),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("ສະບາຍ", ["ສະ", "ບ", "າ", "ຍ"] if unicodedata.category("ະ")[0] == "M" else ["ສ", "ະ", "ບ", "າ", "ຍ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("iPhoneใหม่", ["iphone", "ใ", "ห", "ม่"]),
        ("…", []),
    ],
)
def test_words_in_any_script(text: str, tokens: list[str]) -> None:
    assert words(text) == tokens


@given(TEXTS)
def test_words_lose_nothing_but_spaces(text: str) -> None:
    assert "".join(words(text)) == comparable(text).replace(" ", "")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("  two\n\tlines\u00a0 here\u3000", "two lines here"),
        ("\ufeffa\x00b\x1f c\u00adc\u202ed\u2066e\u2069", "ab ccde"),
        ("cafe\u0301", "café"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a Persian verb
        ("کتاب\u200c و", "کتاب و"),
        ("അവന്\u200d പറഞ്ഞു", "അവന്\u200d പറഞ്ഞു"),  # a Malayalam chillu at the end of a word
        ("👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤\ufe0f"),
        ("a\u200db\u200cc\u200bd", "abcd"),
        ("ខ្ញុំ\u200bទៅ", "ខ្ញុំ\u200bទៅ"),
        ("می\u200c\u200c\u200dخواهم", "می\u200cخواهم"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f a\U000e0067", "\U0001f3f4\U000e0067\U000e0062\U000e007f a"),
        ("Ünïcode “quotes” – ½ ﬁ", "Ünïcode “quotes” – ½ ﬁ"),
        ("\u200e\u200b\n", ""),
    ],
)
def test_what_is_written(text: str, written: str) -> None:
    assert tidy(text) == written
