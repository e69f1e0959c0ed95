"""``table``: print the tables of results that are there."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_table_options, terminal_width
from mteb_hybrid.reporting import report


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("table", help="print the tables of results that are there")
    parser.add_argument("results", type=Path, help="the folder given to --output-folder")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all in the folder")
    parser.add_argument("--benchmark", dest="benchmarks", nargs="+", metavar="NAME", help="such as XQuADR")
    add_table_options(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    print_tables(options, options.results, options.models, options.benchmarks or ())
    return 0


def print_tables(options: argparse.Namespace, folder: Path, models: Sequence[str], benchmarks: Sequence[str]) -> None:
    """Print the tables of some models and benchmarks, as the options of ``add_table_options`` say."""
    print(
        report(
            folder,
            models,
            benchmarks=benchmarks,
            against_published=options.against == "published",
            by_language=options.by_language,
            baseline=options.baseline,
            confidence=options.confidence,
            format=options.format,
            width=terminal_width(),
        )
    )
