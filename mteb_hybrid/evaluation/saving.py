"""How often the results of a task with very many subsets are written.

mteb writes all results of a task after each subset. That is quadratic in the number of subsets: with 122 languages,
whose 14,762 cross-lingual subsets take 13 MB, it would be 100 GB. Here a task's results are written after each subset
only up to 50; beyond, when they have grown by a tenth, when they are complete, and when a run ends, for whatever
reason it can be told of. A run that is killed loses at most that tenth of a task, and evaluates it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.results import TaskResult

ALWAYS = 50
"""Subsets up to which results are written after each."""

GROWTH = 1.1


@dataclass
class _Task:
    """What is known of a task's results: how many subsets were written, as what, and what is not written yet."""

    subsets: int
    result: TaskResult
    pending: Callable[[], TaskResult] | None = None
    write: Callable[[TaskResult], None] | None = None


class Saving:
    """Which results of a run are due."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}

    def result(
        self, task: AbsTask, scores: Mapping[str, Mapping[str, Any]], make: Callable[[], TaskResult]
    ) -> TaskResult:
        """Give the results of a task after a subset.

        Args:
            task: the task.
            scores: split to subset to scores, as mteb goes on filling them.
            make: makes the results of all these; it takes long for many.

        Returns:
            All of them if they are due; else those that were given last, to be passed over by ``write``.
        """
        name, subsets = task.metadata.name, sum(map(len, scores.values()))
        known = self._tasks.get(name)
        if known is not None and subsets < known.subsets:  # of the run's next model
            self._end(name)
            known = None
        if subsets <= ALWAYS or not _is_ours(task):
            return make()
        if subsets >= len(task.hf_subsets) * len(task.eval_splits):
            self._tasks.pop(name, None)
            return make()
        if known is None or subsets >= known.subsets * GROWTH:
            made = make()
            self._tasks[name] = _Task(subsets, made, write=known.write if known else None)
            return made
        known.pending = make
        return known.result

    def write(self, result: TaskResult, write: Callable[[TaskResult], None]) -> None:
        """Write results, unless they are those that were written last."""
        known = self._tasks.get(result.task_name)
        if known is not None and known.result is result:
            if known.pending is not None:
                return
            known.write = write
        write(result)

    def finish(self) -> None:
        """Write what was not due; a run that fails has a fault of its own to tell."""
        for name in list(self._tasks):
            self._end(name)

    def _end(self, name: str) -> None:
        task = self._tasks.pop(name)
        if task.pending is not None and task.write is not None:
            with suppress(Exception):
                task.write(task.pending())


def _is_ours(task: AbsTask) -> bool:
    from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval

    return isinstance(task, AbsTaskParallelRetrieval)
