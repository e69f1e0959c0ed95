"""Language tags: what users write (``de``, ``deu``, ``zh-Hant``) against what mteb wants (``deu-Latn``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import langcodes

from mteb_hybrid.errors import HybridError, one_line

_ISO_639_3 = re.compile(r"[A-Za-z]{3}(?![A-Za-z])")


@lru_cache(maxsize=1024)
def langscript(tag: str) -> str:
    """Return the form of a language tag that mteb's metadata uses, such as ``deu-Latn``.

    Args:
        tag: as for ``language_and_script``.

    Raises:
        HybridError: the tag is not a language tag, or mteb does not know its language or script.
    """
    from mteb.languages import check_language_code

    code = language_and_script(tag)
    own = f"{tag[:3].lower()}{code[3:]}"  # langcodes calls Tagalog (tgl) Filipino (fil); whoever asks for tgl means tgl
    if _ISO_639_3.match(tag) and _knows(check_language_code, own):
        return own
    try:
        check_language_code(code)
    except ValueError:
        raise HybridError(
            f"language tag {tag!r} is not one that mteb knows ({code}): name a language and its script"
        ) from None
    return code


def _knows(check: Callable[[str], object], code: str) -> bool:
    try:
        check(code)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def language_and_script(tag: str) -> str:
    """Return the ISO 639-3 language and ISO 15924 script of a BCP 47 language tag.

    Args:
        tag: a BCP 47 tag, such as ``de``, ``deu``, ``zh-Hant`` or ``deu-Latn``. A script that
            is not named is the language's likely one (CLDR).

    Returns:
        Both, as in ``deu-Latn``.

    Raises:
        HybridError: the tag is not a language tag, or its script is not known.
    """
    try:
        language = langcodes.Language.get(tag)
        if not language.is_valid():
            raise LookupError(tag)
        code, script = language.to_alpha3(), language.maximize().script
    except (LookupError, ValueError):
        raise HybridError(
            f"unknown language tag {one_line(tag, 40)!r}: use a BCP 47 tag, such as de, deu, zh-Hant or deu-Latn"
        ) from None
    if not script:
        raise HybridError(f"language tag {tag!r} needs a script, such as {tag}-Latn")
    return f"{code}-{script}"
