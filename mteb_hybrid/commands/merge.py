"""``merge``: average the weights of models."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mteb_hybrid.commands.options import Commands, name_model
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import check_name


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "merge",
        help="average the weights of models: a hybrid and its base, or checkpoints of one run",
        description="Write a model whose weights are the average of others': (1 - W) of A and W of B. All else, such "
        "as tokenizer and prompts, is A's; models that differ in it are refused.",
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="A B [C ...]: short names, folders, Hub ids or mteb-hybrid/tiny"
    )
    parser.add_argument(
        "--weight",
        type=_weights,
        default=(),
        metavar="W",
        help="of two models: the weight of the second, 0 gives the first and 1 the second; of any number: one for "
        "each, in their order, as in .5,.3,.2, which add up to 1; default: the same for all",
    )
    parser.add_argument("--name", help="short name for `mteb run -m NAME`")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: models/NAME")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    if options.name is None and options.output is None:
        raise HybridError("say what to call it with --name NAME, or where to write it with --output FOLDER")
    if options.name is not None:
        check_name(options.name)
    from transformers.utils.logging import disable_progress_bar

    from mteb_hybrid.merging import merge

    disable_progress_bar()  # type: ignore[no-untyped-call]
    output = Path(os.path.expanduser(options.output or Path("models") / options.name))
    record = merge(options.models, options.weight, output)
    parts = zip(record.merged_from or (), options.models, strict=True)
    print(f"{output} is merged: {', '.join(f'{part.weight:.4g} of {name}' for part, name in parts)}")
    if options.name is not None:
        name_model(options.name, str(output))
    return 0


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is no number, or numbers with commas") from None
