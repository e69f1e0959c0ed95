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
from mteb_hybrid.evaluation.query_scores import QueryScores, query_scores_path
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
        columns = [name for name in table.columns if name not in {"hf_subset", "query", "group"}]
        assert "map" in columns
        for entry in results["scores"]["test"]:
            of_subset = table[table.hf_subset == entry["hf_subset"]]
            assert len(of_subset) == len(set(of_subset.group)) > 100
            for name in columns:
                assert of_subset[name].mean() == pytest.approx(entry[name], rel=1e-5, abs=1e-6)
    assert "rank_distance" in pq.read_schema(files["ParallelWorldLanguageBias.queries.parquet"]).names
