"""A collection as a folder of vectors: what a model is given, kills, several processes, and what is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate import PartialState

from mteb_hybrid.alone import alone
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.large import encode as encode_module
from mteb_hybrid.large.encode import EncodeSettings, encode_collection
from mteb_hybrid.large.folder import MANIFEST, VectorFolder, open_folder
from mteb_hybrid.large.processes import Processes, this_process
from mteb_hybrid.registry import register
from tests.evaluation.encoders import HashEncoder, SparseHashEncoder

LANGUAGES = ("en", "de", "ru")
SETTINGS = EncodeSettings("mine", batch_size=8, shard_rows=40)


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()


def rows_of_a_world(facts: int = 30) -> list[dict[str, Any]]:
    """The rows of a small collection, in mixed order."""
    world = generate_world(facts, languages=LANGUAGES)
    rows = [
        {"role": role, "id": id_, "language": language, "group": list(groups), "text": text}
        for role, tables in (("query", world.queries), ("passage", world.passages))
        for language, table in tables.items()
        for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True)
    ]
    random.Random(0).shuffle(rows)
    return rows


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "mine.jsonl", rows_of_a_world())


def encoded(data: Path, folder: Path, model: Any = None, **options: Any) -> VectorFolder:
    return encode_collection(data, model or HashEncoder(), folder, SETTINGS, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_row_has_the_vector_of_its_text(data: Path, tmp_path: Path) -> None:
    model = HashEncoder()
    folder, _ = open_folder(encoded(data, tmp_path / "out", model).path)
    rows = {"queries": "query", "passages": "passage"}
    given = [json.loads(line) for line in data.read_text().splitlines()]
    for role, word in rows.items():
        expected = [row for row in given if row["role"] == word]
        found = [row for shard in folder.plan.shards if shard.role == role for row in table(folder, shard)]
        assert [row["id"] for row in found] == [row["id"] for row in expected]
        assert [row["group"] for row in found] == [row["group"] for row in expected]
        vectors = np.concatenate([folder.vectors(shard) for shard in folder.plan.shards if shard.role == role])
        np.testing.assert_array_equal(vectors, [model._vector(row["text"]) for row in expected])
    tags = [row["language"] for row in given if row["role"] == "passage"]
    assert [folder.plan.languages[number] for number in folder.languages] == tags
    ids = [row["id"] for row in given if row["role"] == "passage"]
    assert [ids[row] for row in np.argsort(folder.order)] == sorted(ids, reverse=True)
    assert (folder.plan.similarity, folder.plan.model, folder.plan.revision) == ("dot", "test/hash-encoder", "1")
    assert len(folder.plan.shards) == 6


def table(folder: VectorFolder, shard: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = folder.rows(shard, "id", "group").to_pylist()
    return rows


def test_a_model_is_asked_as_in_an_evaluation(data: Path, tmp_path: Path) -> None:
    """Queries by language and passages as one pool, as documents, under the name of the multilingual task."""
    model, first = HashEncoder(), json.loads(data.read_text().splitlines()[0])["language"]
    encoded(data, tmp_path / "out", model)
    asked = {(call["prompt_type"].value, call["hf_subset"]) for call in model.calls}
    assert asked == {("query", f"{tag}-all") for tag in LANGUAGES} | {("document", f"{first}-all")}
    assert {call["task_metadata"].name for call in model.calls} == {"mineMultilingual"}
    assert {call["batch_size"] for call in model.calls} == {8}


class CosineHashEncoder(HashEncoder):
    """The same vectors, compared by their angle."""

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        from mteb.similarity_functions import cos_sim

        return cos_sim(embeddings1, embeddings2)


class EuclideanHashEncoder(HashEncoder):
    """The same vectors, compared by their distance."""

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        import torch

        return -torch.cdist(embeddings1, embeddings2)


def test_vectors_are_of_unit_length_where_angles_are_compared(data: Path, tmp_path: Path) -> None:
    folder = encoded(data, tmp_path / "out", CosineHashEncoder())
    assert folder.plan.similarity == "cosine"
    for shard in folder.plan.shards:
        np.testing.assert_allclose(np.linalg.norm(folder.vectors(shard), axis=1), 1, atol=1e-6)


class NotFinite(HashEncoder):
    """Gives one number that is none, once it is past the first texts."""

    def encode(self, inputs: Any, **kwargs: Any) -> Any:
        vectors = super().encode(inputs, **kwargs)
        if len(vectors) > 8:
            vectors[3, 3] = float("nan")
        return vectors


class OneVector(HashEncoder):
    """Gives one vector for all texts."""

    def encode(self, inputs: Any, **kwargs: Any) -> Any:
        return super().encode(inputs, **kwargs)[0]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (EuclideanHashEncoder(), "neither by cosine nor by dot product"),
        (SparseHashEncoder(), "gives sparse vectors"),
        (NotFinite(), "finite numbers"),
        (OneVector(), "does not give one vector a text"),
    ],
)
def test_models_that_cannot_be_ranked_by_vectors(data: Path, tmp_path: Path, model: Any, told: str) -> None:
    with pytest.raises(HybridError, match=told):
        encoded(data, tmp_path / "out", model)
    assert not (tmp_path / "out" / "manifest.json").exists()


# ---- kills and several processes


def in_forks(*works: Callable[[], object]) -> list[int]:
    """Run each in a process of its own, side by side; gives how they ended."""
    pids = []
    for work in works:
        pids.append(os.fork())
        if pids[-1] == 0:
            try:
                work()
            finally:
                os._exit(7)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_killed_anywhere_it_goes_on_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at every step: between any two files, and with a file half written."""
    whole = contents(encoded(data, tmp_path / "whole").path)
    out, kills = tmp_path / "out", 0
    replace = Path.replace

    def killed(self: Path, target: Any) -> Path:
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left.pop()
        return replace(self, target)

    for steps in (0, 0, 1, 2, 1, 0, 0):
        left = [0] * steps
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            if in_forks(lambda: encoded(data, out)) == [-signal.SIGKILL]:
                kills += 1
        for name, content in contents(out).items():
            if not any(part.startswith(".") for part in Path(name).parts):
                assert content == whole[name], name
    assert kills == 7
    assert contents(encoded(data, out).path) == whole


