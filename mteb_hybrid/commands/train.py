"""``train``: train a model by a recipe."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_settings, add_verbosity, name_model, print_no_more
from mteb_hybrid.errors import HybridError, Terminated
from mteb_hybrid.models import check_name


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train",
        help="train a model by a recipe",
        description="Train a model by a recipe. Interrupt it, and the same command with --resume goes on where it was.",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a YAML file, or a preset: labse, xlm-r, e5, tiny")
    parser.add_argument("--name", help="short name for `mteb run -m NAME`")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: models/NAME")
    add_settings(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, and replace what is there")
    parser.add_argument("--explain", action="store_true", help="print all settings of a recipe, and stop")
    add_verbosity(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.training.recipe_file import describe_recipe, read_recipe

    if options.explain:
        print(describe_recipe(), end="")
        return 0
    if options.recipe is None:
        raise HybridError("name a recipe, a YAML file or a preset's name; --explain shows all settings")
    recipe = read_recipe(options.recipe, options.settings)
    if options.name is not None:
        check_name(options.name)
    from transformers.utils.logging import disable_progress_bar

    from mteb_hybrid.training.folders import work_folder
    from mteb_hybrid.training.run import train

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of weights read and written; training has its own
    default = Path("models") / (options.name or Path(options.recipe).stem)
    output = Path(os.path.expanduser(options.output or recipe.output or default))
    resume = "--resume in place of --overwrite" if options.overwrite else "--resume"
    try:
        trained = train(
            recipe,
            output,
            resume=options.resume,
            overwrite=options.overwrite,
            show_progress_bar=options.verbosity >= 0,
            say=print if options.verbosity >= 0 else lambda _: None,
        )
    except KeyboardInterrupt as error:  # before a step was done, or at a second signal
        again = f"with {resume} goes on from the last checkpoint" if work_folder(output).exists() else "begins anew"
        print(f"mteb-hybrid: interrupted; the same command {again}", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
    except BrokenPipeError:  # it is not done, which whoever started it must know
        print_no_more()
        return 128 + signal.SIGPIPE
    if trained.stopped_by is not None:
        if trained.main:
            print(
                f"mteb-hybrid: stopped after step {trained.steps:,}, with a checkpoint; the same command with "
                f"{resume} goes on",
                file=sys.stderr,
            )
        return 128 + trained.stopped_by
    if trained.main:
        print(f"{output} is trained ({trained.steps:,} steps)")
        if options.name is not None:
            name_model(options.name, str(output))
    return 0
