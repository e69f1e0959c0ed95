"""The command line ``mteb-hybrid``: parses, calls, prints."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import check_name
from mteb_hybrid.reporting import Format, report

if TYPE_CHECKING:
    from mteb_hybrid.publishing.hub import Target

FORMATS: tuple[Format, ...] = ("terminal", "markdown", "csv", "latex")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit code: 0 if all is well, 1 if the doctor found something, 2 for a fault the user can mend, 130 when
        interrupted; of a training that was ended from outside, 128 and the number of the signal.
    """
    options = _parser().parse_args(arguments)
    _set_up_logging(options.verbosity)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
        sys.stdout.flush()  # so that a reader who is gone is noticed here
        return code
    except HybridError as error:
        print(f"mteb-hybrid: {one_line(error, 1000)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mteb-hybrid: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        _print_no_more()
        return 0


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit


def _evaluate(options: argparse.Namespace) -> int:
    from mteb_hybrid.evaluation.run import evaluate, select_tasks

    tasks = select_tasks(options.tasks, options.data, options.name, options.languages)
    names = evaluate(
        options.model,
        tasks,
        folder=options.output_folder,
        batch_size=options.batch_size,
        device=options.device,
        overwrite=options.overwrite,
        prediction_folder=options.prediction_folder,
        show_progress_bar=options.verbosity >= 0,
    )
    print(
        report(
            options.output_folder,
            [names.model],
            benchmarks=names.benchmarks,
            against_published=options.against == "published",
            by_language=options.by_language,
            baseline=options.baseline,
            confidence=options.confidence,
            format=options.format,
        )
    )
    return 0


def _table(options: argparse.Namespace) -> int:
    print(
        report(
            options.results,
            options.models,
            benchmarks=options.benchmarks or (),
            against_published=options.against == "published",
            by_language=options.by_language,
            baseline=options.baseline,
            confidence=options.confidence,
            format=options.format,
        )
    )
    return 0


def _train(options: argparse.Namespace) -> int:
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
    except KeyboardInterrupt:  # before a step was done, or at a second signal
        again = f"with {resume} goes on from the last checkpoint" if work_folder(output).exists() else "begins anew"
        print(f"mteb-hybrid: interrupted; the same command {again}", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # it is not done, which whoever started it must know
        _print_no_more()
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
            _name(options.name, str(output))
    return 0


def _merge(options: argparse.Namespace) -> int:
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
        _name(options.name, str(output))
    return 0


def _recommend(options: argparse.Namespace) -> int:
    from mteb_hybrid.reporting.recommend import recommend
    from mteb_hybrid.reporting.remedies import read_rows

    print(recommend(read_rows(options.results), options.task, margin=options.margin, format=options.format))
    return 0


def _batches(options: argparse.Namespace) -> int:
    from mteb_hybrid.training.preview import preview
    from mteb_hybrid.training.recipe_file import read_recipe

    for line in preview(read_recipe(options.recipe, options.settings), options.number, epoch=options.epoch):
        print(line)
    return 0


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


def _debias_fit(options: argparse.Namespace) -> int:
    from transformers.utils.logging import disable_progress_bar

    from mteb_hybrid.debias.command import FitChoices, fit_to_file

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of weights read; encoding has its own
    choices = FitChoices(
        model=options.model,
        revision=options.revision,
        pairs=options.pairs,
        pairs_revision=options.pairs_revision,
        languages=options.languages,
        rows=options.rows,
        mteb_tasks=tuple(options.mteb_tasks),
        method=options.method,
        alpha=options.alpha,
        source=options.source,
        components=options.components,
        apply=options.apply,
    )
    path = Path(os.path.expanduser(options.output))
    fitted = fit_to_file(
        choices, path, batch_size=options.batch_size, device=options.device, show_progress_bar=options.verbosity >= 0
    )
    print(f"{path} holds {fitted.method} with alpha {fitted.alpha:g} for {', '.join(fitted.languages)}")
    print(f"next: mteb-hybrid models add NAME {options.model} --debias {path}")
    return 0


def _add_model(options: argparse.Namespace) -> int:
    _name(options.name, options.source, options.revision, options.debias)
    return 0


def _name(name: str, source: str, revision: str | None = None, debias: str | None = None) -> None:
    from mteb_hybrid.models import add_model, models_file

    model = add_model(name, source, revision, debias=debias)
    by = f" debiased by {model.debias}" if model.debias else ""
    print(f"{model.name} is {model.source}{by}; results are kept under {model.full_name} (named in {models_file()})")
    print(f"next: mteb run -m {model.name} -t XQuADR")


def _list_models(_: argparse.Namespace) -> int:
    from mteb_hybrid.models import known_models, models_file

    models = known_models()
    if not models:
        print(f"no names in {models_file()}; add one with `mteb-hybrid models add NAME PATH_OR_HUB_ID`")
    width = max(map(len, models), default=0)
    for model in models.values():
        by = f"  debiased by {model.debias}" if model.debias else ""
        print(f"{model.name:{width}}  {model.source}  {(model.revision or 'newest')[:8]}{by}")
    return 0


def _remove_model(options: argparse.Namespace) -> int:
    from mteb_hybrid.models import remove_model

    model = remove_model(options.name)
    print(f"{model.name} is forgotten; {model.source} stays where it is")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from mteb_hybrid.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.text}")
    return 0 if all(finding.well for finding in findings) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mteb-hybrid", description="Multilingual retrieval and language bias, on MTEB."
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.set_defaults(verbosity=0)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_evaluate(commands)
    _add_table(commands)
    _add_train(commands)
    _add_batches(commands)
    _add_debias(commands)
    _add_merge(commands)
    _add_recommend(commands)
    _add_publish(commands)
    _add_publish_task(commands)
    _add_models(commands)
    doctor = commands.add_parser("doctor", help="say what is registered, from where, and what is wrong")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="run tasks as `mteb run` does, and print the tables",
        description="Run tasks as `mteb run` does, continue what was interrupted, and print the tables at the end.",
    )
    parser.add_argument("-m", "--model", required=True, help="a short name, or what mteb takes: a Hub id")
    parser.add_argument("-t", "--tasks", nargs="+", metavar="TASK", help="default: XQuADR XQuADRLanguageBias")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="a parallel collection of your own (.jsonl, .parquet)"
    )
    parser.add_argument("--name", help="what to call the tasks of --data; default: the file's stem")
    parser.add_argument("-l", "--languages", nargs="+", metavar="LANG", help="ISO 639-3 codes, as for `mteb run`")
    parser.add_argument("--output-folder", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--prediction-folder", type=Path, help="keep the best-ranked passages of each query there")
    parser.add_argument("--batch-size", type=_positive, default=32, help="texts encoded at once; default: 32")
    parser.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    parser.add_argument("--overwrite", action="store_true", help="run again what has results already")
    _add_table_options(parser)
    _add_verbosity(parser)
    parser.set_defaults(command=_evaluate)


def _add_table(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("table", help="print the tables of results that are there")
    parser.add_argument("results", type=Path, help="the folder given to --output-folder")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all in the folder")
    parser.add_argument("--benchmark", dest="benchmarks", nargs="+", metavar="NAME", help="such as XQuADR")
    _add_table_options(parser)
    parser.set_defaults(command=_table)


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", choices=["published"], help="put the paper's figures beside")
    parser.add_argument("--baseline", metavar="MODEL", help="show how far the others are from this model")
    parser.add_argument("--confidence", action="store_true", help="show 95%% confidence intervals over questions")
    parser.add_argument("--by-language", action="store_true", help="add a table a setting, a column a query language")
    parser.add_argument("--format", choices=FORMATS, default="terminal")


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model by a recipe",
        description="Train a model by a recipe. Interrupt it, and the same command with --resume goes on where it was.",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a YAML file, or a preset: labse, xlm-r, e5, tiny")
    parser.add_argument("--name", help="short name for `mteb run -m NAME`")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: models/NAME")
    _add_settings(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, and replace what is there")
    parser.add_argument("--explain", action="store_true", help="print all settings of a recipe, and stop")
    _add_verbosity(parser)
    parser.set_defaults(command=_train)


def _add_batches(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("batches", help="show the batches of a recipe without training")
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file, or a preset")
    parser.add_argument("-n", "--number", type=_positive, default=3, help="how many batches; default: 3")
    parser.add_argument("--epoch", type=_count, default=0, help="counted from 0")
    _add_settings(parser)
    parser.set_defaults(command=_batches)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="change a setting of the recipe, such as batches.alpha=0.3",
    )


def _add_debias(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("debias", help="remedies for language bias that need no training")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    fit = actions.add_parser(
        "fit",
        help="fit vectors of languages to a model",
        description="Fit what a model's embeddings hold of each language on parallel passages, and write it to a file "
        "that `models add NAME MODEL --debias FILE` puts to the model.",
    )
    fit.add_argument("-m", "--model", required=True, help="a short name, a folder, a Hub id or mteb-hybrid/tiny")
    fit.add_argument("--revision", help="of a model on the Hub; default: the one that mteb knows, or the newest")
    fit.add_argument(
        "--pairs",
        required=True,
        metavar="CORPUS",
        help="a .jsonl or .parquet file, a Hub id, MLQA-R, XQuAD-R, ParallelWorld",
    )
    fit.add_argument("--pairs-revision", metavar="REVISION", help="of a corpus on the Hub")
    fit.add_argument("-l", "--languages", nargs="+", metavar="LANG", help="some languages of the corpus; default: all")
    fit.add_argument("--rows", type=_positive, help="the first so many rows of the corpus only")
    fit.add_argument(
        "--mteb-tasks", nargs="+", default=(), metavar="TASK", help="tasks whose texts these are: no zero-shot there"
    )
    fit.add_argument(
        "--method",
        required=True,
        choices=("shift", "centering", "lir"),
        help="shift: subtract the mean difference to the source language; centering: subtract the mean; lir: project "
        "the first principal components out",
    )
    fit.add_argument("--alpha", type=float, default=1.0, help="how much is taken away, 0 nothing; default: 1")
    fit.add_argument("--source", metavar="LANG", help="what shift goes towards; default: en")
    fit.add_argument("--components", type=_positive, default=1, help="of each language, for lir; default: 1")
    fit.add_argument(
        "--apply", choices=("documents", "all"), help="default: documents; with lir all, queries and documents"
    )
    fit.add_argument("-o", "--output", required=True, metavar="FILE", help="such as shift.safetensors")
    fit.add_argument("--batch-size", type=_positive, default=32, help="texts encoded at once; default: 32")
    fit.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    _add_verbosity(fit)
    fit.set_defaults(command=_debias_fit)


def _add_merge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: models/NAME")
    parser.set_defaults(command=_merge)


def _add_recommend(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "recommend",
        help="compare remedies for language bias, and say which to take",
        description="Print a table of measured remedies and the one to take, with the rule that it is derived by.",
    )
    parser.add_argument("results", type=Path, help="rows of measured remedies: a JSON file, or JSON lines")
    parser.add_argument("--task", help="the benchmark, where rows of several are there, such as XQuADR")
    parser.add_argument(
        "--margin",
        type=_margin,
        default=0.01,
        metavar="MAP",
        help="the monolingual MAP that may be lost, and the difference that counts as none; default: 0.01",
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.set_defaults(command=_recommend)


def _add_publish(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_publish_task(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    _add_verbosity(parser)


def _add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", dest="verbosity", action="store_const", const=-1, help="no progress bars")
    group.add_argument("-v", "--verbose", dest="verbosity", action="store_const", const=1, help="say what is done")
    parser.set_defaults(verbosity=0)


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) < 10 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number above 0")
    return value


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number from 0 on")
    return int(text)


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is no number, or numbers with commas") from None


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{one_line(text, 40)!r} is not a number from 0 to 1")
    return value


def _set_up_logging(verbosity: int) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name in ("mteb", "mteb_hybrid"):
        logging.getLogger(name).setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}[verbosity])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mteb-hybrid")
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"
