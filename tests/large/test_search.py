"""Search by faiss against exact ranks: what is reported, held against counting by hand."""

from __future__ import annotations

import json
from pathlib import Path

import faiss
import numpy as np
import pytest

from mteb_hybrid.large import search as search_module
from mteb_hybrid.large.folder import VectorFolder
from mteb_hybrid.large.run import rank
from tests.benchmarks.random_pool import make_pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> VectorFolder:
    """4,000 passages in shards of 1,500, and 90 queries in 3 languages."""
    path = tmp_path_factory.mktemp("pool")
    return make_pool(path, passages=4000, queries=90, languages=3, dimensions=16, seed=5, shard_rows=1500)


def test_what_indexes_find_and_lose(pool: VectorFolder, capfd: pytest.CaptureFixture[str]) -> None:
    text = rank(pool.path, indexes=["flat", "ivf", "hnsw"], top=50, format="markdown")
    assert capfd.readouterr().out == ""  # faiss would tell of its files
    flat, ivf, hnsw = json.loads((pool.path / "scores.json").read_text())["indexes"]
    assert [at["depth"] for at in flat["depths"]] == [1, 10, 50]
    exact = np.concatenate([pool.vectors(shard) for shard in pool.shards("queries")]) @ _passages(pool).T
    order = np.argsort(-exact, axis=1)
    relevant = [[group * 3 + language for language in range(3)] for group in np.arange(90) // 3]
    for depth, at in zip((1, 10, 50), flat["depths"], strict=True):
        recall = np.mean([np.isin(rows, best[:depth]).mean() for rows, best in zip(relevant, order, strict=True)])
        assert at == {
            "depth": depth,
            "found": 1.0,
            "recall": pytest.approx(recall),
            "recall_by_index": pytest.approx(recall),
            "lost": 0.0,
        }
    assert 0.3 < ivf["depths"][1]["found"] < 1
    assert 0.9 < hnsw["depths"][1]["found"] <= 1
    for report in (ivf, hnsw):
        for at, exactly in zip(report["depths"], flat["depths"], strict=True):
            assert at["recall"] == exactly["recall"]
            assert at["lost"] == pytest.approx(at["recall"] - at["recall_by_index"])
        assert report["bytes"] > 4000 * 2 * 16
    assert text.count("| ivf, first ") == 3


def test_the_loss_of_an_index_is_counted_by_query(pool: VectorFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that finds the exact passages of every other query, and nothing for the others."""

    class Halved:
        def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
            scores = queries @ _passages(pool).T
            found = np.argsort(-scores, axis=1)[:, :count]
            found[::2] = -1
            return np.take_along_axis(scores, found, axis=1), found

    monkeypatch.setattr(search_module, "_open", lambda kind, folder: search_module._Built(Halved(), {}, 0, False))
    rank(pool.path, indexes=["flat"], top=50)
    (report,) = json.loads((pool.path / "scores.json").read_text())["indexes"]
    assert [at["found"] for at in report["depths"]] == [0.5, 0.5, 0.5]
    assert all(0 < at["lost"] < at["recall"] for at in report["depths"][1:])


def test_an_index_that_is_there_is_taken_and_a_damaged_one_is_told(pool: VectorFolder) -> None:
    rank(pool.path, indexes=["hnsw"])
    rank(pool.path, indexes=["hnsw"])
    (report,) = json.loads((pool.path / "scores.json").read_text())["indexes"]
    assert report["build_seconds"] == 0
    (path,) = pool.path.glob("index-hnsw-*")
    assert faiss.read_index(str(path)).ntotal == 4000
    path.write_bytes(path.read_bytes()[:999])
    with pytest.raises(Exception, match="delete what lies in index-"):
        rank(pool.path, indexes=["hnsw"])
    path.unlink()


def _passages(pool: VectorFolder) -> np.ndarray:
    return np.concatenate([pool.vectors(shard) for shard in pool.shards("passages")])


def test_passages_are_given_in_their_order(pool: VectorFolder, tmp_path: Path) -> None:
    parts = search_module.PassageParts(pool)
    np.testing.assert_array_equal(np.concatenate(list(parts.parts())), _passages(pool))
    numbers = np.array([3999, 0, 1500, 1499])
    np.testing.assert_array_equal(parts.take(numbers), _passages(pool)[numbers])
    assert (len(parts), parts.dimensions) == (4000, 16)
