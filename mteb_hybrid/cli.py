"""The command line ``mteb-hybrid``; each command is a module of ``mteb_hybrid.commands``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from mteb_hybrid.commands import (
    batches,
    compare,
    data,
    debias,
    doctor,
    evaluate,
    merge,
    models,
    publish,
    recommend,
    report,
    study,
    table,
    train,
)
from mteb_hybrid.commands.options import print_no_more
from mteb_hybrid.errors import HybridError, one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit code: 0 if all is well, 1 if the doctor found something, 2 for a fault the user can mend, 130 when
        interrupted; of a training that was ended from outside, 128 and the number of the signal.
    """
    options = _parser().parse_args(arguments)
    _set_up_logging(options.verbosity)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
        sys.stdout.flush()  # so that a reader who is gone is noticed here
        return code
    except HybridError as error:
        print(f"mteb-hybrid: {one_line(error, 1000)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mteb-hybrid: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        print_no_more()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mteb-hybrid", description="Multilingual retrieval and language bias, on MTEB."
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.set_defaults(verbosity=0)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate.add_parser(commands)
    table.add_parser(commands)
    compare.add_parser(commands)
    report.add_parser(commands)
    data.add_parser(commands)
    train.add_parser(commands)
    batches.add_parser(commands)
    study.add_parser(commands)
    debias.add_parser(commands)
    merge.add_parser(commands)
    recommend.add_parser(commands)
    publish.add_parsers(commands)
    models.add_parser(commands)
    doctor.add_parser(commands)
    return parser


def _set_up_logging(verbosity: int) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name in ("mteb", "mteb_hybrid"):
        logging.getLogger(name).setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}[verbosity])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mteb-hybrid")
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"
