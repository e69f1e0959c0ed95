"""Text that users supply, made safe for its place in a card: Markdown, a code fence, a URL, YAML, SVG.

Everywhere the same holds: control characters, unpaired surrogates and the marks that turn the direction of text are
replaced, and what is long is cut. What is left cannot end the place that it is put in.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from urllib.parse import quote
from xml.sax.saxutils import escape

INLINE_LIMIT = 200
FENCE_LIMIT = 20_000

# Zero-width joiner and non-joiner are spelling in Persian, Hindi and many other languages, and turn nothing.
_JOINERS = "\u200c\u200d"
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"

# As entities: the Hub reads a backslash before a bracket, or two dollars, as mathematics.
_ENTITIES = {character: f"&#{ord(character)};" for character in "\\$<>&`|"}
_MARKDOWN = str.maketrans(_ENTITIES | {character: f"\\{character}" for character in "*_[]~#!@"})
_NOT_IN_CODE = set("`|\\")


def plain(text: object, limit: int = INLINE_LIMIT) -> str:
    """Return text on one line, without control characters, cut at ``limit`` characters; not escaped.

    Args:
        text: any text.
        limit: the greatest length; the last character of what is cut is an ellipsis.
    """
    head = str(text)[: 4 * limit]
    line = " ".join("".join(character if _is_shown(character) else " " for character in head).split())
    return line if len(line) <= limit and len(head) == len(str(text)) else line[: limit - 1] + "…"


def inline(text: object, limit: int = INLINE_LIMIT) -> str:
    """Return text as Markdown that shows it, in a paragraph, a heading or a cell of a table.

    Text that is written from right to left is isolated, so that what stands beside it keeps its place.
    """
    line = plain(text, limit)
    # Without its scheme's colon nothing is taken for an address.
    marked = re.sub(r":(?=//)|(?<=www)\.", lambda match: f"&#{ord(match[0])};", line.translate(_MARKDOWN))
    return f"{_ISOLATE}{marked}{_END_ISOLATE}" if _has_right_to_left(line) else marked


def code(text: object, limit: int = INLINE_LIMIT) -> str:
    """Return text as a code span in Markdown; as ordinary text where a span could not hold it in a table."""
    line = plain(text, limit)
    return f"`{line}`" if line and _NOT_IN_CODE.isdisjoint(line) else inline(line, limit)


def fence(text: str, language: str = "", limit: int = FENCE_LIMIT) -> str:
    """Return text as a fenced block of Markdown that nothing in it can close.

    Args:
        text: lines of any kind.
        language: of the block, one of our own words.
        limit: the greatest length; a last line says what is missing.
    """
    cut = text[:limit]
    lines = [_shown_line(line) for line in re.split(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", cut)]
    if len(cut) < len(text):
        lines.append(f"… cut: {len(text) - len(cut):,} characters more")
    body = "\n".join(lines).strip("\n")
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{body}\n{ticks}"


def python_string(text: object) -> str:
    """Return text as a string literal of Python, on one line."""
    return json.dumps(plain(text), ensure_ascii=False)


def shell_word(text: object) -> str:
    """Return text as one word of a shell's command line."""
    return shlex.quote(plain(text))


def url_path(text: object) -> str:
    """Return text as part of a URL, slashes kept; for the destination of a link in Markdown."""
    return quote(plain(text), safe="/")


def xml(text: object, limit: int = INLINE_LIMIT) -> str:
    """Return text as character data or an attribute's value in XML."""
    return escape(plain(text, limit), {'"': "&quot;", "'": "&#39;"})


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in _JOINERS


def _shown_line(line: str) -> str:
    return "".join(
        character if _is_shown(character) or character == "\t" else " " if character.isspace() else "\ufffd"
        for character in line
    ).rstrip()


def _has_right_to_left(line: str) -> bool:
    return any(unicodedata.bidirectional(character) in {"R", "AL"} for character in line)
