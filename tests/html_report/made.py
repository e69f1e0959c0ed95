"""Small result folders made by hand: two models, three languages of three scripts, ten questions, as intervals need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.reporting.remedies import RemedyRow

LANGUAGES = ("ar", "de", "en")
QUESTIONS = 10
NAME = "Toy"

_WORDS = {"ar": ("سؤال", "جواب"), "de": ("Frage", "Antwort"), "en": ("question", "answer")}


def collection(name: str = NAME, extra: str = "") -> ParallelCollection:
    """Every question has one answer in each language; ``extra`` is put behind each text."""
    ids = tuple(f"q{number}" for number in range(QUESTIONS))
    groups = tuple((f"g{number}",) for number in range(QUESTIONS))
    queries, passages = {}, {}
    for tag in LANGUAGES:
        question, answer = ([f"{word} {number}{extra}" for number in range(QUESTIONS)] for word in _WORDS[tag])
        queries[tag] = TextTable(ids, tuple(question), groups)
        passages[tag] = TextTable(tuple(f"{tag}-{id_}" for id_ in ids), tuple(answer), groups)
    return ParallelCollection(name, queries, passages)


def write_results(
    folder: Path, models: Sequence[str] = ("local/base", "local/better"), *, ranks: bool = True, name: str = NAME
) -> Path:
    """Write results of models, each better than the one before, and return their folder."""
    revision = collection().revision
    for place, model in enumerate(models):
        run = folder / f"{place:02d}__model" / "rev1"
        run.mkdir(parents=True)
        (run / "model_meta.json").write_text(json.dumps({"name": model}), encoding="utf-8")
        maps = {(x, y): 0.5 + 0.3 * (x == y) + 0.05 * place for x in LANGUAGES for y in LANGUAGES}
        parts: dict[str, list[dict[str, Any]]] = {
            "Monolingual": [{"hf_subset": f"{x}-{y}", "map": v} for (x, y), v in maps.items() if x == y],
            "CrossLingual": [{"hf_subset": f"{x}-{y}", "map": v} for (x, y), v in maps.items() if x != y],
        }
        table = _queries(place, ranks)
        means = table.to_pandas().groupby("hf_subset")[["map", "rank_distance"]].mean()
        share = {x: {y: 0.6 if x == y else 0.2 for y in LANGUAGES} for x in LANGUAGES}
        parts["Multilingual"] = [{"hf_subset": f"{x}-all", "map": float(means["map"][f"{x}-all"])} for x in LANGUAGES]
        parts["LanguageBias"] = [
            {
                "hf_subset": f"{x}-all",
                "rank_distance": float(means["rank_distance"][f"{x}-all"]),
                "top1_query_language": 0.8,
                "language_share_at_10": share[x],
            }
            for x in LANGUAGES
        ]
        for setting, entries in parts.items():
            task = f"{name}{setting}"
            content = {"task_name": task, "dataset_revision": revision, "scores": {"test": entries}}
            (run / f"{task}.json").write_text(json.dumps(content), encoding="utf-8")
        pq.write_table(table, run / f"{name}LanguageBias.queries.parquet")
        kept = [each for each in table.column_names if not each.startswith("rank_")]
        pq.write_table(table.select(kept), run / f"{name}Multilingual.queries.parquet")
    return folder


def _queries(place: int, ranks: bool) -> pa.Table:
    rows = []
    for tag in LANGUAGES:
        for number in range(QUESTIONS):
            of = {y: 1 if y == tag else 2 + (number + 1) * (3 - min(place, 2)) + LANGUAGES.index(y) for y in LANGUAGES}
            found = sorted(of.values())
            row = {
                "hf_subset": f"{tag}-all",
                "query": f"q{number}",
                "group": f"g{number}",
                "map": sum((at + 1) / rank for at, rank in enumerate(found)) / len(found),
                "rank_distance": float(found[-1] - found[0]),
            }
            rows.append(row | ({f"rank_{y}": rank for y, rank in of.items()} if ranks else {}))
    return pa.Table.from_pylist(rows)


def rows(pairs: Sequence[int] = (1000, 8000)) -> list[RemedyRow]:
    """Rows over alpha and amounts of data; three seeds at alpha 0.5, one elsewhere."""
    found = [
        RemedyRow(
            task=NAME,
            model="local/base",
            strategy="untrained",
            monolingual=0.8,
            cross_lingual=0.6,
            multilingual=0.3,
            rank_distance=900.0,
        )
    ]
    for amount in pairs:
        for alpha, strategy in ((0.0, "cross"), (0.5, "hybrid"), (1.0, "mono")):
            for seed in range(3 if alpha == 0.5 else 1):
                figures = {
                    "monolingual": 0.79 + 0.02 * alpha + 0.001 * seed,
                    "cross_lingual": 0.7,
                    "multilingual": 0.59 - 0.04 * alpha + 0.01 * seed,
                    "rank_distance": 300.0 + 80 * alpha + 10 * seed,
                }
                more = {"strategy": strategy, "alpha": alpha, "seed": seed, "pairs": amount}
                found.append(RemedyRow(task=NAME, model=f"m-{amount}-{alpha}-{seed}", **more, **figures))
    return found
