"""``data build``, ``data mine`` and ``data card``: training corpora."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_verbosity, positive
from mteb_hybrid.errors import HybridError, one_line


def add_parser(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("data", help="build training corpora")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_build(actions)
    _add_mine(actions)
    card = actions.add_parser(
        "card",
        help="describe a corpus",
        description="Print the card of a corpus as Markdown: its sizes by source and language, what was done to it, "
        "licences, samples.",
    )
    card.add_argument("corpus", type=Path, metavar="CORPUS", help="the folder of a corpus that was built")
    card.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there, such as CORPUS/README.md")
    card.set_defaults(command=_card)


def _add_build(actions: Commands) -> None:
    parser = actions.add_parser(
        "build",
        help="build a corpus from sources",
        description="Read sources, clean them, take out duplicates, translate, take out what benchmarks hold, and "
        "write a corpus with a lock file of what went in. Interrupt it, and the same command goes on where it was.",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a YAML file, the preset paper, or the corpus.lock.json of a corpus"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the corpus; default: FILE's name")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, and replace what is there")
    parser.add_argument(
        "--engine", choices=("datasets", "ray"), default="datasets", help="ray: Ray Data, on RAY_ADDRESS or here"
    )
    parser.add_argument("--processes", type=positive, default=1, help="shards worked on at once; default: 1")
    parser.add_argument("--explain", action="store_true", help="print all settings of a build file, and stop")
    add_verbosity(parser)
    parser.set_defaults(command=_build)


def _add_mine(actions: Commands) -> None:
    parser = actions.add_parser(
        "mine",
        help="add hard negatives to a corpus",
        description="Add hard negatives to a corpus: of each passage the nearest ones of its language that do not "
        "answer. Interrupt it, and the same command goes on where it was.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="the folder of a corpus that was built")
    parser.add_argument("-m", "--model", required=True, help="a short name, a folder, a Hub id or mteb-hybrid/tiny")
    parser.add_argument("--revision", help="of a model on the Hub; default: the newest")
    parser.add_argument("-n", "--negatives", type=positive, default=4, help="of each passage; default: 4")
    parser.add_argument(
        "--mode",
        choices=("mono", "cross", "both"),
        default="both",
        help="whose ranking counts: queries of the passage's language, of another, or both by turns; default: both",
    )
    parser.add_argument(
        "--margin", type=float, default=0.05, help="keep out what is nearer than the passage less this share of it"
    )
    parser.add_argument("--range-min", type=int, default=0, metavar="RANK", help="leave out so many of the nearest")
    parser.add_argument("--range-max", type=positive, metavar="RANK", help="look no further; default: 10 a negative")
    parser.add_argument("--index", choices=("auto", "flat", "ivf"), default="auto")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: the corpus itself")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--batch-size", type=positive, default=32, help="texts encoded at once; default: 32")
    parser.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    add_verbosity(parser)
    parser.set_defaults(command=_mine)


def _build(options: argparse.Namespace) -> int:
    from mteb_hybrid.building.build_file import describe_build_file, read_build_file

    if options.explain:
        print(describe_build_file(), end="")
        return 0
    if options.file is None:
        raise HybridError("name a build file; --explain shows all settings")
    settings = read_build_file(options.file)
    from mteb_hybrid.building.again import differences
    from mteb_hybrid.building.build import build_corpus
    from mteb_hybrid.building.engines import engine

    path = Path(options.file)
    output = Path(os.path.expanduser(options.output or Path("corpora") / path.stem.partition(".")[0]))
    shown = options.verbosity >= 0
    lock = build_corpus(
        settings,
        output,
        engine(options.engine, processes=options.processes, show_progress_bar=shown),
        overwrite=options.overwrite,
        say=_say(options),
    )
    rows = sum(file.rows for file in lock.files)
    sources = ", ".join(file.name for file in lock.files)
    print(f"{output} is built: {rows:,} rows of {sources}; licence {lock.license}")
    different = differences(path, lock)
    for line in different:
        print(f"mteb-hybrid: {one_line(line, 600)}", file=sys.stderr)  # it quotes the lock
    return 1 if different else 0


def _mine(options: argparse.Namespace) -> int:
    from mteb_hybrid.building.mined import mine_corpus, mining_settings

    settings = mining_settings(
        {
            "model": options.model,
            "revision": options.revision,
            "negatives": options.negatives,
            "mode": options.mode,
            "relative_margin": options.margin,
            "range_min": options.range_min,
            "range_max": options.range_max,
            "index": options.index,
            "seed": options.seed,
            "batch_size": options.batch_size,
            "device": options.device,
        }
    )
    output = options.output or options.corpus
    lock = mine_corpus(
        options.corpus,
        output,
        settings,
        overwrite=options.overwrite,
        show_progress_bar=options.verbosity >= 0,
        say=_say(options),
    )
    print(
        f"{output} has {settings.negatives} hard negatives for each passage: {sum(f.rows for f in lock.files):,} rows"
    )
    return 0


def _card(options: argparse.Namespace) -> int:
    from mteb_hybrid.building.card import card_text, write_card

    text = card_text(options.corpus)
    if options.output is None:
        print(text)
    else:
        write_card(text, options.output)
        print(f"{options.output} is written")
    return 0


def _say(options: argparse.Namespace) -> Callable[[str], None]:
    return partial(print, flush=True) if options.verbosity >= 0 else lambda _: None
