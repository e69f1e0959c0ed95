"""``publish`` and ``publish-task``: models and tasks' data on the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.commands.options import Commands, add_verbosity

if TYPE_CHECKING:
    from mteb_hybrid.publishing.hub import Target


def add_parsers(commands: Commands) -> None:
    """Add both commands to the parser."""
    _add_publish(commands)
    _add_publish_task(commands)


def _add_publish(commands: Commands) -> None:
    parser = commands.add_parser(
        "publish",
        help="publish a model on the Hugging Face Hub",
        description="Publish a model with its recipe, results, figures and card, in one commit. Interrupt it, and the "
        "same command sends what is missing.",
    )
    parser.add_argument("name", help="the model's short name")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="results to publish: what --output-folder was")
    parser.add_argument("--baseline", metavar="MODEL", help="show differences from this one; default: the base model")
    parser.add_argument(
        "--compare", nargs="+", default=(), metavar="MODEL", help="models for the card's tables; default: all"
    )
    parser.add_argument("--license", help="as the Hub names it, such as apache-2.0; default: what its data leave")
    parser.add_argument("--base-model", metavar="HUB_ID", help="Hub id of the model that training began with")
    parser.add_argument(
        "--mteb", type=Path, metavar="FOLDER", help="write what mteb takes in: results, and the model as Python source"
    )
    _add_target(parser)
    parser.set_defaults(command=_publish)


def _add_publish_task(commands: Commands) -> None:
    parser = commands.add_parser(
        "publish-task",
        help="publish the data of a task as a data set on the Hugging Face Hub",
        description="Publish a task's queries, corpus and qrels in mteb's standard layout, with a card, in one commit. "
        "MTEB_HYBRID_HUB=ORG lets the task read them from there.",
    )
    parser.add_argument("task", help="such as XQuADR: an aggregate publishes all its parts")
    parser.add_argument("--yes", action="store_true", help="publish although the data's licence sets terms")
    _add_target(parser)
    parser.set_defaults(command=_publish_task)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="the repository on the Hub")
    parser.add_argument("--private", action="store_true", help="for its owners alone, if it is made now")
    parser.add_argument("--revision", metavar="BRANCH", help="the branch to write to; default: main")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request instead of writing to main")
    parser.add_argument("--tag", help="tag the commit")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument("--dry-run", type=Path, metavar="FOLDER", help="write everything to a folder, send nothing")
    add_verbosity(parser)


def _publish(options: argparse.Namespace) -> int:
    from mteb_hybrid.publishing.publish import Choices, publish

    choices = Choices(options.license, options.base_model, options.results, options.baseline, options.compare)
    pushed = publish(
        options.name,
        _target(options, f"Publish {options.name}"),
        choices,
        dry_run=options.dry_run,
        mteb=options.mteb,
        say=print if options.verbosity >= 0 else lambda _: None,
        show_progress_bar=options.verbosity >= 0,
    )
    if pushed is None:
        print(f"nothing was sent; all of it is in {options.dry_run}")
    elif pushed.pull_request is not None:
        print(f"{options.name} waits for {options.to} in a pull request: {pushed.pull_request}")
    else:
        done = "is published" if pushed.changed else "was there as it is"
        print(f"{options.name} {done}: {pushed.url} at {pushed.commit}; the short name now stands for that")
        print(f"next: mteb run -m {options.name} -t XQuADR; elsewhere mteb run -m {options.to} -t XQuADR")
    return 0


def _publish_task(options: argparse.Namespace) -> int:
    from mteb_hybrid.publishing.publish_task import publish_task

    pushed = publish_task(
        options.task,
        _target(options, f"Publish the data of {options.task}"),
        yes=options.yes,
        dry_run=options.dry_run,
        say=print if options.verbosity >= 0 else lambda _: None,
        show_progress_bar=options.verbosity >= 0,
    )
    if pushed is not None and pushed.pull_request is not None:
        print(f"the data of {options.task} wait in a pull request: {pushed.pull_request}")
    elif pushed is not None:
        done = "are published" if pushed.changed else "were there as they are"
        print(f"the data of {options.task} {done}: {pushed.url} at {pushed.commit}")
    return 0


def _target(options: argparse.Namespace, message: str) -> Target:
    from mteb_hybrid.publishing.hub import Target

    return Target(
        options.to,
        message if options.message is None else options.message,
        revision=options.revision,
        private=options.private,
        create_pr=options.create_pr,
        tag=options.tag,
    )
