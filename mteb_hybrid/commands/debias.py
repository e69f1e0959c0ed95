"""``debias fit``: remedies for language bias that need no training."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mteb_hybrid.commands.options import Commands, add_verbosity, positive


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
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
    fit.add_argument("--rows", type=positive, help="the first so many rows of the corpus only")
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
    fit.add_argument("--components", type=positive, default=1, help="of each language, for lir; default: 1")
    fit.add_argument(
        "--apply", choices=("documents", "all"), help="default: documents; with lir all, queries and documents"
    )
    fit.add_argument("-o", "--output", required=True, metavar="FILE", help="such as shift.safetensors")
    fit.add_argument("--batch-size", type=positive, default=32, help="texts encoded at once; default: 32")
    fit.add_argument("--device", help="as in sentence-transformers: cpu, cuda, cuda:1, mps")
    add_verbosity(fit)
    fit.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
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
