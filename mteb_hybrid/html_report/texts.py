"""The texts of a benchmark, where they are at hand: nothing is downloaded for a report."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.own import load_collection
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.benchmarks import Benchmark
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting

_ALONE = "Questions are named by their ids alone: "


def read_own(paths: Sequence[Path]) -> dict[str, ParallelCollection]:
    """Read collections of the user's own, by the revision that results name them by.

    Raises:
        HybridError: one of them cannot be read.
    """
    return {collection.revision: collection for collection in map(load_collection, paths)}


def find_texts(
    benchmark: Benchmark, runs: Sequence[ModelResults], own: Mapping[str, ParallelCollection]
) -> ParallelCollection | str:
    """Find the texts that the results of a benchmark are about.

    Args:
        benchmark: the benchmark.
        runs: the results.
        own: as ``read_own`` gives them.

    Returns:
        The collection; or in words why there is none: no such task is known, its data are not at hand, or they are
        other data than those of the results.
    """
    tasks = [setting.task_name(benchmark.name) for setting in (Setting.LANGUAGE_BIAS, Setting.MULTILINGUAL)]
    revisions = {run.dataset_revisions[task] for run in runs for task in tasks if task in run.dataset_revisions}
    if len(revisions) != 1:
        return _ALONE + "the results are of different revisions of the data."
    (revision,) = revisions
    if revision in own:
        return own[revision]
    try:
        collection, current = _of_task(tasks[0])
    except HybridError as error:
        return f"{_ALONE}{one_line(error, 500)}."
    if current != revision:
        return (
            f"{_ALONE}the results are of revision {one_line(revision, 12)} of the data, and {current[:12]} is at hand."
        )
    return collection


def _of_task(name: str) -> tuple[ParallelCollection, str]:
    """The collection of a task of this package, and its revision."""
    import mteb

    from mteb_hybrid.registry import register

    register()
    try:
        task: Any = mteb.get_task(name)
    except KeyError:
        raise HybridError("no task of this name is known; give a collection of your own with --data FILE") from None
    if not hasattr(task, "load_collection"):
        raise HybridError("the task is not one of this package")
    with _no_network():
        collection: ParallelCollection = type(task).load_collection()
    return collection, str(task.metadata.revision)


@contextmanager
def _no_network() -> Iterator[None]:
    """Let nothing in this process find an address: what is in a cache is read, and what is not is not fetched."""
    look_up = socket.getaddrinfo

    def refuse(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_FAIL, "a report downloads nothing")

    socket.getaddrinfo = refuse
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
