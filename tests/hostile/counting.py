"""Counts the cases of all processes: each test's report carries its own to the one that prints the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

PROPERTY = "hostile input"


def add_up(reports: Iterable[Any]) -> Counter[str]:
    """Add up what the reports of tests carry: reader to cases, and ``tracebacks``."""
    total: Counter[str] = Counter()
    for report in reports:
        if getattr(report, "when", None) != "call":
            continue
        for name, readers in report.user_properties:
            if name == PROPERTY:
                for reader, (refused, taken, tracebacks) in readers.items():
                    total[f"reader {reader}"] += refused + taken + tracebacks
                    total["refused"] += refused
                    total["tracebacks"] += tracebacks
    return total


def summary(reports: Iterable[Any]) -> str | None:
    """The line that tells all cases; None if there were none."""
    total = add_up(reports)
    cases = {name.removeprefix("reader "): count for name, count in total.items() if name.startswith("reader ")}
    if not cases:
        return None
    return (
        f"hostile input: {sum(cases.values()):,} cases over {len(cases)} readers, {total['refused']:,} refused in one "
        f"line, tracebacks {total['tracebacks']}"
    )
