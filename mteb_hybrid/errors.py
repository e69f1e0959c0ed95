"""The one exception for faults that the user can mend."""

from __future__ import annotations


class HybridError(Exception):
    """A fault the user can mend, told in one line: what is wrong, where, and what to do.

    The command lines print the message alone and exit with code 2; it never reaches a
    user as a traceback.
    """

    def __init__(self, message: object) -> None:
        super().__init__("".join(c if c.isprintable() else " " for c in str(message)))


def one_line(text: object, limit: int = 300) -> str:
    """Return ``text`` on one line, control characters replaced, cut at ``limit`` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
