"""Counts texts and takes times inside an evaluation, the same way for every kind of task."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class Meter:
    """What an evaluation did and how long it took.

    Attributes:
        texts: texts given to the model's ``encode``.
        encoding: seconds in the model's ``encode``, by task.
        evaluating: seconds in the task's ``evaluate``, encoding included, by task.
        loading: seconds in ``load_data``, by task.
        writing: seconds in which mteb wrote result files.
        scores: score name to value, by task and subset.
    """

    def __init__(self) -> None:
        self.texts = 0
        self.encoding: dict[str, float] = defaultdict(float)
        self.evaluating: dict[str, float] = defaultdict(float)
        self.loading: dict[str, float] = defaultdict(float)
        self.writing: dict[str, float] = defaultdict(float)
        self.scores: dict[str, dict[str, Any]] = defaultdict(dict)

    def watch_model(self, model: Any) -> None:
        """Count and time every call of ``encode``; isinstance sees the same model as before."""
        encode: Callable[..., Any] = model.encode

        def counted(inputs: Any, *, task_metadata: Any, **kwargs: Any) -> Any:
            self.texts += len(inputs.dataset)
            start = time.perf_counter()
            try:
                return encode(inputs, task_metadata=task_metadata, **kwargs)
            finally:
                self.encoding[task_metadata.name] += time.perf_counter() - start

        model.encode = counted

    def watch_task(self, task: Any) -> None:
        """Time the loading and the evaluation of a task, and keep its scores as they are computed."""
        name = task.metadata.name
        evaluate: Callable[..., Any] = self._timed(task.evaluate, self.evaluating, name)

        def kept(*args: Any, **kwargs: Any) -> Any:
            scores = evaluate(*args, **kwargs)
            self.scores[name] |= scores
            return scores

        task.evaluate = kept
        task.load_data = self._timed(task.load_data, self.loading, name)

    def watch_results(self, cache: Any) -> None:
        """Time the writing of result files."""
        cache.save_to_cache = self._timed(cache.save_to_cache, self.writing, "")

    @staticmethod
    def _timed(call: Callable[..., Any], seconds: dict[str, float], name: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                seconds[name] += time.perf_counter() - start

        return timed

    def figures(self) -> dict[str, Any]:
        """All figures as JSON takes them; ``scoring`` is evaluating without encoding, by task."""
        return {
            "texts": self.texts,
            "encoding": sum(self.encoding.values()),
            "loading": sum(self.loading.values()),
            "writing": sum(self.writing.values()),
            "scoring_by_task": {name: total - self.encoding[name] for name, total in self.evaluating.items()},
            "scoring": sum(self.evaluating.values()) - sum(self.encoding.values()),
            "subsets": sum(map(len, self.scores.values())),
        }
