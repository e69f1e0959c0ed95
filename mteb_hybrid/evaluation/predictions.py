"""Predictions in mteb's format, bounded in depth, added without reading back what is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mteb_hybrid.errors import HybridError
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    from mteb.models import MTEBModels

    from mteb_hybrid.evaluation.ranking import Ranking

PREDICTION_DEPTH = 20
"""Passages kept a query: 132 subsets at mteb's 1000 would be 5 GB; re-ranking takes 10 by default."""


def save_predictions(
    path: Path,
    ranking: Ranking,
    model: MTEBModels,
    query_ids: Sequence[str],
    passage_ids: Sequence[str],
    hf_subset: str,
    hf_split: str,
) -> None:
    """Add a subset's best-ranked passages to a task's predictions file, whole or not at all.

    mteb parses and writes the whole file for each subset. Here the closing brace of a copy is replaced by the new
    subset, and the copy takes the file's place; a file of another model is begun anew.

    Args:
        path: the file, ``TASK_predictions.json``.
        ranking: whose ``top`` is saved.
        model: named in the file.
        query_ids: a query for each row of the ranking.
        passage_ids: a passage for each row number in ``top``.
        hf_subset: the subset.
        hf_split: the split.

    Raises:
        HybridError: the file is there but is not whole, or cannot be written.
    """
    run = {
        query: {passage_ids[row]: score for row, score in zip(rows, scores, strict=True) if score > -np.inf}
        for query, rows, scores in zip(query_ids, ranking.top.tolist(), ranking.top_scores.tolist(), strict=True)
    }
    try:
        before = _before(path, model, hf_subset)
        entry = f", {json.dumps(hf_subset)}: {json.dumps({hf_split: run})}}}"
        with whole_file(path) as partial:
            partial.write_bytes(before[:-1] + entry.encode())
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another folder") from None


def _before(path: Path, model: MTEBModels, hf_subset: str) -> bytes:
    """The predictions file without this subset; a new one where there is none, or another model's."""
    meta = model.mteb_model_meta
    head = json.dumps({"mteb_model_meta": {"model_name": meta.name, "revision": meta.revision}}).encode()
    if not path.exists():
        return head
    content = path.read_bytes()
    if not content.endswith(b"}}}}"):  # the braces of scores, split, subset and the whole
        raise HybridError(f"{path} is cut off; delete it and run again with --overwrite-strategy always")
    if not content.startswith(head[:-1]):
        return head
    if json.dumps(hf_subset).encode() not in content:
        return content
    try:
        predictions = json.loads(content)
        predictions.pop(hf_subset, None)
    except (ValueError, AttributeError, RecursionError):
        raise HybridError(f"{path} is damaged; delete it and run again with --overwrite-strategy always") from None
    return json.dumps(predictions).encode()
