"""``compare``: say whether one model is better than another, and how sure that is."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import FORMATS, Commands, margin, terminal_width


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="say whether one model is better than another, and how sure that is",
        description="Compare model B with model A, by setting and by query language: the difference with its "
        "confidence interval, a paired randomisation test, and a verdict. Either side may be several models that "
        "differ in the seed only, with commas.",
    )
    parser.add_argument("a", type=_names, metavar="A", help="such as base, org/base@REVISION or base-1,base-2,base-3")
    parser.add_argument("b", type=_names, metavar="B", help="likewise")
    parser.add_argument(
        "-t", "--tasks", nargs="+", metavar="TASK", help="tasks or benchmarks; default: all that every model has"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="what --output-folder was; default: results",
    )
    parser.add_argument(
        "--margin", type=margin, default=0.01, metavar="MAP", help="the difference that counts as none; default: 0.01"
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.comparing import compare

    print(
        compare(
            options.results,
            options.a,
            options.b,
            tasks=options.tasks or (),
            margin=options.margin,
            format=options.format,
            width=terminal_width(),
        )
    )
    return 0


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names:
        raise argparse.ArgumentTypeError("name a model")
    return names
