import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.building.translation.gates import (
    COPIED,
    EMPTY,
    LANGUAGE,
    LENGTH,
    REPEATED,
    failed_gates,
    has_loop,
    in_language,
    is_copied,
    length_ratio,
    letters,
)
from mteb_hybrid.building.translation.settings import GateSettings

TEXT = "The river flows through the old city and reaches the sea after many days of travel."
GOOD = {
    "de": "Der Fluss fließt durch die alte Stadt und erreicht nach vielen Tagen der Reise das Meer.",
    "ar": "يتدفق النهر عبر المدينة القديمة ويصل إلى البحر بعد أيام عديدة من السفر.",
    "th": "แม่น้ำไหลผ่านเมืองเก่าและไปถึงทะเลหลังจากเดินทางหลายวัน",
    "zh": "这条河流经古老的城市，经过许多天的旅程后到达大海。",
}
GERMAN, CHINESE = GOOD["de"], GOOD["zh"]


@pytest.mark.parametrize("language", GOOD)
def test_a_good_translation_passes_all_gates(language: str) -> None:
    pytest.importorskip("py3langid")
    assert failed_gates([TEXT], [GOOD[language]], language, GateSettings()) == [None]


@pytest.mark.parametrize("language", GOOD)
def test_each_fault_has_its_reason(language: str) -> None:
    pytest.importorskip("py3langid")
    good = GOOD[language]
    other = GERMAN if language != "de" else "La rivière traverse la vieille ville et rejoint la mer après des jours."
    faulty = {
        " ": EMPTY,
        TEXT.upper().replace(" ", ", "): COPIED,
        good[: len(good) // 2] + good[-12:] * 4: REPEATED,
        good[: len(good) // 5]: LENGTH,
        good + f" {good[::-1]} {good[::2]} {good[1::2]}" * 2: LENGTH,
        other: LANGUAGE,
    }
    assert failed_gates([TEXT] * len(faulty), list(faulty), language, GateSettings()) == list(faulty.values())


def test_gates_can_be_turned_off() -> None:
    off = GateSettings(language=False, shortest=None, longest=None, copied=None, repeats=None)
    assert failed_gates([TEXT] * 3, [TEXT, "ja " * 99, "a"], "de", off) == [None] * 3
    assert failed_gates([TEXT], [""], "de", off) == [EMPTY]  # an empty one is none, whatever the settings


def test_scripts_are_measured_by_one_length() -> None:
    assert letters("abc") == 3
    assert letters("河流") == 5
    assert letters("น้ำ") == 2  # the tone mark is none
    assert all(0.6 < length_ratio(TEXT, good) < 1.2 for good in GOOD.values())
    assert len(CHINESE) / len(TEXT) < 0.4  # by characters it would be too short


def test_short_texts_may_differ_more() -> None:
    assert failed_gates(["Who?"], ["Wer war das?"], "de", GateSettings(language=False)) == [None]


@given(st.text(), st.text())
def test_the_ratio_of_two_texts_is_turned_when_they_are(first: str, second: str) -> None:
    assert length_ratio(first, second) * length_ratio(second, first) == pytest.approx(1)
    assert length_ratio(first, first) == 1


def test_names_are_no_copies() -> None:
    assert not is_copied("Johann Sebastian Bach", "Johann Sebastian Bach")
    assert not is_copied("Barack Obama in New York", "Barack Obama in New York")
    assert is_copied("Johann Sebastian Bach was born", "johann Sebastian Bach (WAS born)")
    assert not is_copied("Angela Merkel met Emmanuel Macron in Paris", "Angela Merkel traf Emmanuel Macron in Paris")
    assert not is_copied("1 2 3 4 5", "1 2 3 4 5")  # numbers are not translated


@pytest.mark.parametrize("unit", ["der Fluss ", "河流经过", "النهر ", "แม่น้ำ", "a1 "])
def test_a_loop_is_found_in_every_script(unit: str) -> None:
    assert has_loop(f"Text {unit * 12}Ende")
    assert not has_loop(f"Text {unit * 3}Ende")


def test_what_is_no_loop() -> None:
    assert not has_loop("...................... 1000000000000000000000 ------------")  # no letter
    assert not has_loop("ha ha ha ha")  # too short
    song = "na na na na na na na na, goodbye"
    assert has_loop(song)
    assert failed_gates(
        [song], ["na na na na na na na na, tschüss"], "de", GateSettings(language=False, copied=None)
    ) == [None]  # as the text has one


@given(st.text(alphabet="ab ก河", max_size=30))
def test_a_loop_is_what_repeats(text: str) -> None:
    repeated = any(
        text.find(unit * 4) >= 0 and any(map(str.isalpha, unit)) and letters(unit) * _in_a_row(text, unit) >= 16
        for start in range(len(text))
        for unit in (text[start:end] for end in range(start + 1, len(text) + 1))
    )
    assert has_loop(text) == repeated


def _in_a_row(text: str, unit: str) -> int:
    return max(count for count in range(len(text) + 1) if unit * count in text)


def test_languages_are_told_by_what_they_share() -> None:
    pytest.importorskip("py3langid")
    assert in_language([CHINESE], "zh-Hant") == [True]  # languages are told, and no scripts
    assert in_language([GOOD["ar"]], "arb") == [True]
    assert in_language([GERMAN], "nld") == [False]
    assert in_language(["Guten Tag"], "fr") == [True]  # too short to tell
    assert in_language(["1234567890 " * 9], "fr") == [True]  # no letters
    assert in_language([GERMAN], "kbp") == [True]  # not known to the identifier
