"""``batches``: show the batches of a recipe."""

from __future__ import annotations

import argparse

from mteb_hybrid.commands.options import Commands, add_settings, count, positive


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("batches", help="show the batches of a recipe without training")
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file, or a preset")
    parser.add_argument("-n", "--number", type=positive, default=3, help="how many batches; default: 3")
    parser.add_argument("--epoch", type=count, default=0, help="counted from 0")
    add_settings(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mteb_hybrid.training.preview import preview
    from mteb_hybrid.training.recipe_file import read_recipe

    for line in preview(read_recipe(options.recipe, options.settings), options.number, epoch=options.epoch):
        print(line)
    return 0
