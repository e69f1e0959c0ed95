"""``report``: results as one page to be looked at, and its figures as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="write results as one HTML page that needs no network",
        description="Write results as one HTML page that needs no network: tables and figures beside the published "
        "ones, and questions one by one. It needs matplotlib: pip install 'mteb-hybrid[report]'.",
    )
    parser.add_argument("results", type=Path, help="the folder given to --output-folder")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )
    parser.add_argument("--models", nargs="+", default=(), metavar="MODEL", help="default: all in the folder")
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="rows of measured remedies, for curves; default: RESULTS/rows.json"
    )
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="write the figures as PNG (300 dpi) and SVG too")
    parser.add_argument(
        "--data", nargs="+", type=Path, default=(), metavar="FILE", help="collections of your own, for their texts"
    )
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.html_report.write import write_report

    written = write_report(
        options.results,
        options.output,
        models=options.models,
        rows=options.rows,
        figures=options.figures,
        data=options.data,
    )
    models = "1 model" if written.models == 1 else f"{written.models} models"
    print(f"{options.output} holds {models} ({written.size / 1e6:.1f} MB)")
    if options.figures is not None:
        print(f"{options.figures} holds {written.figures} figures, each as PNG and as SVG")
    return 0
