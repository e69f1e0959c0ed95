"""Whether two evaluations report the same figures, and why not where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-9
_NOT_SCORES = {"main_score"}

Scores = Mapping[str, Mapping[str, float]]


def compare(first: Scores, second: Scores) -> dict[str, Any]:
    """Compare every score that both report, by subset and name; NaN equals NaN.

    Returns:
        ``compared`` scores in ``subsets`` subsets, the ``largest`` absolute difference (infinite where one is NaN)
        and every one above the tolerance, largest first, as ``differing`` rows of subset, name and both values.
    """
    pairs = [
        (subset, name, value, second[subset][name])
        for subset, scores in first.items()
        for name, value in scores.items()
        if name not in _NOT_SCORES and name in second.get(subset, {}) and isinstance(value, (int, float))
    ]
    rows = sorted(((_difference(a, b), subset, name, a, b) for subset, name, a, b in pairs), key=lambda row: -row[0])
    return {
        "compared": len(rows),
        "subsets": len({subset for subset, *_ in pairs}),
        "only_in_one": len(set(first) ^ set(second)),
        "largest": rows[0][0] if rows else 0.0,
        "differing": [row for row in rows if row[0] > TOLERANCE],
    }


def _difference(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    return abs(a - b)


def count_ties(model: Any, task: Any, subset: str, encode_kwargs: dict[str, Any]) -> dict[str, int]:
    """Count queries of which a relevant passage is as similar as another one, exactly and within 1e-6."""
    import numpy as np
    from mteb._create_dataloaders import create_dataloader
    from mteb.types import PromptType

    (split,) = task.metadata.eval_splits
    data = task.dataset[subset][split]

    def encode(part: str, role: PromptType) -> Any:
        loader = create_dataloader(data[part], task_metadata=task.metadata, prompt_type=role, batch_size=32)
        return model.encode(
            loader, task_metadata=task.metadata, hf_split=split, hf_subset=subset, prompt_type=role, **encode_kwargs
        )

    queries, corpus = encode("queries", PromptType.query), encode("corpus", PromptType.document)
    similarities = np.asarray(model.similarity(queries, corpus)).astype(np.float32)
    row_of = {id_: row for row, id_ in enumerate(data["corpus"]["id"])}
    exact = near = 0
    for row, query in zip(similarities, data["queries"]["id"], strict=True):
        own = row[[row_of[id_] for id_ in data["relevant_docs"][query]], None]
        exact += int(((row == own).sum(axis=1) > 1).any())
        near += int(((np.abs(row - own) < 1e-6).sum(axis=1) > 1).any())
    return {"queries": len(similarities), "exact": exact, "near": near}
