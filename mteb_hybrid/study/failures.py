"""What is written down of a cell that failed: a line for the eye, and the whole traceback without secrets."""

from __future__ import annotations

import os
import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

_NAMES = r"token|secret|passw(?:or)?d|api_?key|credential"
_SECRETS = (
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), "hf_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(//)[^/\s@]+@"), r"\1***@"),  # a user and a password in an address
    (re.compile(rf"(?i)([\w-]*(?:{_NAMES}|signature)[\w-]*['\"]?\s*[=:]\s*['\"]?)[^\s&'\",;)]+"), r"\1***"),
)
_SECRET_VARIABLE = re.compile(rf"(?i){_NAMES}")


@dataclass(frozen=True)
class Failure:
    """Why a part of a study was not done.

    Attributes:
        line: on one line, for the user.
        details: the whole traceback.
    """

    line: str
    details: str


def failure_of(error: BaseException) -> Failure:
    """Tell why something failed, without secrets."""
    text = str(error).strip()
    if not isinstance(error, HybridError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    details = "".join(traceback.format_exception(error))
    return Failure(one_line(without_secrets(text), 300), without_secrets(details))


def without_secrets(text: str) -> str:
    """The text with all taken out that looks like a token or a password, or is one of this process's own."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    try:
        from huggingface_hub import get_token

        text = text.replace(get_token() or "\0", "hf_***")
    except Exception:  # a token that cannot be read cannot be told either
        pass
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def write_failure(failure: Failure, path: Path) -> None:
    """Write a failure down; what was there of an earlier one is replaced. Where that fails too, it is left."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_text(f"{failure.line}\n\n{failure.details}", encoding="utf-8", errors="backslashreplace")
    except OSError:
        return
