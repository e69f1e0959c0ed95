"""Scores of single queries: kept beside the results, whole, and of the same data."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pyarrow.parquet as pq
import pytest
from mteb.cache import ResultCache

from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.query_scores import QueryScores, query_scores_path, rank_columns
from tests.evaluation.encoders import HashEncoder

GROUPS = ["g1", "g2"]


def held(**subsets: list[float]) -> QueryScores:
    scores = QueryScores()
    for subset, values in subsets.items():
        scores.add("Task", subset.replace("_", "-"), ["q1", "q2"], GROUPS, {"map": np.array(values)})
    return scores


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_a_row_a_query_with_its_group(tmp_path: Path) -> None:
    held(de_de=[1.0, 0.5]).save("Task", tmp_path / "Task.json", "r1")
    assert rows(tmp_path / "Task.queries.parquet") == [
        {"hf_subset": "de-de", "query": "q1", "group": "g1", "map": 1.0},
        {"hf_subset": "de-de", "query": "q2", "group": "g2", "map": 0.5},
    ]


def test_other_subsets_stay_and_the_same_one_is_replaced(tmp_path: Path) -> None:
    results = tmp_path / "Task.json"
    held(de_de=[1.0, 0.5], en_en=[0.0, 0.0]).save("Task", results, "r1")
    later = held(en_en=[0.25, 0.25])
    later.save("Task", results, "r1")
    later.add("Task", "fr-fr", ["q1", "q2"], GROUPS, {"map": np.ones(2)})
    later.save("Task", results, "r1")
    values = {(row["hf_subset"], row["query"]): row["map"] for row in rows(query_scores_path(results))}
    assert values == {
        ("de-de", "q1"): 1.0,
        ("de-de", "q2"): 0.5,
        ("en-en", "q1"): 0.25,
        ("en-en", "q2"): 0.25,
        ("fr-fr", "q1"): 1.0,
        ("fr-fr", "q2"): 1.0,
    }


def test_scores_of_other_data_go(tmp_path: Path) -> None:
    results = tmp_path / "Task.json"
    held(de_de=[1.0, 0.5]).save("Task", results, "r1")
    held(en_en=[0.0, 1.0]).save("Task", results, "r2")
    assert {row["hf_subset"] for row in rows(query_scores_path(results))} == {"en-en"}


def test_a_damaged_file_is_told_and_written_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = tmp_path / "Task.json"
    query_scores_path(results).write_bytes(b"PAR1")
    with caplog.at_level(logging.WARNING):
        held(de_de=[1.0, 0.5]).save("Task", results, "r1")
    assert "is damaged" in caplog.text
    assert len(rows(query_scores_path(results))) == 2


def test_ranks_are_whole_numbers_and_null_where_there_is_no_answer(tmp_path: Path) -> None:
    results = tmp_path / "Task.json"
    scores = held(fr_all=[1.0, 0.5])  # as it was kept before there were ranks
    scores.save("Task", results, "r1")
    ranks = {"en": np.array([1, 0]), "zh-Hant": np.array([20_000_001, 3])}
    scores.add("Task", "de-all", ["q1", "q2"], GROUPS, {"map": np.ones(2), "rank_distance": np.ones(2)}, ranks)
    scores.save("Task", results, "r1")
    path = query_scores_path(results)
    assert rank_columns(pq.read_schema(path)) == {"en": "rank_en", "zh-Hant": "rank_zh-Hant"}
    found = {(row["hf_subset"], row["query"]): (row["rank_en"], row["rank_zh-Hant"]) for row in rows(path)}
    assert found == {
        ("de-all", "q1"): (1, 20_000_001),  # more than single precision can tell apart
        ("de-all", "q2"): (None, 3),
        ("fr-all", "q1"): (None, None),
        ("fr-all", "q2"): (None, None),
    }


def test_a_score_goes_before_a_language_of_its_name(tmp_path: Path) -> None:
    scores = QueryScores()
    ranks = {"distance": np.array([7, 8])}
    scores.add("Task", "de-all", ["q1", "q2"], GROUPS, {"rank_distance": np.array([0.5, 1.5])}, ranks)
    scores.save("Task", tmp_path / "Task.json", "r1")
    assert [row["rank_distance"] for row in rows(tmp_path / "Task.queries.parquet")] == [0.5, 1.5]
    assert not rank_columns(pq.read_schema(tmp_path / "Task.queries.parquet"))


def test_nothing_held_writes_nothing(tmp_path: Path) -> None:
    held(de_de=[1.0, 0.5]).save("OtherTask", tmp_path / "OtherTask.json", "r1")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match=r"cannot write .*choose another folder"):
        held(de_de=[1.0, 0.5]).save("Task", tmp_path / "gone" / "Task.json", "r1")


def test_a_run_keeps_them_and_their_means_are_the_results(tmp_path: Path) -> None:
    encoder = HashEncoder()
    cache = ResultCache(tmp_path)
    names = ("ParallelWorldCrossLingual", "ParallelWorldLanguageBias")
    tasks = [mteb.get_task(name, languages=["deu", "ell"]) for name in names]
    mteb.evaluate(encoder, tasks, cache=cache, show_progress_bar=False)
    files = {path.name: path for path in tmp_path.rglob("*.queries.parquet")}
    assert set(files) == {f"{name}.queries.parquet" for name in names}
    for path in files.values():
        results = json.loads(path.with_name(path.name.replace(".queries.parquet", ".json")).read_text())
        table = pq.read_table(path).to_pandas()
        ranks = rank_columns(pq.read_schema(path))
        columns = [name for name in table.columns if name not in {"hf_subset", "query", "group", *ranks.values()}]
        assert "map" in columns
        for entry in results["scores"]["test"]:
            of_subset = table[table.hf_subset == entry["hf_subset"]]
            assert len(of_subset) == len(set(of_subset.group)) > 100
            for name in columns:
                assert of_subset[name].mean() == pytest.approx(entry[name], rel=1e-5, abs=1e-6)
        if path.name.startswith("ParallelWorldLanguageBias"):  # one answer in each language: the farthest two
            of_answers = table[list(ranks.values())]
            assert len(ranks) == 8 and "rank_distance" in columns
            assert (of_answers.max(axis=1) - of_answers.min(axis=1) == table.rank_distance).all()
            assert (of_answers.max(axis=1) == table.worst_rank).all()
            own = [row[f"rank_{row.hf_subset.partition('-')[0]}"] for _, row in table.iterrows()]
            assert ((of_answers.min(axis=1) == own) == table.query_language_first).all()
        else:
            assert not ranks
