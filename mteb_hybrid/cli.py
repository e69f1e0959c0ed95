"""The command line ``mteb-hybrid``; each command is a module of ``mteb_hybrid.commands``.

This module is light: what is slow to import is imported where an interrupt is told of.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from mteb_hybrid.errors import HybridError, one_line, without_tokens


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit code: 0 if all is well, 1 if the doctor found something, 2 for a fault the user can mend, 130 when
        interrupted, 143 when ended by SIGTERM.
    """
    try:
        from mteb_hybrid.commands import endings
    except KeyboardInterrupt:
        print("mteb-hybrid: interrupted before it began", file=sys.stderr)
        return 128 + signal.SIGINT
    try:
        with endings.sigterm_raises():
            return _run(_parser().parse_args(arguments))
    except KeyboardInterrupt as error:  # the first, or a second that came while the first was cleaned up after
        return endings.tell_interrupted(error, for_good=arguments is None)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.commands.endings import tell_os_error
    from mteb_hybrid.commands.options import print_no_more

    _set_up_logging(options.verbosity or 0)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
        sys.stdout.flush()  # so that a reader who is gone is noticed here
        return code
    except HybridError as error:
        print(f"mteb-hybrid: {one_line(error, 1000)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        print_no_more()
        return 0
    except OSError as error:  # of a disk that is full, say, wherever it was met
        logging.getLogger("mteb_hybrid").info("it came from here", exc_info=True)
        return tell_os_error(error, has_verbosity=options.verbosity is not None)
    except MemoryError:
        logging.getLogger("mteb_hybrid").info("it came from here", exc_info=True)
        print("mteb-hybrid: there is not enough memory for this; free some, or give it less at once", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Its faults quote what was mistyped; the parsers of commands are of this kind too."""

    def error(self, message: str) -> NoReturn:
        super().error(without_tokens(message))


def _parser() -> argparse.ArgumentParser:
    from mteb_hybrid.commands import (
        batches,
        compare,
        data,
        debias,
        doctor,
        encode,
        evaluate,
        merge,
        models,
        publish,
        rank,
        recommend,
        report,
        study,
        table,
        train,
    )

    parser: argparse.ArgumentParser = _Parser(
        prog="mteb-hybrid", description="Multilingual retrieval and language bias, on MTEB."
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.set_defaults(verbosity=None)  # of commands that have no -v
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate.add_parser(commands)
    encode.add_parser(commands)
    rank.add_parser(commands)
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


class _WithoutTokens(logging.Formatter):
    """What libraries log may quote addresses, and what the Hub said."""

    def format(self, record: logging.LogRecord) -> str:
        return without_tokens(super().format(record))


_format_warning = warnings.formatwarning


def _warning_without_tokens(*told: Any, **more: Any) -> str:
    return without_tokens(_format_warning(*told, **more))


def _set_up_logging(verbosity: int) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_WithoutTokens("%(message)s"))
    warnings.formatwarning = _warning_without_tokens
    for name in ("mteb", "mteb_hybrid"):
        logging.getLogger(name).setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}[verbosity])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mteb-hybrid")
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"
