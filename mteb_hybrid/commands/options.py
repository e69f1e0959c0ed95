"""Options and words that several commands share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TypeAlias

from mteb_hybrid.errors import one_line
from mteb_hybrid.reporting import Format

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

FORMATS: tuple[Format, ...] = ("terminal", "markdown", "csv", "latex")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a table."""
    parser.add_argument("--against", choices=["published"], help="put the paper's figures beside")
    parser.add_argument("--baseline", metavar="MODEL", help="show how far the others are from this model")
    parser.add_argument("--confidence", action="store_true", help="show 95%% confidence intervals over questions")
    parser.add_argument("--by-language", action="store_true", help="add a table a setting, a column a query language")
    parser.add_argument("--format", choices=FORMATS, default="terminal")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, which changes settings of a recipe."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="change a setting, such as batches.alpha=0.3",
    )


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet`` and ``--verbose``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", dest="verbosity", action="store_const", const=-1, help="no progress bars")
    group.add_argument("-v", "--verbose", dest="verbosity", action="store_const", const=1, help="say what is done")
    parser.set_defaults(verbosity=0)


def positive(text: str) -> int:
    """A number above 0."""
    value = int(text) if text.isdecimal() and len(text) < 10 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number above 0")
    return value


def count(text: str) -> int:
    """A number from 0 on."""
    if not (text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number from 0 on")
    return int(text)


def margin(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number from 0 to 1")
    return value


def name_model(name: str, source: str, revision: str | None = None, debias: str | None = None) -> None:
    """Give a model a short name, and say so."""
    from mteb_hybrid.models import add_model, models_file

    model = add_model(name, source, revision, debias=debias)
    by = f" debiased by {model.debias}" if model.debias else ""
    print(f"{model.name} is {model.source}{by}; results are kept under {model.full_name} (named in {models_file()})")
    print(f"next: mteb run -m {model.name} -t XQuADR")


def terminal_width() -> int | None:
    """How wide standard output is, in characters; None where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_no_more() -> None:
    """Let standard output lead nowhere: its reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
