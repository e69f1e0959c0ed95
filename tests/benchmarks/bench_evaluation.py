"""Measures this package's evaluation of XQuAD-R against unmodified mteb, and what its start-up line costs.

    python -m tests.benchmarks.bench_evaluation [--model FOLDER] [--encoder random] [--sample N] [--json FILE]

Both sides get the same texts and the same model, each in a process of its own. This process imports nothing heavy:
on Linux a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from tests.benchmarks.agreement import TOLERANCE, compare
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.process import model_folder, positive, run_child, run_main, say, show, write_report
from tests.benchmarks.report import (
    agreement_lines,
    evaluation_lines,
    machine_lines,
    startup_lines,
    workload_lines,
)
from tests.benchmarks.startup import measure_startup

TINY = "mteb-hybrid/tiny"
EXPLAINED_SUBSETS = 4


def main() -> None:
    """Measure, print, exit: 0, 2 on a fault, 130 when interrupted."""
    run_main("bench", _main)


def _main() -> None:
    options = _options()
    report = measure(options)
    if options.json:
        write_report(options.json, report)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the parts asked for, printing each as soon as it is there."""
    report: dict[str, Any] = {"machine": describe_machine()}
    show(machine_lines(report["machine"]))
    if options.only in (None, "evaluation"):
        report["evaluation"] = measure_evaluation(options)
    if options.only in (None, "startup"):
        say("start-up: processes in turns")
        report["startup"] = measure_startup(options.repeats, options.import_repeats)
        show(startup_lines(report["startup"]))
    return report


def measure_evaluation(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluate on both sides, and with language bias on ours; then compare."""
    spec = {"encoder": options.encoder, "sample": options.sample, "batch_size": options.batch_size}
    work = _child(spec | {"role": "prepare"}, "data")
    show(workload_lines(spec, work))
    spec["source"] = work["source"]
    ours = _child(spec | {"role": "ours", "bias": False}, "mteb-hybrid")
    biased = _child(spec | {"role": "ours", "bias": True}, "mteb-hybrid, with language bias")
    theirs = _child(spec | {"role": "plain"}, "unmodified mteb")
    show(evaluation_lines(ours, biased, theirs))
    agreement = compare(ours.pop("scores"), theirs.pop("scores"))
    biased.pop("scores")
    if agreement["differing"]:
        agreement["explanation"] = explain(spec, agreement)
    show(agreement_lines(agreement, TOLERANCE))
    return {"spec": spec, "work": work, "ours": ours, "with_bias": biased, "mteb": theirs, "agreement": agreement}


def explain(spec: dict[str, Any], agreement: dict[str, Any]) -> dict[str, Any]:
    """Evaluate the subsets that differ most again, with the very same vectors on both sides."""
    subsets = list(dict.fromkeys(row[1] for row in agreement["differing"]))[:EXPLAINED_SUBSETS]
    found = _child(spec | {"role": "explain", "subsets": subsets}, "why figures differ")
    again = compare(*found["scores"])
    return {"subsets": subsets, "ties": found["ties"], "largest": again["largest"], "differing": again["differing"]}


def _child(spec: dict[str, Any], what: str) -> dict[str, Any]:
    variables = {"TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    if spec["role"] != "prepare":
        variables["HF_HUB_OFFLINE"] = "1"  # nothing measured waits for a network
        if spec["role"] != "ours":  # the plugin stays out of the other side; ours registers by itself where need be
            variables["MTEB_HYBRID_AUTOLOAD"] = "0"
    return run_child("tests.benchmarks.child", spec, what, variables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_evaluation", description=(__doc__ or "").partition("\n")[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="FOLDER", help=f"sentence-transformers folder (BENCH_MODEL; else {TINY})")
    model.add_argument("--encoder", choices=["random"], help="a free encoder: random vectors, 384 dimensions")
    parser.add_argument("--sample", type=positive, metavar="N", help="every Nth paragraph (random: 1, models: 8)")
    parser.add_argument("--batch-size", type=positive, default=32, help="texts a batch (mteb's default, 32)")
    parser.add_argument("--only", choices=["evaluation", "startup"], help="one of the two parts")
    parser.add_argument("--repeats", type=positive, default=40, help="start-up: runs of each kind (40)")
    parser.add_argument("--import-repeats", type=positive, default=5, help="start-up: imports of mteb (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw figures")
    options = parser.parse_args()
    options.encoder = options.encoder or _model(options.model or os.environ.get("BENCH_MODEL"))
    options.sample = options.sample or (1 if options.encoder == "random" else 8)
    return options


def _model(name: str | None) -> str:
    return model_folder(name) if name and name != TINY else TINY


if __name__ == "__main__":
    main()
