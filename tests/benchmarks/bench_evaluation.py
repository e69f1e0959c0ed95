"""Measures this package's evaluation of XQuAD-R against unmodified mteb, and what its start-up line costs.

    python -m tests.benchmarks.bench_evaluation [--model FOLDER] [--encoder random] [--sample N] [--json FILE]

Both sides get the same texts and the same model, each in a process of its own. This process imports nothing heavy:
on Linux a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.agreement import TOLERANCE, compare
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.report import (
    agreement_lines,
    evaluation_lines,
    machine_lines,
    startup_lines,
    workload_lines,
)
from tests.benchmarks.startup import ROOT, measure_startup

TINY = "mteb-hybrid/tiny"
EXPLAINED_SUBSETS = 4


class BenchError(Exception):
    """A fault told in one line."""


def main() -> None:
    """Measure, print, exit: 0, 2 on a fault, 130 when interrupted."""
    try:
        options = _options()
        report = measure(options)
        if options.json:
            _write(options.json, report)
    except BenchError as error:
        _say(f"bench: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        _say("bench: interrupted")
        sys.exit(130)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the parts asked for, printing each as soon as it is there."""
    report: dict[str, Any] = {"machine": describe_machine()}
    _print(machine_lines(report["machine"]))
    if options.only in (None, "evaluation"):
        report["evaluation"] = measure_evaluation(options)
    if options.only in (None, "startup"):
        _say("start-up: processes in turns")
        report["startup"] = measure_startup(options.repeats, options.import_repeats)
        _print(startup_lines(report["startup"]))
    return report


def measure_evaluation(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluate on both sides, and with language bias on ours; then compare."""
    spec = {"encoder": options.encoder, "sample": options.sample, "batch_size": options.batch_size}
    work = _child(spec | {"role": "prepare"}, "data")
    _print(workload_lines(spec, work))
    spec["source"] = work["source"]
    ours = _child(spec | {"role": "ours", "bias": False}, "mteb-hybrid")
    biased = _child(spec | {"role": "ours", "bias": True}, "mteb-hybrid, with language bias")
    theirs = _child(spec | {"role": "plain"}, "unmodified mteb")
    _print(evaluation_lines(ours, biased, theirs))
    agreement = compare(ours.pop("scores"), theirs.pop("scores"))
    biased.pop("scores")
    if agreement["differing"]:
        agreement["explanation"] = explain(spec, agreement)
    _print(agreement_lines(agreement, TOLERANCE))
    return {"spec": spec, "work": work, "ours": ours, "with_bias": biased, "mteb": theirs, "agreement": agreement}


def explain(spec: dict[str, Any], agreement: dict[str, Any]) -> dict[str, Any]:
    """Evaluate the subsets that differ most again, with the very same vectors on both sides."""
    subsets = list(dict.fromkeys(row[1] for row in agreement["differing"]))[:EXPLAINED_SUBSETS]
    found = _child(spec | {"role": "explain", "subsets": subsets}, "why figures differ")
    again = compare(*found["scores"])
    return {"subsets": subsets, "ties": found["ties"], "largest": again["largest"], "differing": again["differing"]}


def _child(spec: dict[str, Any], what: str) -> dict[str, Any]:
    """Run one measured process to its end; ``wall`` is its whole life, from outside."""
    _say(f"{what} ...")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", "tests.benchmarks.child", json.dumps(spec), str(out)]
        start = time.perf_counter()
        with subprocess.Popen(command, env=_environment(spec), stdout=sys.stderr.fileno()) as process:
            try:
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
        wall = time.perf_counter() - start
        if code:
            raise BenchError(f"{what}: the process ended with {code}; its own words are above")
        _say(f"{what}: {wall:.1f} s")
        result: dict[str, Any] = json.loads(out.read_text())
        return result | {"wall": wall}


def _environment(spec: dict[str, Any]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {
        "PYTHONPATH": path,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONWARNINGS": "ignore",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    if spec["role"] == "prepare":
        return environment
    environment |= {"HF_HUB_OFFLINE": "1"}  # nothing measured waits for a network
    # the plugin stays out of the other side; ours registers by itself where it is not installed
    return environment if spec["role"] == "ours" else environment | {"MTEB_HYBRID_AUTOLOAD": "0"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_evaluation", description=(__doc__ or "").partition("\n")[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="FOLDER", help=f"sentence-transformers folder (BENCH_MODEL; else {TINY})")
    model.add_argument("--encoder", choices=["random"], help="a free encoder: random vectors, 384 dimensions")
    parser.add_argument("--sample", type=_positive, metavar="N", help="every Nth paragraph (random: 1, models: 8)")
    parser.add_argument("--batch-size", type=_positive, default=32, help="texts a batch (mteb's default, 32)")
    parser.add_argument("--only", choices=["evaluation", "startup"], help="one of the two parts")
    parser.add_argument("--repeats", type=_positive, default=40, help="start-up: runs of each kind (40)")
    parser.add_argument("--import-repeats", type=_positive, default=5, help="start-up: imports of mteb (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw figures")
    options = parser.parse_args()
    options.encoder = options.encoder or _model(options.model or os.environ.get("BENCH_MODEL") or TINY)
    options.sample = options.sample or (1 if options.encoder == "random" else 8)
    return options


def _model(name: str) -> str:
    if name == TINY:
        return name
    folder = Path(name).expanduser().resolve()
    if not (folder / "modules.json").is_file():
        raise BenchError(f"{folder} is no sentence-transformers folder (it has no modules.json)")
    return str(folder)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write {path} ({error.strerror})") from None


def _print(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
