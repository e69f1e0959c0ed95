"""Measures training: the sampler, its memory, and the trainer with it against the stock one.

    python -m tests.benchmarks.bench_training [--model FOLDER] [--rows N] [--repeats R] [--only PART] [--json FILE]

Each measurement is a process of its own. This process imports nothing heavy: on Linux a child's peak memory begins with
its parent's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.machine import describe_machine
from tests.benchmarks.process import BenchError, model_folder, positive, run_child, run_main, show, write_report
from tests.benchmarks.report import machine_lines
from tests.benchmarks.training_child import SIZE
from tests.benchmarks.training_report import (
    data_lines,
    memory_lines,
    no_duplicates_lines,
    sampler_lines,
    trainer_lines,
)

_LEAST_ROWS = 500
PARTS = ("sampler", "memory", "trainer", "no-duplicates")
SIDES = ("stock", "sampler", "hybrid")
_TIMED = ("data", "model", "trainer", "first", "loop", "processor", "wall", "rate")
_MEMORY_CASES: tuple[dict[str, Any], ...] = (
    {"strategy": "hybrid", "presence": 1.0, "groups": False},
    {"strategy": "hybrid", "presence": 0.9, "groups": True},
    # the most a strategy takes: more cross-lingual rows are asked for than there are, so that these get an order too
    {"strategy": "cross", "presence": 0.5, "groups": True},
)


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
    parts = [options.only] if options.only else PARTS
    report: dict[str, Any] = {"machine": describe_machine()}
    show(machine_lines(report["machine"]))
    with tempfile.TemporaryDirectory() as folder:
        if parts != ["memory"]:
            report["data"] = _child({"role": "data", "rows": options.rows, "folder": folder}, "data", folder)
            show(data_lines(report["data"], SIZE))
        if "sampler" in parts:
            report["sampler"] = measure_sampler(options, folder, list(report["data"]["corpora"]))
        if "memory" in parts:
            report["memory"] = measure_memory(options, folder)
        if "trainer" in parts:
            report["trainer"] = measure_trainer(options, folder)
        if "no-duplicates" in parts:
            report["no_duplicates"] = measure_no_duplicates(options, folder)
    return report


def measure_sampler(options: argparse.Namespace, folder: str, corpora: list[str]) -> dict[str, Any]:
    """Batches a second, a process for each corpus."""
    spec = {"role": "sampler", "folder": folder, "repeats": options.repeats}
    found = {corpus: _child(spec | {"corpus": corpus}, f"sampler, {corpus}", folder) for corpus in corpora}
    show(sampler_lines(found, options.repeats))
    return found


def measure_memory(options: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    """What the sampler takes of time and memory for many rows."""
    found = []
    for case in _MEMORY_CASES:
        spec = {"role": "memory", "rows": options.memory_rows, "languages": 9, "batches": 1000} | case
        figures = _child(spec, f"memory, {case['strategy']}, presence {case['presence']:g}", folder)
        show(memory_lines(spec, figures))
        found.append(spec | figures)
    return found


def measure_trainer(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The same pairs in the same order through each trainer, in turns."""
    spec = {"folder": folder, "corpus": "complete", "steps": options.steps, "model": options.model}
    steps = spec["steps"] = _child(spec | {"role": "pairs"}, "pairs", folder)["steps"]
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for turn in range(options.repeats):
        for side in SIDES if turn % 2 else reversed(SIDES):
            run = _child(spec | {"role": "train", "side": side}, f"trainer, {side}, {turn + 1}", folder)
            runs[side].append(run)
    found = {
        "steps": steps,
        "repeats": options.repeats,
        "model": options.model,
        "sides": {side: {name: median(run[name] for run in done) for name in _TIMED} for side, done in runs.items()},
        "weights": {side: [run["weights"] for run in done] for side, done in runs.items()},
        "runs": runs,
    }
    show(trainer_lines(found))
    return found


def measure_no_duplicates(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Set-up, iteration and clashes, against the sampler of sentence-transformers that keeps equal texts apart."""
    kinds = ["ours", "plain", *(["hashed"] if find_spec("xxhash") else [])]
    spec = {"folder": folder, "repeats": options.repeats}
    timed: dict[str, dict[str, Any]] = {}
    for corpus in ("complete", "complete, groups"):
        for kind in kinds:
            what = spec | {"role": "no_duplicates", "corpus": corpus, "sampler": kind}
            timed.setdefault(corpus, {})[kind] = _child(what, f"no duplicates, {corpus}, {kind}", folder)
    clashes = _child(spec | {"role": "clashes", "corpus": "complete", "rows": 2000}, "clashes", folder)
    found = {"timed": timed, "clashes": clashes}
    show(no_duplicates_lines(found, options.repeats))
    return found


def _child(spec: dict[str, Any], what: str, folder: str) -> dict[str, Any]:
    variables = {
        "TOKENIZERS_PARALLELISM": "false",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
        "HF_DATASETS_CACHE": str(Path(folder) / "cache"),  # nothing stays behind
        "HF_HUB_OFFLINE": "1",
        "MTEB_HYBRID_AUTOLOAD": "0",
    }
    return run_child("tests.benchmarks.training_child", spec, what, variables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_training", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", metavar="FOLDER", help="sentence-transformers folder (BENCH_MODEL; else the tiny)")
    parser.add_argument("--rows", type=positive, default=20_000, help="rows of the training data (20,000)")
    parser.add_argument("--steps", type=positive, help="of a training run, one epoch at most (tiny: 200, models: 20)")
    parser.add_argument("--memory-rows", type=positive, default=40_000_000, metavar="N", help="40,000,000")
    parser.add_argument("--repeats", type=positive, default=5, help="of each measurement but memory (5)")
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw figures")
    options = parser.parse_args()
    name = options.model or os.environ.get("BENCH_MODEL")
    options.model = model_folder(name) if name else None
    options.steps = options.steps or (20 if options.model else 200)
    if options.rows < _LEAST_ROWS or options.steps < 2:
        raise BenchError(f"--rows must be {_LEAST_ROWS} at least, to fill batches of {SIZE} passages, and --steps 2")
    return options


if __name__ == "__main__":
    main()
