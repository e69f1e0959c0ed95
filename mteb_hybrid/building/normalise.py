"""Text normalisation: what of a text is written into a corpus, and what of it counts when texts are compared.

``tidy`` is careful, because models are trained on what it returns. ``comparable`` throws away whatever may differ
between two copies of one text; nobody reads it. Either changes nothing when it is applied again.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_UNSPACED = (
    "\u0e00-\u0e3e\u0e40-\u0e7f"  # Thai, not the baht sign
    "\u0e80-\u0eff"  # Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf"  # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016fe0-\U00016fff\U00020000-\U0003ffff"
    "\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Hiragana and Katakana
    "\u3100-\u312f\u31a0-\u31bf"  # Bopomofo
)
"""Blocks of scripts that put no space between words, as the inside of a class of ``re``. (Hangul has spaces.)"""

_TAGS = "\U000e0020-\U000e007f"

# ---- comparing

_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
"""Control characters that are no white space."""
_APOSTROPHES = "'`´‘’‛ʹʻʼʽˈ＇"
_IGNORED = (
    # what Unicode calls Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the rest of the format characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
    "\u0640"  # the Arabic tatweel only stretches a word
)
_LEFT_OUT = re.compile(f"[{_CONTROLS}{_APOSTROPHES}{_IGNORED}]+")
_ASCII_GAPS = {code: None if _LEFT_OUT.match(chr(code)) else " " for code in range(128) if not chr(code).isalnum()}


def comparable(text: str) -> str:
    """Return what two texts must share to be the same text, however they are written.

    Compatibility forms are unified (NFKC) and case folded. Of the characters stay letters, digits and combining marks
    on them. Apostrophes, control characters and all that does not show go without a trace (``don't`` becomes ``dont``);
    other punctuation and symbols are spaces (``well-kept`` becomes ``well kept``). Runs of spaces
    are one, with none at the ends. Accents stay: in many languages they tell words apart.

    A text of symbols alone becomes the empty text, and the sign of ``C++`` or ``-5`` is lost: who compares short texts
    must compare something else beside them.
    """
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII_GAPS).split())
    text = _LEFT_OUT.sub("", unicodedata.normalize("NFKC", _LEFT_OUT.sub("", text)))
    text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(_runs().findall(text.replace("_", " ")))


@cache
def _runs() -> re.Pattern[str]:
    """Letters, digits and the marks on them, as long as they go; underscores are let through."""
    return re.compile(rf"\w[\w{_class_of('M')}]*")


def _class_of(category: str) -> str:
    """All characters of a general category of Unicode, as the inside of a class of ``re``."""
    codes = [code for code in range(0x110000) if unicodedata.category(chr(code))[0] == category]
    starts = [code for code, before in zip(codes, [-1, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -1], strict=True) if code + 1 != after]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


def words(text: str) -> list[str]:
    """Return the words of the comparable form of a text, in any script.

    Where a script puts no space between words (Thai, Lao, Khmer, Burmese, Chinese, Japanese) each character is a word,
    together with the marks on it.
    """
    return words_of(comparable(text))


def words_of(form: str) -> list[str]:
    """Return the words of a text whose comparable form is known: see ``words``."""
    return form.split() if form.isascii() else _words().findall(form)


@cache
def _words() -> re.Pattern[str]:
    marks = _class_of("M")
    return re.compile(rf"[{_UNSPACED}][{marks}]*|[^\s{_UNSPACED}]+")


# ---- writing

_JUNK = re.compile(
    "(\U0001f3f4[" + _TAGS + "]{1,16}\U000e007f)|"  # the flags of England, Scotland, Wales are a flag and tags
    "[" + _CONTROLS + "\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0001" + _TAGS + "]"
)
_JOINERS = re.compile("[\u200b-\u200d]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_VIRAMA = 9  # its canonical combining class


def tidy(text: str) -> str:
    """Return a text as a corpus should hold it: the same to a reader, without what does not show.

    Composed (NFC); white space of any kind and length, line ends too, is one space, with none at the ends. Control
    characters go, soft hyphens, byte order marks, tags, and whatever sets the direction of writing. What does not show
    but matters stays: a joiner or non-joiner after a virama or between two characters beyond ASCII (Persian, the
    scripts of India, emoji), and a zero-width space between words of a script that has no other, such as Khmer.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = unicodedata.normalize("NFC", text)
    text = _JOINERS.sub(_wanted, " ".join(_JUNK.sub(r"\1", text).split()))
    return " ".join(unicodedata.normalize("NFC", text).split())


def _wanted(joiners: re.Match[str]) -> str:
    """Keep the first of some zero-width characters in a row, or none."""
    text = joiners.string
    before = text[joiners.start() - 1 : joiners.start()]
    after = text[joiners.end() : joiners.end() + 1]
    first = joiners[0][0]
    if first == "\u200b":
        return first if _IS_UNSPACED.match(before) and _IS_UNSPACED.match(after) else ""
    inside = bool(before and after) and not before.isascii() and not after.isascii()
    return first if inside or (before and unicodedata.combining(before) == _VIRAMA) else ""
