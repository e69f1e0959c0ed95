"""Result folders as an evaluation leaves them, with scores of single queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.subsets import split_task_name

Scores = Mapping[str, Sequence[float] | np.ndarray]


def write(
    folder: Path,
    model: str,
    task: str,
    subsets: Scores,
    *,
    groups: Sequence[str] = (),
    data: str = "abc",
    kept: bool = True,
    revision: str = "rev1",
) -> Path:
    """Write a task's results of a model, and return the path of its scores of single queries.

    Args:
        folder: as given to ``--output-folder``.
        model: the model's name.
        task: the task's name.
        subsets: the scores of each subset's queries.
        groups: the parallel group of each query, a prefix of these for a shorter subset; by default one each.
        data: the revision of the data.
        kept: whether scores of single queries are kept.
        revision: the model's revision.
    """
    place = folder / "results" / model.replace("/", "__") / revision
    place.mkdir(parents=True, exist_ok=True)
    found = split_task_name(task)
    assert found is not None
    metric, entries, scores = found[1].metric, [], QueryScores()
    for subset, given in subsets.items():
        values = np.asarray(given, dtype=np.float32)
        queries = [f"q{number}" for number in range(len(values))]
        scores.add(task, subset, queries, list(groups or queries)[: len(values)], {metric: values})
        entries.append({"hf_subset": subset, "main_score": 0.0, metric: float(values.mean(dtype=np.float64))})
    result = place / f"{task}.json"
    result.write_text(json.dumps({"task_name": task, "dataset_revision": data, "scores": {"test": entries}}))
    if kept:
        scores.save(task, result, data)
    return place / f"{task}.queries.parquet"
