"""Gates: each a small function that says whether a translation is at fault. Limits are ``GateSettings``' own."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from mteb_hybrid.building.translation.settings import GateSettings
from mteb_hybrid.building.translation.tags import macrolanguage
from mteb_hybrid.debias.identify import UNKNOWN, identify_languages
from mteb_hybrid.errors import HybridError

EMPTY = "empty translation"
LANGUAGE = "translation in another language"
LENGTH = "translation too long or too short"
COPIED = "translation copies the text"
REPEATED = "translation repeats itself"

_WORD = re.compile(r"[^\W\d_]+")
_UNIT = 80  # characters of what is repeated, at most
_LOOP = 16  # letters that a loop has, at least: a laugh may be shorter


def failed_gates(
    texts: Sequence[str], translations: Sequence[str], language: str, settings: GateSettings
) -> list[str | None]:
    """Put translations through all gates that need no model.

    Args:
        texts: the texts.
        translations: of each text.
        language: the tag of their language.
        settings: the limits.

    Returns:
        For each translation why it fails, by the first gate that it fails; None if it passes.
    """
    faults = [_fault(text, translation, settings) for text, translation in zip(texts, translations, strict=True)]
    if settings.language:
        passed = [number for number, fault in enumerate(faults) if fault is None]
        outcome = in_language([translations[number] for number in passed], language, settings.language_letters)
        for number, right in zip(passed, outcome, strict=True):
            faults[number] = None if right else LANGUAGE
    return faults


def _fault(text: str, translation: str, settings: GateSettings) -> str | None:
    if not translation.strip():
        return EMPTY
    if settings.copied is not None and is_copied(text, translation, settings.copied):
        return COPIED
    if (
        settings.repeats is not None
        and has_loop(translation, settings.repeats)
        and not has_loop(text, settings.repeats)
    ):
        return REPEATED
    ratio = length_ratio(text, translation)
    below = settings.shortest is not None and ratio < settings.shortest
    return LENGTH if below or (settings.longest is not None and ratio > settings.longest) else None


def letters(text: str) -> float:
    """The length of a text in letters that scripts have in common.

    A wide character (Unicode Standard Annex #11: Chinese, Japanese, Korean) says as much as 2.5 others, so that the
    median of XQuAD-R's Chinese is 0.75 of the English; marks above and below letters, as of Hindi and Thai, are none.
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.category(character) == "Mn" for character in text)
    return len(text) + 1.5 * wide - marks


def length_ratio(text: str, translation: str) -> float:
    """The length of a translation against its text's, in ``letters``; 10 are added to both: short ones vary."""
    return (letters(translation) + 10) / (letters(text) + 10)


def is_copied(text: str, translation: str, share: float = 0.8) -> bool:
    """Whether a translation has most of the words of its text, whatever their order, casing and punctuation.

    Names stay as they are in many languages: words that begin with a capital letter do not count, and a text of names
    alone is never copied.

    Args:
        text: the text.
        translation: its translation; one of fewer than four words is too short to tell.
        share: of the words of the text that count.
    """
    words = Counter(_WORD.findall(translation.casefold()))
    own = Counter(word.casefold() for word in _WORD.findall(text) if not word[0].isupper())
    return words.total() >= 4 and own.total() >= 2 and (words & own).total() >= share * own.total()


def has_loop(text: str, repeats: int = 4) -> bool:
    """Whether a text has a group of up to 80 characters, a letter among them, so often in a row; 16 letters in all."""
    loops = re.finditer(rf"(?=(.{{1,{_UNIT}}}?)\1{{{repeats - 1},}})", text, re.DOTALL)
    for loop in loops:
        unit = loop[1]
        count = repeats
        while text.startswith(unit, loop.start() + count * len(unit)):
            count += 1
        if any(map(str.isalpha, unit)) and letters(unit) * count >= _LOOP:
            return True
    return False


def in_language(translations: Iterable[str], language: str, shortest: int = 40) -> list[bool]:
    """Whether each text is in a language, as py3langid tells.

    Dialects count as their macrolanguage: it tells Egyptian from Arabic, and Wu from Chinese, which short texts do not
    bear. Texts that are too short to tell pass, and all where the identifier does not know the language.

    Args:
        translations: the texts.
        language: the tag.
        shortest: how many letters (``letters``) are needed to tell.
    """
    texts = list(translations)
    wanted = macrolanguage(language)
    if wanted not in _known():
        return [True] * len(texts)
    told = [text for text in texts if letters("".join(filter(str.isalpha, text))) >= shortest]
    found = dict(zip(told, identify_languages(told), strict=True))
    return [text not in found or found[text] == UNKNOWN or macrolanguage(found[text]) == wanted for text in texts]


def check_identifier() -> None:
    """Raise a HybridError if py3langid is not installed."""
    try:
        import py3langid  # noqa: F401
    except ImportError:
        raise HybridError(
            "translation.gates.language needs py3langid: pip install 'mteb-hybrid[langid]', or set it to false"
        ) from None


@cache
def _known() -> frozenset[str]:
    from py3langid import rank

    return frozenset(macrolanguage(str(label)) for label, _ in rank(""))
