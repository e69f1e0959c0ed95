"""Result folders of models in very many languages, made without an evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUESTIONS = 12
NAME = "Belebele"


def write_results(
    folder: Path, tags: Sequence[str], models: Sequence[str] = ("test/base", "test/better"), questions: int = QUESTIONS
) -> Path:
    """Write what an evaluation of models leaves, each a little better than the one before.

    Languages further down the list are worse, and those of one script are taken for each other more often.

    Args:
        folder: where to write.
        tags: the languages, such as ``zho-Hans``.
        models: their names.
        questions: a language.

    Returns:
        The folder.
    """
    for place, model in enumerate(models):
        run = folder / f"{place:02d}__model" / "1"
        run.mkdir(parents=True)
        (run / "model_meta.json").write_text(json.dumps({"name": model}), encoding="utf-8")
        for setting, entries in _entries(tags, 0.03 * place).items():
            content = {"task_name": NAME + setting, "dataset_revision": "r", "scores": {"test": entries}}
            (run / f"{NAME}{setting}.json").write_text(json.dumps(content), encoding="utf-8")
        for setting, entries in _entries(tags, 0.03 * place).items():
            means = {entry["hf_subset"]: entry for entry in entries}
            pq.write_table(
                _queries(tags, means, setting == "LanguageBias", questions).replace_schema_metadata(
                    {"dataset_revision": "r"}
                ),
                run / f"{NAME}{setting}.queries.parquet",
            )
    return folder


def _entries(tags: Sequence[str], gain: float) -> dict[str, list[dict[str, Any]]]:
    count = len(tags)
    of = {tag: 0.9 - 0.6 * place / count + gain for place, tag in enumerate(tags)}
    named = {tag: tag.replace("-", "_") for tag in tags}
    maps = {
        (x, y): round(min(of[x], of[y]) * (1 if x == y else 0.8 if x[4:] == y[4:] else 0.6), 4)
        for x, y in product(tags, tags)
    }
    pairs = [{"hf_subset": f"{named[x]}-{named[y]}", "map": value} for (x, y), value in maps.items()]
    own = {f"{named[tag]}-{named[tag]}" for tag in tags}
    pool = [{"hf_subset": f"{named[tag]}-all", "map": round(of[tag] / 2, 4)} for tag in tags]
    bias = [
        {
            "hf_subset": f"{named[tag]}-all",
            "rank_distance": 1000.0 + 10 * place - 3000 * gain,
            "top1_query_language": 0.7,
            "language_share_at_10": _shares(tag, tags),
        }
        for place, tag in enumerate(tags)
    ]
    return {
        "Monolingual": [entry for entry in pairs if entry["hf_subset"] in own],
        "CrossLingual": [entry for entry in pairs if entry["hf_subset"] not in own],
        "Multilingual": pool,
        "LanguageBias": bias,
    }


def _shares(query: str, tags: Sequence[str]) -> dict[str, float]:
    weights = {tag: 20.0 if tag == query else 2.0 if tag[4:] == query[4:] else 0.2 for tag in tags}
    return {tag: weight / sum(weights.values()) for tag, weight in weights.items()}


def _queries(tags: Sequence[str], means: dict[str, dict[str, Any]], ranks: bool, questions: int) -> pa.Table:
    """Scores of single queries whose means are the results."""
    size = len(means) * questions
    around = np.tile(np.linspace(-0.05, 0.05, questions), len(means))
    columns: dict[str, Any] = {
        "hf_subset": np.repeat(list(means), questions),
        "query": np.tile([f"q{number}" for number in range(questions)], len(means)),
        "group": np.tile([f"g{number}" for number in range(questions)], len(means)),
    }
    for name, scale in (("map", 1.0), ("rank_distance", 1000.0)):
        if all(name in entry for entry in means.values()):
            columns[name] = (np.repeat([entry[name] for entry in means.values()], questions) + scale * around).astype(
                np.float32
            )
    if ranks:
        columns.setdefault("map", np.full(size, 0.4, np.float32))
        for place, tag in enumerate(tags):
            own = np.array([subset.startswith(tag.replace("-", "_")) for subset in columns["hf_subset"]])
            spread = (np.arange(size) % questions + 1) * (3 + place)
            columns[f"rank_{tag}"] = pa.array(np.where(own, 1 + np.arange(size) % 4, spread), pa.int32())
    return pa.table(columns)
