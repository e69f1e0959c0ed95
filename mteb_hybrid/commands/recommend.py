"""``recommend``: compare measured remedies."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import FORMATS, Commands, margin


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "recommend",
        help="compare remedies for language bias, and say which to take",
        description="Print a table of measured remedies and the one to take, with the rule that it is derived by.",
    )
    parser.add_argument("results", type=Path, help="rows of measured remedies: a JSON file, or JSON lines")
    parser.add_argument("--task", help="the benchmark, where rows of several are there, such as XQuADR")
    parser.add_argument(
        "--margin",
        type=margin,
        default=0.01,
        metavar="MAP",
        help="the monolingual MAP that may be lost, and the difference that counts as none; default: 0.01",
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.reporting.recommend import recommend
    from mteb_hybrid.reporting.remedies import read_rows

    print(recommend(read_rows(options.results), options.task, margin=options.margin, format=options.format))
    return 0
