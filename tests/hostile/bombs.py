"""Small files that unpack to gigabytes, and what reads each: run in a process that may have little memory.

``python -m tests.hostile.bombs FOLDER NAME...`` imports what the readers need once, then forks a process for each bomb,
which may take ``ROOM`` bytes more than it has, and prints a line of JSON about each.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from mteb_hybrid.building.sources.read import read
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.comparing import compare
from mteb_hybrid.data.collection_folder import read_collection
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import read_lock
from mteb_hybrid.data.lareqa import read_lareqa
from mteb_hybrid.data.own import load_collection
from mteb_hybrid.debias.file import read_debiasing
from mteb_hybrid.errors import HybridError
from mteb_hybrid.html_report.queries import read_queries
from mteb_hybrid.models import check_model_folder
from mteb_hybrid.reporting import report
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.results import read_results
from mteb_hybrid.settings.yaml_lines import read_yaml

ROOM = 1 << 30
"""What a reader may take; every bomb is at least four times as large once it is unpacked."""

SECONDS = 120

Read = Callable[[Path], Any]


def _gz(path: Path, piece: bytes, times: int) -> None:
    """Write a gzip file of the same piece many times over, packed once."""
    packer = zlib.compressobj(9, wbits=31)
    member = packer.compress(piece) + packer.flush()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(times):
            file.write(member)


def _source(name: str) -> Read:
    def reader(folder: Path) -> int:
        work = folder / "work"
        work.mkdir()
        settings = SourceSettings(source=name, files=str(folder / "files"), languages=["en"])
        return sum(len(table) for table in read(settings, folder=work))

    return reader


def _mkqa_of_zeros(folder: Path) -> None:
    _gz(folder / "files" / "dataset" / "mkqa.jsonl.gz", bytes(1 << 24), 640)  # 10 GB


def _mkqa_of_one_text(folder: Path) -> None:
    _gz(folder / "files" / "dataset" / "mkqa.jsonl.gz", b'{"example_id": "' + b"x" * (1 << 26), 160)


def _tydi_of_brackets(folder: Path) -> None:
    _gz(folder / "files" / "mrtydi-v1.1-english" / "train.jsonl.gz", b"[" * (1 << 26), 100)


def _mintaka_of_zeros(folder: Path) -> None:
    path = folder / "files" / "data" / "mintaka_train.json"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(10 << 30)  # a file with holes: no room on the disk


def _sparse(name: str, size: int = 10 << 30) -> Read:
    def make(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return make


def _same_text(folder: Path, name: str, columns: dict[str, Any], rows: int, text: str) -> None:
    """Write a Parquet file whose every row has the same long text, which stands in it once."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    long = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), [text])
    table = {key: long if value is None else value for key, value in columns.items()}
    parquet.write_table(pyarrow.table(table), path, compression="zstd", store_schema=False,
                        dictionary_pagesize_limit=1 << 30)  # fmt: skip


def _many(prefix: str, rows: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(rows)]


ROWS = 20_000
MEGABYTE = "x" * (1 << 20)


def _own_table(folder: Path) -> None:
    columns = {
        "role": ["passage"] * ROWS,
        "id": _many("p", ROWS),
        "language": ["en"] * ROWS,
        "group": [[]] * ROWS,
        "text": None,
    }
    columns["group"] = pyarrow.array([[]] * ROWS, pyarrow.list_(pyarrow.string()))
    _same_text(folder, "own.parquet", columns, ROWS, MEGABYTE)


def _pairs_table(folder: Path) -> None:
    columns = {"id": _many("p", ROWS), "query_en": None, "passage_en": None}
    _same_text(folder, "pairs.parquet", columns, ROWS, MEGABYTE)


def _published_table(folder: Path) -> None:
    manifest = {"format": 1, "task": "X", "name": "x", "languages": ["en"], "revision": "1"}
    (folder / "collection.json").write_text(json.dumps(manifest))
    groups = pyarrow.array([["g"]] * ROWS, pyarrow.list_(pyarrow.string()))
    for role in ("queries", "corpus"):
        _same_text(
            folder, f"{role}/en.parquet", {"id": _many("p", ROWS), "text": None, "groups": groups}, ROWS, MEGABYTE
        )


def _scores_table(folder: Path) -> None:
    for model in ("a", "b"):
        place = folder / "results" / f"local__{model}" / "rev1"
        place.mkdir(parents=True)
        entry = {"hf_subset": "en-all", "map": 0.5, "rank_distance": 1.0}
        content = {"task_name": "ToyMultilingual", "dataset_revision": "abc", "scores": {"test": [entry]}}
        (place / "ToyMultilingual.json").write_text(json.dumps(content))
        columns = {
            "hf_subset": ["en-all"] * ROWS,
            "query": None,
            "group": None,
            "map": pyarrow.array([0.5] * ROWS, pyarrow.float32()),
            "rank_distance": pyarrow.array([1.0] * ROWS, pyarrow.float32()),
        }
        _same_text(place, "ToyMultilingual.queries.parquet", columns, ROWS, MEGABYTE)


