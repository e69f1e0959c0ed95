"""``rank``: exact ranks over the pool of a folder of vectors."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import FORMATS, Commands, add_verbosity, positive


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rank",
        help="rank the whole pool of a large collection, in bounded memory",
        description="Rank all passages of a folder of vectors for each of its queries, exactly, a block of passages at "
        "a time. Interrupt it, and the same command goes on.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what `mteb-hybrid encode` made")
    parser.add_argument("--memory", default="2GB", metavar="SIZE", help="what the process may hold; default: 2GB")
    parser.add_argument(
        "--index",
        nargs="+",
        choices=("flat", "ivf", "hnsw"),
        default=[],
        help="search by faiss as well, and say what is lost by it",
    )
    parser.add_argument(
        "--top", type=positive, default=100, metavar="N", help="how many passages an index searches for; default: 100"
    )
    parser.add_argument("--checksums", action="store_true", help="read all files first, and compare their checksums")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: FOLDER/scores.json")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    add_verbosity(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.large.run import rank

    tables = rank(
        options.folder,
        memory=options.memory,
        indexes=options.index,
        top=options.top,
        checksums=options.checksums,
        output=options.output,
        format=options.format,
        show_progress_bar=options.verbosity >= 0,
    )
    print(tables)
    return 0
