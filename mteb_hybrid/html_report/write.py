"""``mteb-hybrid report``: results to a page, and to figures for papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.html_report.build import build, check_output
from mteb_hybrid.html_report.draw import check_matplotlib
from mteb_hybrid.html_report.page import render
from mteb_hybrid.html_report.svg import write_pictures
from mteb_hybrid.whole import whole_file


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        models: how many models the report is about.
        size: of the page, in bytes.
        figures: how many figures were written as files; each of them as PNG and as SVG.
    """

    models: int
    size: int
    figures: int


def write_report(
    results: Path,
    output: Path,
    *,
    models: Sequence[str] = (),
    rows: Path | None = None,
    figures: Path | None = None,
    data: Sequence[Path] = (),
) -> Written:
    """Write a report as one page that needs nothing else, whole or not at all; the same bytes for the same results.

    Args:
        results: the folder given to ``mteb run --output-folder``, or one inside it.
        output: the page; a file that is there is replaced.
        models: the models to show, as ``org/name`` or ``name``; all by default.
        rows: rows of measured remedies, for the curves; by default ``rows.json`` in the folder of results.
        figures: a folder to write the figures to as well, as PNG and SVG.
        data: collections of the user's own, for the texts of their questions and passages.

    Returns:
        What was written.

    Raises:
        HybridError: matplotlib is missing, there are no such results, a file is damaged, or nothing can be written
            there.
    """
    check_matplotlib()
    check_output(output)
    report = build(results, models, rows, data)
    page = render(report).encode("utf-8")
    if figures is not None:
        write_pictures(report.pictures, figures)
    try:
        with whole_file(output) as partial:
            partial.write_bytes(page)
    except OSError as error:
        where = one_line(output, 1000)
        raise HybridError(f"cannot write {where} ({error.strerror or error}); choose another place") from None
    return Written(len(report.models), len(page), len(report.pictures) if figures is not None else 0)