def _queries_of(folder: Path) -> Any:
    runs = read_results(folder)
    assert report(folder, confidence=True)
    return [read_queries(run, Benchmark("Toy", ("en",))) for run in runs]


def _claimed_tensor(folder: Path) -> None:
    header = {"__metadata__": {"mteb_hybrid_debias": "{}"}}
    shape = [2**20, 2**10, 2**10]
    header["directions"] = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * 2**40]}  # type: ignore[dict-item]
    text = json.dumps(header).encode()
    with (folder / "x.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(len(text) + 8 + 4 * 2**40)


def _claimed_header(folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")


def _brackets(name: str) -> Read:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(b"[" * 1_000_000 + b"]" * 1_000_000)

    return make


def _digits(name: str) -> Read:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(b'{"id": ' + b"1" * 1_000_000 + b"}")

    return make


def _laughs(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (folder / "x.yaml").write_text("\n".join(lines))


BOMBS: dict[str, tuple[Read, Read]] = {
    "MKQA, 10 GB of zeros in gzip": (_mkqa_of_zeros, _source("MKQA")),
    "MKQA, a text of 10 GB in gzip": (_mkqa_of_one_text, _source("MKQA")),
    "MrTyDi, 6 GB of brackets in gzip": (_tydi_of_brackets, _source("MrTyDi")),
    "Mintaka, 10 GB of zeros": (_mintaka_of_zeros, _source("Mintaka")),
    "own collection, 20,000 times a megabyte": (_own_table, lambda at: load_collection(at / "own.parquet")),
    "corpus, 40,000 times a megabyte": (_pairs_table, lambda at: load_corpus(at / "pairs.parquet")),
    "collection on the Hub, 40,000 times a megabyte": (_published_table, read_collection),
    "scores of queries, 40,000 times a megabyte": (_scores_table, lambda at: compare(at, ["a"], ["b"])),
    "scores for a report, 40,000 times a megabyte": (_scores_table, _queries_of),
    "debiasing that claims 4 TB": (_claimed_tensor, lambda at: read_debiasing(at / "x.safetensors")),
    "debiasing whose header claims an exabyte": (_claimed_header, lambda at: read_debiasing(at / "x.safetensors")),
    "lock of 10 GB": (_sparse("corpus.lock.json"), lambda at: read_lock(at / "corpus.lock.json")),
    "settings of 10 GB": (_sparse("x.yaml"), lambda at: read_yaml(at / "x.yaml")),
    "settings that laugh": (_laughs, lambda at: read_yaml(at / "x.yaml")),
    "LAReQA of a million brackets": (_brackets("x.json"), lambda at: read_lareqa(at / "x.json", "en")),
    "own collection of a million brackets": (_brackets("x.jsonl"), lambda at: load_collection(at / "x.jsonl")),
    "corpus of a million brackets": (_brackets("x.jsonl"), lambda at: load_corpus(at / "x.jsonl")),
    "corpus with a number of a million digits": (_digits("x.jsonl"), lambda at: load_corpus(at / "x.jsonl")),
    "model of 10 GB of zeros": (_sparse("modules.json", 10 << 30), check_model_folder),
}


IN_SHORT = (
    "MKQA, 10 GB of zeros in gzip",
    "corpus, 40,000 times a megabyte",
    "debiasing that claims 4 TB",
    "lock of 10 GB",
    "settings that laugh",
    "corpus of a million brackets",
    "corpus with a number of a million digits",
)
"""The bombs of the short form: one of each kind."""


def _outcome(read_it: Read, folder: Path) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    try:
        read_it(folder)
        told = {"outcome": "taken", "line": ""}
    except HybridError as error:
        told = {"outcome": "refused", "line": str(error)}
    except BaseException:
        told = {"outcome": "traceback", "line": traceback.format_exc()[-2000:]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {**told, "megabytes": peak // 1024, "seconds": round(time.monotonic() - began, 1)}


def _in_little_room(name: str, folder: Path, to: int) -> None:
    """In a fork: never returns."""
    make, read_it = BOMBS[name]
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    make(folder)
    size = pages * resource.getpagesize() + ROOM + (1 << 29)  # threads of pyarrow reserve room that they never touch
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    os.write(to, json.dumps(_outcome(read_it, folder)).encode())
    os._exit(0)


def main() -> None:
    """Try the bombs that are named."""
    for number, name in enumerate(sys.argv[2:]):
        folder = Path(sys.argv[1]) / str(number)
        folder.mkdir(parents=True)
        out, to = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            _in_little_room(name, folder, to)
        os.close(to)
        with os.fdopen(out, "rb") as file:
            content = file.read()
        _, status = os.waitpid(pid, 0)
        told = json.loads(content) if content else {"outcome": "killed", "line": f"status {status}"}
        print(json.dumps({"bomb": name, **told}), flush=True)


if __name__ == "__main__":
    main()
