"""``evaluate``: run tasks and print the tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_table_options, add_verbosity, positive
from mteb_hybrid.commands.table import print_tables


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="run tasks as `mteb run` does, and print the tables",
        description="Run tasks as `mteb run` does, continue what was interrupted, and print the tables at the end.",
    )
    parser.add_argument("-m", "--model", required=True, help="a short name, or what mteb takes: a Hub id")
    parser.add_argument("-t", "--tasks", nargs="+", metavar="TASK", help="default: XQuADR XQuADRLanguageBias")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="a parallel collection of your own (.jsonl, .parquet), or the folder of Belebele",
    )
    parser.add_argument("--name", help="what to call the tasks of --data; default: the file's stem")
    parser.add_argument("-l", "--languages", nargs="+", metavar="LANG", help="ISO 639-3 codes, as for `mteb run`")
    parser.add_argument("--output-folder", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--prediction-folder", type=Path, help="keep the best-ranked passages of each query there")
    parser.add_argument("--batch-size", type=positive, default=32, help="texts encoded at once; default: 32")
    parser.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    parser.add_argument("--overwrite", action="store_true", help="run again what has results already")
    add_table_options(parser)
    add_verbosity(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
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
    if names.benchmarks:
        print_tables(options, options.output_folder, [names.model], names.benchmarks)
    for line in names.others:
        print(line)
    return 0
