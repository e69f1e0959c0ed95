"""What the commands ``encode`` and ``rank`` do: checked before it starts, and its outcome written and shown."""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from mteb_hybrid.alone import alone
from mteb_hybrid.errors import HybridError
from mteb_hybrid.large.folder import MANIFEST, Manifest, VectorFolder, open_folder
from mteb_hybrid.large.memory import bytes_of
from mteb_hybrid.large.scores import LanguageScores, mean_scores, scores_by_language
from mteb_hybrid.large.search import Kind, SearchReport, check_memory, search
from mteb_hybrid.large.tables import rank_tables
from mteb_hybrid.reporting.render import Format, render
from mteb_hybrid.whole import whole_file

SCORES = "scores.json"


def encode(
    data: Path,
    model: str,
    folder: Path,
    *,
    name: str | None = None,
    batch_size: int = 32,
    dtype: Literal["float32", "float16"] = "float32",
    device: str | None = None,
    show_progress_bar: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> VectorFolder:
    """Encode a collection by a model of this name, in as many processes as were started.

    Args:
        data: as for ``encode_collection``.
        model: a short name, or what mteb takes.
        folder: as for ``encode_collection``.
        name: what the collection is called; the file's stem by default.
        batch_size: texts encoded at once.
        dtype: of the numbers that are kept.
        device: as in sentence-transformers.
        show_progress_bar: whether to show progress.
        say: is told what happens, a line at a time.

    Raises:
        HybridError: as of ``encode_collection``; or there is no such model, or it cannot be loaded.
    """
    import datasets
    from mteb.models import EncoderProtocol, SearchProtocol

    from mteb_hybrid.evaluation.own import check_name
    from mteb_hybrid.evaluation.run import find_model, load_model
    from mteb_hybrid.large.encode import EncodeSettings, encode_collection
    from mteb_hybrid.large.processes import this_process
    from mteb_hybrid.registry import register

    register()
    datasets.disable_progress_bars()  # of each batch; encoding has its own
    settings = EncodeSettings(check_name(name or data.stem), batch_size, dtype)
    if not data.exists():
        raise HybridError(f"{data} is not there; name a collection, as for `mteb-hybrid evaluate --data`")
    meta = find_model(model)
    processes = this_process()
    encoder = load_model(meta, model, processes.device(device))
    if not isinstance(encoder, EncoderProtocol) or isinstance(encoder, SearchProtocol):
        raise HybridError(
            f"{model} does not give one vector a text; evaluate it with `mteb-hybrid evaluate --data {data}`"
        )
    heard: Callable[[str], None] = say if processes.is_main else lambda _: None
    made = encode_collection(
        data,
        encoder,
        folder,
        settings,
        processes=processes,
        show_progress_bar=show_progress_bar and processes.is_main,
        say=heard,
    )
    plan = made.plan
    heard(
        f"{folder} holds {plan.queries:,} queries and {plan.passages:,} passages as {plan.dimensions} numbers each "
        f"({plan.dtype}, {plan.similarity})"
    )
    heard(f"next: mteb-hybrid rank {folder}")
    return made


def rank(
    path: Path,
    *,
    memory: str = "2GB",
    indexes: Sequence[Kind] = (),
    top: int = 100,
    checksums: bool = False,
    output: Path | None = None,
    format: Format = "terminal",
    show_progress_bar: bool = False,
) -> str:
    """Rank a folder of vectors, write the scores as JSON, and give tables of them.

    Args:
        path: the folder.
        memory: what this process may hold, such as ``2GB``.
        indexes: indexes to search by as well.
        top: how many passages these search for.
        checksums: compare the checksums of all files first.
        output: the file of the scores; in the folder by default.
        format: of the tables.
        show_progress_bar: whether to show progress.

    Raises:
        HybridError: the folder is not whole, the memory is too little, or a file cannot be written.
    """
    from mteb_hybrid.large.queries import read_queries
    from mteb_hybrid.large.rank import rank_folder

    allowed = bytes_of(memory)
    folder, manifest = open_folder(path)
    file = output or path / SCORES
    _check_writable(file)
    top = min(top, folder.plan.passages)
    for kind in indexes:
        check_memory(kind, folder, allowed, top)
    if checksums:
        folder.check_sums(manifest)
    with _alone(path):
        begun = time.perf_counter()
        queries = read_queries(folder)
        bar = partial(tqdm, disable=not show_progress_bar)
        rankings = rank_folder(folder, queries, memory=allowed, depth=max(top, 10), bar=bar)
        seconds = time.perf_counter() - begun
        scores = scores_by_language(queries, rankings)
        with _nothing_printed():  # faiss tells of its files on standard output
            reports = [search(kind, folder, queries, rankings, top) for kind in dict.fromkeys(indexes)]
    _write(file, manifest, scores, reports, {"memory": allowed, "seconds": round(seconds, 3)})
    return render(rank_tables(manifest.plan, scores, reports), format)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(alone(folder / MANIFEST))
        except OSError as error:
            fault = error.strerror or error
            raise HybridError(f"{folder}: {fault}; mend that, and the same command goes on where it was") from None
        yield


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Let what libraries in C print on standard output go nowhere."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        if sys.platform != "win32":
            ctypes.CDLL(None).fflush(None)  # what C holds back would be printed later
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _check_writable(file: Path) -> None:
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK) or file.is_dir():
        raise HybridError(f"cannot write {file}; choose another --output")


def _write(
    file: Path,
    manifest: Manifest,
    scores: Sequence[LanguageScores],
    reports: Sequence[SearchReport],
    run: Mapping[str, Any],
) -> None:
    plan = manifest.plan
    content = {
        "model": plan.model,
        "revision": plan.revision,
        "data": {"name": plan.name, "sha256": plan.data_sha256},
        "passages": plan.passages,
        "queries": plan.queries,
        "run": run,
        "mean": mean_scores(scores),
        "scores": {of.subset: {"queries": of.queries, **of.scores} for of in scores},
        "indexes": [report.as_json() for report in reports],
    }
    try:
        with whole_file(file) as partial_file:
            text = json.dumps(_without_nan(content), indent=1, ensure_ascii=False, allow_nan=False)
            partial_file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {file} ({error.strerror or error}); choose another --output") from None


def _without_nan(value: Any) -> Any:
    """The value with null for what is not a number, which JSON has not."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
