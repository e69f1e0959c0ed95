"""The whole translation on one machine: texts, translations on all devices, and back into the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event

from mteb_hybrid.building.translation.plan import Plan
from mteb_hybrid.building.translation.put_back import PutBack, put_back
from mteb_hybrid.building.translation.shard import Job, devices_of, translation_jobs
from mteb_hybrid.building.translation.texts import distinct_texts

Report = Callable[[int, int], None]
"""Is told how many jobs are done, and how many there are."""


def translate_corpus(
    shards: Sequence[Path],
    plan: Plan,
    folder: Path,
    outputs: Sequence[Path],
    do: Callable[[Sequence[Job]], None] | None = None,
) -> PutBack:
    """Make pairs of one language parallel.

    Killed and called again it goes on: what is lost are the shards of texts that were being translated.

    Args:
        shards: of all sources, in their order.
        plan: models and settings.
        folder: for what is in between.
        outputs: the file for each shard.
        do: does the jobs that are not done; by default devices of this machine do.

    Raises:
        HybridError: a model cannot be had, or the memory or the disk is full.
    """
    texts = distinct_texts(shards, plan.settings, folder)
    jobs = translation_jobs(texts, plan, folder / "translated")
    waiting = [job for job in jobs if not job.done()]
    if do is None:
        run_jobs(waiting, devices_of(plan.settings))
    else:
        do(waiting)
    return put_back(shards, files_of(jobs, plan), plan.settings, folder, outputs)


def files_of(jobs: Sequence[Job], plan: Plan) -> dict[str, list[Path]]:
    """The files of jobs by language, as ``put_back`` takes them."""
    return {language: [job.output for job in jobs if job.language == language] for language in plan.settings.languages}


def run_jobs(jobs: Sequence[Job], devices: Sequence[str], report: Report | None = None) -> None:
    """Translate on devices of this machine: on several of them, one process each, and here otherwise.

    Args:
        jobs: what there is to do; the files are the same whatever does it.
        devices: as in torch.
        report: is told how far it is.

    Raises:
        HybridError: a model cannot be had, or does not fit on its device.
    """
    waiting = [job for job in jobs if not job.done()]
    done = len(jobs) - len(waiting)
    if report:
        report(done, len(jobs))
    for _ in _outcomes(waiting, devices):
        done += 1
        if report:
            report(done, len(jobs))


def _outcomes(jobs: Sequence[Job], devices: Sequence[str]) -> Iterator[Path]:
    if len(devices) == 1 or len(jobs) < 2:
        for job in jobs:
            yield replace(job, device=devices[0])()
        return
    waiting: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    done: SimpleQueue[Path | BaseException] = SimpleQueue()
    stop = Event()
    with ThreadPoolExecutor(len(devices)) as threads:
        try:
            for device in devices:
                threads.submit(_serve, device, waiting, done, stop)
            for _ in jobs:
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            stop.set()


def _serve(device: str, waiting: SimpleQueue[Job], done: SimpleQueue[Path | BaseException], stop: Event) -> None:
    """Have one process translate on one device, until nothing waits."""
    # a process of its own that inherits nothing: a GPU cannot be used in a copy of a process that used it
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        while not stop.is_set():
            try:
                job = waiting.get_nowait()
                done.put(process.submit(replace(job, device=device)).result())
            except Empty:
                return
            except BaseException as error:  # to be raised where it is waited for
                done.put(error)
                return
