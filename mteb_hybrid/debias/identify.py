"""The language of a text where nobody says it, by py3langid: 139 languages, its model of 5 MB inside, no pickle."""

from __future__ import annotations

from collections.abc import Iterable

from mteb_hybrid.debias.debiasing import meaning_of
from mteb_hybrid.errors import HybridError

UNKNOWN = "und"
"""The tag of a text that is in no language, such as a number (BCP 47: undetermined)."""


def identify_languages(texts: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Identify the language of each text; each distinct one once.

    Args:
        texts: the texts.
        known: tags to answer with. The identifier tells languages and no scripts: it says ``zh``, and that is
            ``zh-Hant`` if this is the one Chinese among them.

    Returns:
        A tag for each text; ``und`` for one without a letter.

    Raises:
        HybridError: the identifier is not installed.
    """
    try:
        from py3langid import classify
    except ImportError:
        raise HybridError(
            "the task does not say what languages its texts are in, and telling them needs py3langid: "
            "pip install 'mteb-hybrid[langid]'"
        ) from None
    answers = _answers(known)
    found: dict[str, str] = {}
    tags = []
    for text in texts:
        if text not in found:
            language = str(classify(text)[0]) if any(map(str.isalpha, text)) else UNKNOWN
            found[text] = answers.get(_language(language), language)
        tags.append(found[text])
    return tags


def _answers(known: Iterable[str]) -> dict[str, str]:
    """The one tag of each language; of a language with several the script cannot be told, so the plain tag it is."""
    by_language: dict[str, list[str]] = {}
    for tag in known:
        by_language.setdefault(_language(tag), []).append(tag)
    return {language: tags[0] for language, tags in by_language.items() if len(tags) == 1}


def _language(tag: str) -> str:
    return meaning_of(tag).partition("-")[0]
