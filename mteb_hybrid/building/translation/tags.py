"""The language tags of this package (BCP 47) against the codes by which translation models name languages."""

from __future__ import annotations

import re
from collections.abc import Iterable

import langcodes
from langcodes.data_dicts import MACROLANGUAGES

from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError

_ODD = {"ns": "nso"}  # M2M-100's name for Northern Sotho is no language tag
_TAG = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")


def same_language(tag: str, other: str) -> bool:
    """Whether two tags are one language in one script, such as ``de`` and ``deu-Latn``."""
    return language_and_script(tag) == language_and_script(other)


def code_for(tag: str, codes: Iterable[str]) -> str | None:
    """Find a model's code for a language.

    Args:
        tag: a BCP 47 tag, such as ``de`` or ``zh-Hant``.
        codes: those of the model, such as ``deu_Latn``, ``de``, ``de_DE`` or ``cmn_Hans``; what is no code of a
            language is passed over.

    Returns:
        The code of the same language and script; None if there is none. A macrolanguage stands for its predominant
        member (CLDR: ``ar`` is ``arb``), or for the only member that the model has.
    """
    usable = {code: own for code in codes if (own := _tag(code))}
    language, _, script = language_and_script(tag).partition("-")
    alike = {code: own for code, own in usable.items() if language_and_script(own).partition("-")[2] == script}
    near = {code: langcodes.tag_distance(tag, own) for code, own in alike.items()}
    same = {code for code, own in alike.items() if language_and_script(own).partition("-")[0] == language}
    close = [code for code, distance in near.items() if distance <= 1 or code in same]
    if close:
        own = langcodes.standardize_tag(tag)
        return min(
            close,
            key=lambda code: (near[code], code not in same, langcodes.standardize_tag(alike[code]) != own, code),
        )
    members = [code for code, own in alike.items() if macrolanguage(own) == _primary(tag)]
    return members[0] if len(members) == 1 else None


def nearest_code(tag: str, codes: Iterable[str]) -> str | None:
    """The model's code of the language most alike, by CLDR's distance; None if none is of any language."""
    distances = {code: langcodes.tag_distance(tag, own) for code in codes if (own := _tag(code))}
    return min(distances, key=lambda code: (distances[code], code)) if distances else None


def macrolanguage(tag: str) -> str:
    """The macrolanguage (ISO 639-3) of a tag's language, such as ``zh`` of ``wuu``; the language if it has none."""
    return str(MACROLANGUAGES.get(_primary(tag), _primary(tag)))


def _tag(code: str) -> str:
    """A model's code as a tag; empty if it is none."""
    if not _TAG.fullmatch(code):
        return ""
    tag = _ODD.get(code, code.replace("_", "-"))
    tag = tag.removesuffix("-XX").replace("-Hang", "-Kore")  # mBART's for no country; NLLB's for Korean
    try:
        language_and_script(tag)
    except HybridError:
        return ""
    return tag


def _primary(tag: str) -> str:
    return langcodes.standardize_tag(tag).partition("-")[0]