@dataclass(frozen=True)
class Together(Processes):
    """Threads that stand for processes."""

    barrier: Any = None

    def wait(self) -> None:
        self.barrier.wait(timeout=120)


def test_three_processes_share_the_shards_and_write_the_same_bytes(data: Path, tmp_path: Path) -> None:
    whole = contents(encoded(data, tmp_path / "whole").path)
    barrier, models, faults = threading.Barrier(3), [HashEncoder() for _ in range(3)], []

    def work(index: int) -> None:
        try:
            encoded(data, tmp_path / "out", models[index], processes=Together(index, 3, index, None, barrier))
        except BaseException as error:
            faults.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert contents(tmp_path / "out") == whole
    texts = [sum(model.asked.values()) for model in models]
    # shards of 40, 40 and 10 queries, of 40, 40 and 28 passages; the main process tries eight of each before
    assert texts == [40 + 40 + 16, 40 + 40, 10 + 28]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_two_real_processes_meet_by_gloo(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun starts them: each is told its number, of how many, and where they meet."""
    whole = contents(encoded(data, tmp_path / "whole").path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    def work(rank: int) -> None:
        os.environ["RANK"] = os.environ["LOCAL_RANK"] = str(rank)
        PartialState._reset_state()  # of a training in the process that was forked
        processes, model = this_process(), HashEncoder()
        encoded(data, tmp_path / "out", model, processes=processes)
        texts = [40 + 10 + 40 + 16, 40 + 40 + 28][rank]
        if (processes.index, processes.count, sum(model.asked.values())) == (rank, 2, texts):
            os._exit(0)

    assert in_forks(*(partial(work, rank) for rank in (0, 1))) == [0, 0]
    assert contents(tmp_path / "out") == whole


def test_what_is_there_is_not_encoded_again(data: Path, tmp_path: Path) -> None:
    encoded(data, tmp_path / "out")
    (tmp_path / "out" / "vectors" / "passages-00001.npy").write_bytes(b"half")
    model, said = HashEncoder(), list[str]()
    encoded(data, tmp_path / "out", model, say=said.append)
    assert said == ["40 of 198 texts to encode, in 1 shards"]
    assert sum(model.asked.values()) <= 40 + 16
    open_folder(tmp_path / "out")


# ---- what is refused


def refused(data: Path, folder: Path, model: Any = None, settings: EncodeSettings = SETTINGS) -> str:
    with pytest.raises(HybridError) as caught:
        encode_collection(data, model or HashEncoder(), folder, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_are_not_at_one_folder_at_once(data: Path, tmp_path: Path) -> None:
    made = tmp_path / "vectors"
    made.mkdir()
    with alone(made / MANIFEST), pytest.raises(HybridError, match=r"^another process is at work on .*another --output"):
        encoded(data, made)
    assert list(made.iterdir()) == []
    assert (encoded(data, made).path / MANIFEST).exists()


def test_a_folder_of_other_vectors_is_left_as_it_is(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = contents(encoded(data, out).path)
    assert "begun with dimensions 24 and not 16" in refused(data, out, HashEncoder(dimensions=16))
    assert "begun with batch_size 8 and not 4" in refused(data, out, settings=EncodeSettings("mine", 4, shard_rows=40))
    write(data, rows_of_a_world(31))
    assert "holds vectors of other data" in refused(data, out)
    assert contents(out) == before


def test_a_folder_of_something_else_is_left_as_it_is(data: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear Ada")
    assert "holds something else (letter.txt)" in refused(data, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear Ada"


QUERY = {"role": "query", "id": "q", "language": "de", "group": "1", "text": "Wer?"}
PASSAGE = {"role": "passage", "id": "p", "language": "de", "group": "1", "text": "Ada."}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([QUERY, PASSAGE, PASSAGE], "line 3: passage id 'p' was used before, at line 2"),
        ([PASSAGE, QUERY, QUERY], "line 3: query id 'q' was used before, at line 2"),
        ([PASSAGE, QUERY | {"group": "2"}], "line 2: query 'q' (de) has no passage of its group '2' in any language"),
        ([PASSAGE], "holds no queries"),
        ([QUERY], "has no passage of its group"),
        ([], "holds no rows"),
        ([QUERY, PASSAGE, {"role": "passage"}], "line 3: "),
        ([QUERY, PASSAGE | {"text": "\ud800"}], "line 2: "),
        ([QUERY, PASSAGE | {"language": "nowhere"}], "line 2: "),
    ],
)
def test_data_that_evaluate_refuses_too(tmp_path: Path, rows: list[Any], told: str) -> None:
    data = write(tmp_path / "mine.jsonl", rows)
    assert told in refused(data, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_same_query_id_in_two_languages_and_passages_of_several_groups(tmp_path: Path) -> None:
    rows = [
        QUERY,
        QUERY | {"language": "en", "group": "2"},
        PASSAGE | {"group": ["1", "2", "3"]},
        PASSAGE | {"id": "x"},
    ]
    folder = encoded(write(tmp_path / "mine.jsonl", rows), tmp_path / "out")
    assert (folder.plan.languages, folder.plan.queries, folder.plan.passages) == (["de", "en"], 2, 2)


def test_a_folder_of_belebele(tmp_path: Path) -> None:
    fields = {"link": "w", "question_number": 1, "flores_passage": "Ada.", "question": "Who?"}
    for tag in ("deu_Latn", "zho_Hans"):
        (tmp_path / "Belebele").mkdir(exist_ok=True)
        write(tmp_path / "Belebele" / f"{tag}.jsonl", [fields | {"dialect": tag}])
    folder = encoded(tmp_path / "Belebele", tmp_path / "out")
    plan = folder.plan
    assert (plan.languages, plan.queries, plan.passages) == (["deu-Latn", "zho-Hans"], 2, 2)
    with pytest.raises(HybridError, match="of other data"):
        write(tmp_path / "Belebele" / "eng_Latn.jsonl", [fields | {"dialect": "eng_Latn"}])
        encoded(tmp_path / "Belebele", tmp_path / "out")


def test_a_disk_that_is_full(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, array: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(encode_module, "save_array", full)
        assert "No space left on device; mend that, and the same command goes on" in refused(data, tmp_path / "out")
    encoded(data, tmp_path / "out")
    open_folder(tmp_path / "out")
