"""``encode``: a collection of one's own as a folder of vectors."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_verbosity, positive


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "encode",
        help="encode a large collection of your own, for `mteb-hybrid rank`",
        description="Encode a parallel collection into a folder of vectors, a part at a time, in memory that does not "
        "grow with the texts. Interrupt it, and the same command goes on. Started by `accelerate launch` or "
        "`torchrun`, several processes share the parts.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="as for `evaluate --data` (.jsonl, .parquet)")
    parser.add_argument("-m", "--model", required=True, help="a short name, or what mteb takes: a Hub id")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the vectors")
    parser.add_argument("--name", help="what to call the collection; default: the file's stem")
    parser.add_argument("--batch-size", type=positive, default=32, help="texts encoded at once; default: 32")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="of the numbers kept; float16 takes half the space, and ranks are then of rounded vectors",
    )
    parser.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    add_verbosity(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from transformers.utils.logging import disable_progress_bar

    from mteb_hybrid.large.run import encode

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of weights read; encoding has its own
    encode(
        options.data,
        options.model,
        options.output,
        name=options.name,
        batch_size=options.batch_size,
        dtype=options.dtype,
        device=options.device,
        show_progress_bar=options.verbosity >= 0,
        say=print if options.verbosity >= 0 else lambda _: None,
    )
    return 0
