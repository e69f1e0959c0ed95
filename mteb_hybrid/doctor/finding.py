"""What the doctor says: a line for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mteb_hybrid.errors import HybridError, one_line


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        well: whether it is as it should be.
        text: what was found, where, and, where it is not well, what to do.
    """

    well: bool
    text: str


Findings = Iterator[Finding]


def ok(text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(True, one_line(text, 1000))


def wrong(text: object) -> Finding:
    """Something that is not."""
    return Finding(False, one_line(text, 1000))


def caught(part: Callable[[], Findings], name: str) -> Findings:
    """What a part finds; if it fails, that is a finding: a doctor that falls ill helps nobody.

    Args:
        part: looks at something.
        name: of what, for the case that it fails.
    """
    try:
        yield from part()
    except HybridError as error:
        yield wrong(error)
    except Exception as error:  # whatever it is
        yield wrong(f"{name}: {type(error).__name__}: {error}")
