"""``doctor``: say what is registered, from where, and what is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="say what is registered, from where, and what is wrong",
        description="Look at the installation, registration, models, data and results, and at folders that are named: "
        "a line for each, what is wrong, where, and what to do. Nothing is changed or downloaded. The exit code is 0 "
        "if all is well.",
    )
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="studies, trainings, models, corpora and their builds, results, debiasings, or folders of such",
    )
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.doctor import examine

    findings = examine(options.folders)
    for finding in findings:
        print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.text}")
    return 0 if all(finding.well for finding in findings) else 1
