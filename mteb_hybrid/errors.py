"""The one exception for faults that the user can mend."""

from __future__ import annotations

import base64
import os
import re
import sys
from urllib.parse import quote

_LONGEST = 599  # characters; what is wrong stands at the beginning, and what to do at the end
_SHORTEST = 8  # characters of a token
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")
_IN_ADDRESS = re.compile(r"(:/{1,2})[^/\s@]+(?=@)")  # a user and a password; a path has lost one of the slashes


class HybridError(Exception):
    """A fault the user can mend, told in one line: what is wrong, where, and what to do.

    The command lines print the message alone and exit with code 2; it never reaches a
    user as a traceback.
    """

    def __init__(self, message: object) -> None:
        text = "".join(c if c.isprintable() else " " for c in str(message))
        text = without_tokens(text)  # it may quote what a user mistyped, or what a server said
        super().__init__(text if len(text) <= _LONGEST else f"{text[:390]} … {text[-200:]}")


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does, with an exit code of its own."""


def without_tokens(text: str) -> str:
    """Return a text without tokens of the Hub, the one in use in any form, and without passwords in addresses."""
    hub = sys.modules.get("huggingface_hub")  # who has not asked the Hub has heard nothing from it
    token = (hub.get_token() if hub else os.environ.get("HF_TOKEN")) or ""
    if len(token) >= _SHORTEST:
        packed = base64.b64encode(token.encode()).decode()
        for form in (token, quote(token, safe=""), packed, packed.rstrip("=")[:-1]):
            text = text.replace(form, "hf_***")
    return _IN_ADDRESS.sub(r"\1***", _TOKEN.sub("hf_***", text))


def one_line(text: object, limit: int = 300) -> str:
    """Return ``text`` on one line, control characters replaced, cut at ``limit`` characters."""
    whole = str(text)
    head = whole[: 4 * limit + 100]  # of megabytes the rest would be looked at in vain
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= limit and len(head) == len(whole) else line[: limit - 1] + "…"
