"""What the measuring programs share: processes of their own for what is measured, faults, options, output.

It imports nothing heavy: on Linux a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.startup import ROOT


class BenchError(Exception):
    """A fault told in one line."""


def run_main(name: str, run: Callable[[], None]) -> None:
    """Run a measuring program and exit: 0, 2 on a fault, 130 when interrupted."""
    try:
        run()
    except BenchError as error:
        say(f"{name}: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        say(f"{name}: interrupted")
        sys.exit(130)


def run_child(module: str, spec: dict[str, Any], what: str, variables: dict[str, str]) -> dict[str, Any]:
    """Run one measured process to its end, ``python -m MODULE SPEC OUT``.

    Args:
        module: writes its result to the file OUT, as JSON.
        spec: what it is to do, given to it as JSON.
        what: what to call it.
        variables: set in its environment.

    Returns:
        The result, and ``wall``: seconds of the whole process, from outside.

    Raises:
        BenchError: the process failed.
    """
    say(f"{what} ...")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", module, json.dumps(spec), str(out)]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore"} | variables
        start = time.perf_counter()
        with subprocess.Popen(command, env=environment, stdout=sys.stderr.fileno()) as process:
            try:
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
        wall = time.perf_counter() - start
        if code:
            raise BenchError(f"{what}: the process ended with {code}; its own words are above")
        say(f"{what}: {wall:.1f} s")
        result: dict[str, Any] = json.loads(out.read_text())
        return result | {"wall": wall}


def model_folder(name: str) -> str:
    """The absolute path of a sentence-transformers folder.

    Raises:
        BenchError: it is none.
    """
    folder = Path(name).expanduser().resolve()
    if not (folder / "modules.json").is_file():
        raise BenchError(f"{folder} is no sentence-transformers folder (it has no modules.json)")
    return str(folder)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write all raw figures.

    Raises:
        BenchError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write {path} ({error.strerror})") from None


def show(lines: list[str]) -> None:
    """Print a part of the report at once."""
    print("\n".join(lines), flush=True)


def say(text: str) -> None:
    """Tell what goes on, beside the report."""
    print(text, file=sys.stderr, flush=True)
