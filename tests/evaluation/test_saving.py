"""Which results of a task with many subsets are written, and as whose."""

from __future__ import annotations

from typing import Any, cast

from mteb.results import TaskResult

from mteb_hybrid.evaluation.saving import Saving
from tasks.parallel_world import ParallelWorldCrossLingual

ALL = len(ParallelWorldCrossLingual().hf_subsets)


class Files:
    """What is written for each model: how many subsets, and whose they are."""

    def __init__(self) -> None:
        self.saving = Saving()
        self.written: dict[str, tuple[str, int]] = {}
        self._task = ParallelWorldCrossLingual()

    def evaluate(self, model: str, subsets: range) -> None:
        """What mteb does after each subset: it makes a result of all so far, and writes it."""
        scores: dict[str, dict[str, Any]] = {"test": {}}
        for number in subsets:
            scores["test"][str(number)] = {}
            result = self.saving.result(self._task, scores, lambda: self._result(model, len(scores["test"])))
            self.saving.write(result, lambda each: self.written.update({model: self._content(each)}))

    def _result(self, model: str, subsets: int) -> TaskResult:
        made = TaskResult.model_construct(task_name=self._task.metadata.name)
        object.__setattr__(made, "of", (model, subsets))
        return made

    def _content(self, result: TaskResult) -> tuple[str, int]:
        return cast("tuple[str, int]", cast("Any", result).of)


def test_a_run_that_ends_early_has_what_was_evaluated() -> None:
    files = Files()
    files.evaluate("a", range(1, 54))
    assert files.written == {"a": ("a", 51)}
    files.saving.finish()
    assert files.written == {"a": ("a", 53)}


def test_results_of_one_model_are_never_written_as_anothers() -> None:
    assert ALL == 56
    files = Files()
    files.evaluate("a", range(1, ALL + 1))
    files.evaluate("b", range(1, 54))
    files.saving.finish()
    assert files.written == {"a": ("a", ALL), "b": ("b", 53)}


def test_what_was_not_due_of_one_model_is_written_when_the_next_begins() -> None:
    files = Files()
    files.evaluate("a", range(1, 55))
    files.evaluate("b", range(1, 3))
    assert files.written == {"a": ("a", 54), "b": ("b", 2)}
