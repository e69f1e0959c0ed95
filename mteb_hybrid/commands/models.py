"""``models``: short names for models."""

from __future__ import annotations

import argparse

from mteb_hybrid.commands.options import Commands, name_model
from mteb_hybrid.errors import one_line


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("models", help="short names for models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="give a model a short name")
    add.add_argument("name")
    add.add_argument("source", metavar="PATH_OR_HUB_ID", help="with --debias a short name as well")
    add.add_argument("--revision", help="a revision on the Hub; default: the newest when it is loaded")
    add.add_argument("--debias", metavar="FILE", help="made with `debias fit`: name the model debiased by it")
    add.set_defaults(command=_add_model)
    actions.add_parser("list", help="show all names").set_defaults(command=_list_models)
    remove = actions.add_parser("remove", help="forget a name")
    remove.add_argument("name")
    remove.set_defaults(command=_remove_model)


def _add_model(options: argparse.Namespace) -> int:
    name_model(options.name, options.source, options.revision, options.debias)
    return 0


def _list_models(_: argparse.Namespace) -> int:
    from mteb_hybrid.models import known_models, models_file

    models = known_models()
    if not models:
        print(f"no names in {models_file()}; add one with `mteb-hybrid models add NAME PATH_OR_HUB_ID`")
    width = max(map(len, models), default=0)
    for model in models.values():
        by = f"  debiased by {one_line(model.debias, 1000)}" if model.debias else ""
        source = one_line(model.source, 1000)  # of a file that may come from elsewhere
        print(f"{model.name:{width}}  {source}  {(model.revision or 'newest')[:8]}{by}")
    return 0


def _remove_model(options: argparse.Namespace) -> int:
    from mteb_hybrid.models import remove_model

    model = remove_model(options.name)
    print(f"{model.name} is forgotten; {one_line(model.source, 1000)} stays where it is")
    return 0
