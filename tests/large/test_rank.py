"""Ranks of a folder of vectors: whatever the blocks, the memory and the interruptions; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from mteb_hybrid.alone import alone
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.ranking import Ranking, Relevance
from mteb_hybrid.evaluation.ranking import rank as rank_matrix
from mteb_hybrid.large import memory
from mteb_hybrid.large import rank as rank_module
from mteb_hybrid.large.folder import MANIFEST, VectorFolder, open_folder
from mteb_hybrid.large.memory import bytes_of
from mteb_hybrid.large.queries import read_queries
from mteb_hybrid.large.rank import join, rank_folder
from mteb_hybrid.large.run import rank
from tests.benchmarks.random_pool import make_pool

PLENTY = 10**10
quiet = partial(tqdm, disable=True)


@pytest.fixture
def pool(tmp_path: Path) -> VectorFolder:
    """3,001 passages in 5 languages, in shards of 700, and 600 queries."""
    return make_pool(tmp_path / "pool", passages=3001, queries=600, languages=5, dimensions=13, seed=1, shard_rows=700)


def whole_matrix(folder: VectorFolder, depth: int) -> Ranking:
    """The ranking of all queries, in the order of ``read_queries``, from one matrix."""
    queries = read_queries(folder)
    passages = np.concatenate([folder.vectors(shard) for shard in folder.shards("passages")]).astype(np.float32)
    scores = queries.vectors(0, len(queries)) @ passages.T
    ids = [row for shard in folder.shards("passages") for row in folder.rows(shard, "id")["id"].to_pylist()]
    return rank_matrix(scores, Relevance(queries.relevant(0, len(queries)), ids), depth=depth)


def ranked(folder: VectorFolder, depth: int = 10) -> Ranking:
    return join(rank_folder(folder, read_queries(folder), memory=PLENTY, depth=depth, bar=quiet))


def assert_same(ours: Ranking, theirs: Ranking, *but: str) -> None:
    for field in fields(Ranking):
        if field.name not in but:
            np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), err_msg=field.name)


def test_ranks_are_those_of_the_whole_matrix(pool: VectorFolder) -> None:
    ours, theirs = ranked(pool, 30), whole_matrix(pool, 30)
    assert_same(ours, theirs, "top_scores", "confidence")  # another product may differ in the last bit
    np.testing.assert_allclose(ours.top_scores, theirs.top_scores, atol=1e-6)
    assert ours.ranks.shape == (600, 5)
    assert len(np.unique(ours.ranks)) > 500


def test_half_precision_is_ranked_as_it_is_kept(tmp_path: Path) -> None:
    half = make_pool(tmp_path, passages=500, queries=40, languages=4, dimensions=8, dtype="float16", shard_rows=64)
    assert_same(ranked(half), whole_matrix(half, 10), "top_scores", "confidence")


@pytest.mark.parametrize("queries_at_once", [16, 64])
def test_how_many_queries_go_through_together_changes_nothing(
    pool: VectorFolder, monkeypatch: pytest.MonkeyPatch, queries_at_once: int
) -> None:
    before = ranked(pool)
    shutil.rmtree(next(pool.path.glob("ranks-*")))
    monkeypatch.setattr(memory, "_MOST_QUERIES", queries_at_once)
    for module in (memory, rank_module):
        monkeypatch.setattr(module, "QUERIES_AT_ONCE", queries_at_once)
    after = ranked(pool)
    assert_same(after, before, "top_scores", "confidence")


def test_equal_vectors_tie_to_the_last_bit_wherever_they_stand(pool: VectorFolder) -> None:
    """Copies of relevant passages all over the pool: those with greater ids are ahead, and none besides."""
    queries = read_queries(pool)
    relevant = queries.relevant(0, 64)[:, 0]
    shards = pool.shards("passages")
    for shard in shards:
        vectors = np.array(pool.vectors(shard))
        if shard is shards[0]:
            originals = vectors[relevant]
        for place, row in enumerate(range(len(shard) - 64, len(shard))):
            vectors[row] = originals[place]
        np.save(pool.vectors_file(shard), vectors)
    ranking = ranked(pool, 3001)
    ids = np.arange(3001)
    for query in range(64):
        copies = [int(relevant[query]), *(shard.stop - 64 + query for shard in shards)]
        places = sorted(int(np.flatnonzero(ranking.top[query] == copy)[0]) for copy in copies)
        assert places == list(range(places[0], places[0] + len(copies)))  # nothing between them
        found = ranking.top[query, places]
        assert ids[found].tolist() == sorted(ids[copies].tolist(), reverse=True)
        rank_of_original = ranking.ranks[query][ranking.passages[query] == relevant[query]]
        assert rank_of_original.tolist() == [places[-1] + 1]  # the original has the least id


def in_fork(work: Callable[[], object]) -> int:
    """Run something in a process of its own; gives how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_killed_run_goes_on_with_what_is_missing(
    pool: VectorFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_QUERIES", 256)  # 600 queries are three rounds
    whole = make_pool(
        tmp_path / "whole", passages=3001, queries=600, languages=5, dimensions=13, seed=1, shard_rows=700
    )
    ranked(whole)
    save, written = rank_module._save, list[Path]()

    def killed(path: Path, ranking: Ranking) -> None:
        if written:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(path)
        save(path, ranking)

    monkeypatch.setattr(rank_module, "_save", killed)
    assert in_fork(lambda: ranked(pool)) == -signal.SIGKILL
    (made,) = pool.path.glob("ranks-*")
    assert [path.name for path in made.iterdir()] == ["000000000.npz"]
    then = (made / "000000000.npz").stat().st_mtime_ns
    monkeypatch.setattr(rank_module, "_save", save)
    ranked(pool)
    assert (made / "000000000.npz").stat().st_mtime_ns == then
    (other,) = whole.path.glob("ranks-*")
    assert {p.name: p.read_bytes() for p in made.iterdir()} == {p.name: p.read_bytes() for p in other.iterdir()}


def test_the_command_writes_json_and_a_table(pool: VectorFolder, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    text = rank(pool.path, memory="4GB", output=out, format="markdown", checksums=True)
    scores = json.loads(out.read_text())
    assert (scores["passages"], scores["queries"], list(scores["scores"])) == (
        3001,
        600,
        ["ar-all", "de-all", "el-all", "en-all", "es-all"],
    )
    rows = [line.split(" | ")[0].strip("| ") for line in text.splitlines()[4:] if line.startswith("|")]
    assert rows == ["mean", "ar", "de", "el", "en", "es"]
    maps = [of["map"] for of in scores["scores"].values()]
    assert scores["mean"]["map"] == pytest.approx(sum(maps) / 5, abs=1e-15)
    assert f"{scores['mean']['map']:.3f}" in text
    assert 0 < scores["mean"]["rank_distance"] < 3001


# ---- what is refused, in one line that says what to do


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(HybridError) as caught:
        rank(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("words", ["2 GB", "2000000000", "2e9", "-1GB", "0MB", "", "lots", "9" * 30, "1.5GiB", "2PB"])
def test_amounts_of_memory(words: str) -> None:
    known = {"2 GB": 2 * 10**9, "1.5GiB": 3 * 2**29, "2000000000": 2 * 10**9}
    if words in known:
        assert bytes_of(words) == known[words]
    else:
        with pytest.raises(HybridError, match="give one such as 2GB"):
            bytes_of(words)


def test_too_little_memory_says_how_much_is_needed(pool: VectorFolder) -> None:
    text = refused(pool.path, memory="100MB")
    assert "--memory 100 MB is too little: give " in text
    assert not list(pool.path.glob("ranks-*"))
    needed = text.partition("give ")[2].partition(" (")[0]
    rank(pool.path, memory=needed)  # is enough


def test_too_little_memory_for_an_index(pool: VectorFolder) -> None:
    assert "is too little for --index hnsw: give " in refused(pool.path, memory="1MB", indexes=["hnsw"])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("manifest.json", None, "manifest.json is missing"),
        ("manifest.json", b"{}", "manifest.json is not what it must be"),
        ("manifest.json", b"\xff\x00", "manifest.json is not what it must be"),
        ("manifest.json", b"[" * 10**5, "manifest.json is not what it must be"),
        ("vectors/passages-00002.npy", None, "passages-00002.npy is not what it must be"),
        ("vectors/passages-00002.npy", b"", "passages-00002.npy is not what it must be"),
        ("vectors/passages-00002.npy", b"\x80\x04N.", "passages-00002.npy is not what it must be"),
        ("vectors/passages-00002.npy", 5000, "passages-00002.npy is not what it must be"),
        ("rows/queries-00000.parquet", b"PAR1", "queries-00000.parquet is not what it must be"),
        ("rows/queries-00000.parquet", None, "queries-00000.parquet is not what it must be"),
        ("rows/order.npy", 300, "order.npy is not what it must be"),
    ],
)
def test_a_damaged_folder(pool: VectorFolder, name: str, content: bytes | int | None, told: str) -> None:
    path = pool.path / name
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(whole[:content] if isinstance(content, int) else content)
    text = refused(pool.path)
    assert told in text
    assert "\n" not in text


def test_other_bytes_than_were_written_are_found_by_their_checksum(pool: VectorFolder) -> None:
    path = pool.vectors_file(pool.shards("passages")[1])
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert "its checksum is not that of the manifest" in refused(pool.path, checksums=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite(pool: VectorFolder, value: float) -> None:
    shard = pool.shards("passages")[1]
    vectors = np.array(pool.vectors(shard))
    vectors[5, 5] = value
    np.save(pool.vectors_file(shard), vectors)
    assert "a vector is not finite" in refused(pool.path)


def test_a_damaged_part_of_the_ranks(pool: VectorFolder) -> None:
    rank(pool.path)
    (made,) = pool.path.glob("ranks-*")
    (made / "000000256.npz").write_bytes(b"PK")
    assert "000000256.npz is damaged" in refused(pool.path)
    (made / "000000256.npz").unlink()
    rank(pool.path)
    shutil.copy(made / "000000000.npz", made / "000000512.npz")
    assert "it is of other queries" in refused(pool.path)


def test_what_is_no_folder_of_vectors(tmp_path: Path) -> None:
    assert "mteb-hybrid encode DATA" in refused(tmp_path / "nowhere")
    assert "has no vectors" in refused(tmp_path)


def test_two_are_not_at_one_folder_at_once(pool: VectorFolder) -> None:
    with alone(pool.path / MANIFEST), pytest.raises(HybridError, match=r"^another process is at work on .*wait until"):
        rank(pool.path)
    assert not (pool.path / "scores.json").exists()


def test_an_output_that_cannot_be_written(pool: VectorFolder, tmp_path: Path) -> None:
    assert "choose another --output" in refused(pool.path, output=tmp_path / "no" / "scores.json")


def test_a_folder_is_opened_as_it_was_made(pool: VectorFolder) -> None:
    folder, manifest = open_folder(pool.path)
    assert folder.plan == pool.plan
    folder.check_sums(manifest)
