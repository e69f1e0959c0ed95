"""``doctor``: say what is registered, from where, and what is wrong."""

from __future__ import annotations

import argparse

from mteb_hybrid.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("doctor", help="say what is registered, from where, and what is wrong")
    parser.set_defaults(command=_run)


def _run(_: argparse.Namespace) -> int:
    from mteb_hybrid.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.text}")
    return 0 if all(finding.well for finding in findings) else 1
