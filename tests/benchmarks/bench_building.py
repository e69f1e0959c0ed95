"""What building a corpus costs: rows a second of each stage, memory by the number of rows, what a kill costs.

    python -m tests.benchmarks.bench_building --rows 100000 1000000
    python -m tests.benchmarks.bench_building --rows 20000 --kills 20

Rows are generated: an English question of nine words and a passage of eighty, one row in fifty a copy of an earlier one
with a word changed. Each size is a process of its own, which builds with one process and tells the seconds of each
stage and the most memory that it had for itself; files that are mapped into memory are told apart. Languages are not
identified, as the texts are in none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import yaml
from pyarrow import parquet

from tests.benchmarks.memory import Memory

QUERY_WORDS, PASSAGE_WORDS = 9, 80
_VOCABULARY = 50_000
_AT_ONCE = 50_000
_COPIES = 50


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and print a line of JSON for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000], help="sizes")
    parser.add_argument("--kills", type=int, default=0, help="kill so often at random, and compare with a whole run")
    parser.add_argument("--seed", type=int, default=0, help="of texts and kills")
    parser.add_argument("--work", type=Path, help="where to work; a folder that is removed by default")
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(None if arguments is None else list(arguments))
    if options.build is not None:
        print(json.dumps(build(options.build)))
        return 0
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        for rows in options.rows:
            folder = prepare(Path(work) / str(rows), rows, options.seed)
            measured = json.loads(_run(folder))
            print(json.dumps({"rows": rows, **measured}), flush=True)
            if options.kills:
                print(json.dumps({"rows": rows, **kill(folder, options.kills, options.seed)}), flush=True)
            shutil.rmtree(folder)
    return 0


def prepare(folder: Path, rows: int, seed: int) -> Path:
    """Write a source, a collection to hold it against, and a build file."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("id", "query_en", "passage_en")])
    with parquet.ParquetWriter(folder / "rows.parquet", schema) as writer:
        for start in range(0, rows, _AT_ONCE):
            writer.write_table(_table(draw, start, min(_AT_ONCE, rows - start), schema))
    held = [
        {"role": role, "id": f"{role}{number}", "language": "en", "group": [str(number)], "text": text}
        for number, texts in enumerate(zip(_texts(draw, 100, 12), _texts(draw, 100, 40), strict=True))
        for role, text in zip(("query", "passage"), texts, strict=True)
    ]
    (folder / "held.jsonl").write_text("".join(json.dumps(line) + "\n" for line in held))
    settings = {
        "sources": [{"source": str(folder / "rows.parquet"), "license": "cc0-1.0"}],
        "cleaning": {"language": False},
        "decontamination": {"tasks": [], "files": [str(folder / "held.jsonl")]},
    }
    (folder / "build.yaml").write_text(yaml.safe_dump(settings))
    return folder


def build(folder: Path) -> dict[str, Any]:
    """Build, and tell what each stage took and what this process held at most."""
    from mteb_hybrid.building.build import build_corpus
    from mteb_hybrid.building.build_file import read_build_file
    from mteb_hybrid.building.engines import Unit, engine

    run, told = engine("datasets", show_progress_bar=False), [("start", time.monotonic())]

    def timed(units: Sequence[Unit], what: str) -> None:
        told.append((f"before {what}", time.monotonic()))
        memory.stage = what
        run(units, what)
        told.append((what, time.monotonic()))
        memory.stage = f"after {what}"

    with Memory("before sources") as memory:
        lock = build_corpus(
            read_build_file(folder / "build.yaml"), folder / "corpus", timed, overwrite=True, show_progress_bar=False
        )
    told.append(("written", time.monotonic()))
    seconds = {name: end - begin for (_, begin), (name, end) in pairwise(told)}
    rows = {stage.stage: stage.rows for stage in lock.files[0].stages}
    return {
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "rows_after": rows,
        "rows_a_second": {
            "read and clean": round(rows["read"] / seconds["sources"]),
            "signatures": round(rows["clean"] / seconds["signatures"]),
            "duplicates": round(rows["clean"] / (seconds["before duplicates"] + seconds["duplicates"])),
            "decontaminate": round(rows["duplicates"] / seconds["decontamination"]),
            "write": round(rows["decontaminate"] / seconds["written"]),
        },
        "peak_mb": round(max(memory.own.values()) / 1e6),
        "peak_mb_by_stage": {stage: round(held / 1e6) for stage, held in memory.own.items()},
        "mapped_mb": round(memory.mapped / 1e6),
    }


def kill(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill builds of the same again and again, and hold what comes out against what is there."""
    whole, draw, done = _digests(folder / "corpus"), random.Random(seed), 0
    began = time.monotonic()
    shutil.rmtree(folder / "corpus")
    while done < kills:
        with subprocess.Popen(_command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(draw.uniform(4, 20))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                done += 1
        if (folder / "corpus").exists():  # done before it was killed: once more from the start
            assert _digests(folder / "corpus") == whole, "other bytes after a kill"
            shutil.rmtree(folder / "corpus")
    _run(folder)
    same = _digests(folder / "corpus") == whole
    return {"kills": done, "same_bytes": same, "seconds": round(time.monotonic() - began, 1)}


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.bench_building", "--build", str(folder)]


def _run(folder: Path) -> str:
    done = subprocess.run(_command(folder), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _table(draw: np.random.Generator, start: int, rows: int, schema: pyarrow.Schema) -> pyarrow.Table:
    queries, passages = list(_texts(draw, rows, QUERY_WORDS)), list(_texts(draw, rows, PASSAGE_WORDS))
    for row in range(_COPIES, rows, _COPIES):
        queries[row] = queries[row - 1]
        passages[row] = passages[row - 1] + " again"
    ids = [f"row{number}" for number in range(start, start + rows)]
    return pyarrow.table([ids, queries, passages], schema=schema)


def _texts(draw: np.random.Generator, count: int, words: int) -> Iterator[str]:
    """Texts of made-up words, the frequent ones far more frequent than the others, as in any language."""
    ranks = np.minimum(draw.zipf(1.3, size=(count, words)), _VOCABULARY)
    return (" ".join(map(_word, line)) for line in ranks.tolist())


@cache
def _word(rank: int) -> str:
    """A word of letters for a number."""
    letters = ""
    rank += 700  # of three letters or more
    while rank:
        rank, letter = divmod(rank, 26)
        letters += chr(ord("a") + letter)
    return letters


if __name__ == "__main__":
    raise SystemExit(main())
