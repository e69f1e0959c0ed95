"""``study``: train and evaluate a grid of recipes."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_settings, add_verbosity, positive


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "study",
        help="train and evaluate a grid of recipes",
        description="Train and evaluate every cell of a study once. Interrupt it, and the same command goes on; start "
        "it on several machines that share the folder, and they part the work among them.",
    )
    parser.add_argument(
        "study", metavar="STUDY", help="a YAML file, or a preset: alpha, mixed, scaling, sizes, xtreme-r"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: studies/NAME")
    add_settings(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what is done and what the rest costs, and stop")
    parser.add_argument("--batch-size", type=positive, default=32, help="texts encoded at once; default: 32")
    parser.add_argument("--device", help="of evaluations, as in sentence-transformers: cpu, cuda, cuda:1, mps")
    add_verbosity(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.study.price import price
    from mteb_hybrid.study.run import open_work, run_study, summary
    from mteb_hybrid.study.study_file import read_study
    from mteb_hybrid.study.work import Means

    study = read_study(options.study, options.settings)
    say = partial(print, flush=True)
    quiet = options.verbosity < 0
    means = Means(options.batch_size, options.device, not quiet, (lambda _: None) if quiet else say)
    work = open_work(study, Path(os.path.expanduser(options.output or Path("studies") / study.name)), means)
    if options.dry_run:
        print(price(work))
        return 0
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of weights read and written; training has its own
    ended = run_study(work, say)
    for line in summary(work, ended):
        print(line)
    if ended.stopped_by is not None:
        print("mteb-hybrid: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 128 + ended.stopped_by
    return 1 if ended.failed else 0
