"""The reader of the MLIR pools: a hand-checked pool of the published form, and every broken one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.data import mlir
from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.lareqa import DATA_VARIABLE
from mteb_hybrid.data.mlir import (
    BELEBELE,
    CORPUS,
    FOLDER,
    MLQA,
    MULTIEUP,
    QRELS,
    QUERIES,
    REPOSITORY,
    XQUAD,
    MlirPool,
    load_mlir,
    read_mlir,
)
from mteb_hybrid.errors import HybridError

Lines = list[Mapping[str, Any]]

# As the authors' script writes them: ids that hold an underscore, Dutch as dt, a text that two languages share.
GOOD: dict[str, Lines] = {
    QUERIES: [
        {"_id": "dt_q_1a", "text": "wie bouwde de brug?", "lang": "dt"},
        {"_id": "dt_q_2b", "text": "waarom?", "lang": "dt"},
        {"_id": "en_q_1a", "text": "who built the bridge?", "lang": "en"},
        {"_id": "en_q_2b", "text": "why?", "lang": "en"},
        {"_id": "en_q_3c", "text": "and nobody answers?", "lang": "en"},
    ],
    CORPUS: [
        {"doc_dt_0": {"text": "Ada bouwde de brug.", "lang": "dt"}},
        {"doc_en_1": {"text": "Ada built the bridge.", "lang": "en"}},
        {"doc_en_2": {"text": "OK.", "lang": "en"}, "doc_en_3": {"text": "It only fills the pool.", "lang": "en"}},
    ],
    QRELS: [
        {"dt_q_1a": {"doc_dt_0": 1, "doc_en_1": 1}},
        {"dt_q_2b": {"doc_dt_0": 1, "doc_en_1": 1, "doc_en_2": 1, "doc_en_3": 0}},
        {"en_q_1a": {"doc_en_1": 1, "doc_dt_0": 1}},
        {"en_q_2b": {"doc_dt_0": 1, "doc_en_1": 1, "doc_en_2": 1}},
    ],
}
LANGUAGES = ("en", "nl")


def write(folder: Path, **changes: Lines) -> Path:
    """The files of the good pool, with some of them changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in GOOD.items():
        text = "".join(
            f"{json.dumps(line, ensure_ascii=False)}\n" for line in changes.get(name.partition(".")[0], lines)
        )
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path) -> ParallelCollection:
    return read_mlir(folder, "Toy", LANGUAGES)


def test_a_pool_by_hand(tmp_path: Path) -> None:
    collection = read(write(tmp_path))
    assert collection.name == "Toy"
    assert collection.languages == LANGUAGES
    english, dutch = collection.queries["en"], collection.queries["nl"]
    assert english.ids == dutch.ids == ("q_1a", "q_2b")  # the third has no answer
    assert english.texts == ("who built the bridge?", "why?")
    assert dutch.texts == ("wie bouwde de brug?", "waarom?")
    assert english.groups == dutch.groups == (("q_1a",), ("q_2b",))
    english, dutch = collection.passages["en"], collection.passages["nl"]
    assert (dutch.ids, dutch.texts, dutch.groups) == (("doc_dt_0",), ("Ada bouwde de brug.",), (("q_1a", "q_2b"),))
    assert english.ids == ("doc_en_1", "doc_en_2", "doc_en_3")
    assert english.texts == ("Ada built the bridge.", "OK.", "It only fills the pool.")
    assert english.groups == (("q_1a", "q_2b"), ("q_2b",), ())


def test_blank_lines_are_no_lines(tmp_path: Path) -> None:
    path = write(tmp_path) / QUERIES
    path.write_text(path.read_text(encoding="utf-8").replace("\n", "\n\n"), encoding="utf-8")
    assert read(tmp_path).revision == read(write(tmp_path / "other")).revision


def changed(name: str, index: int, **values: Any) -> dict[str, Lines]:
    """A file of the good pool with one line changed."""
    lines: Lines = [*GOOD[name]]
    lines[index] = {**lines[index], **values}
    return {name.partition(".")[0]: lines}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (changed(QUERIES, 0, _id="q_1a"), [QUERIES, "line 1", "'q_1a' does not begin with its language"]),
        (changed(QUERIES, 1, _id="dt_q_1a"), [QUERIES, "line 2", "'dt_q_1a' is there twice"]),
        (changed(QUERIES, 2, lang="fr", _id="fr_q_1a"), [QUERIES, "line 3", "'fr' is none of this pool's (en, nl)"]),
        (changed(QUERIES, 0, text=None), [QUERIES, "line 1 is not of this data set's form (text: "]),
        ({"queries": [{"q_1a": "a text by id"}]}, [QUERIES, "line 1 is not of this data set's form (_id: "]),
        ({"queries": GOOD[QUERIES][2:], "qrels": GOOD[QRELS][2:]}, ["has no queries in nl"]),
        (changed(CORPUS, 0, doc_dt_0="a text"), [CORPUS, "line 1", "(doc_dt_0: "]),
        (changed(CORPUS, 0, doc_dt_0={"text": "x", "lang": "en"}), ["has no passages in nl"]),
        (changed(CORPUS, 1, doc_dt_0={"text": "x", "lang": "en"}), [CORPUS, "line 2", "'doc_dt_0' is there twice"]),
        (changed(QRELS, 0, de_q_1a={"doc_en_1": 1}), [QRELS, "line 1", "query 'de_q_1a' is in no other file"]),
        (changed(QRELS, 0, dt_q_1a={"doc_fr_9": 1}), [QRELS, "line 1", "passage 'doc_fr_9' is in no other file"]),
        (changed(QRELS, 2, en_q_1a={"doc_en_1": 1}), [QRELS, "line 3", "'en_q_1a' and another version"]),
        (changed(QRELS, 0, dt_q_1a={"doc_en_1": "yes"}), [QRELS, "line 1 is not of this data set's form"]),
        (changed(QRELS, 0, dt_q_1a=["doc_en_1"]), [QRELS, "line 1 is not of this data set's form"]),
    ],
)
def test_files_of_another_form(changes: dict[str, Lines], parts: list[str], tmp_path: Path) -> None:
    write(tmp_path, **changes)
    with pytest.raises(HybridError) as raised:
        read(tmp_path)
    for part in [*parts, REPOSITORY]:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_cut_short_or_missing(tmp_path: Path) -> None:
    path = write(tmp_path) / CORPUS
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(HybridError, match=r"corpus\.jsonl, line 3 is not of this data set's form"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(HybridError, match=r"cannot read .*corpus\.jsonl: No such file"):
        read(tmp_path)


# ---- where the files come from

TOY = MlirPool("Toy_test", LANGUAGES)


def test_the_pools_are_those_of_the_data_set() -> None:
    folders = {pool.path: len(pool.languages) for pool in (BELEBELE, MLQA, XQUAD, MULTIEUP)}
    assert folders == {
        "MMLIR/Belebele_test": 14,
        "MMLIR/MLQA_test": 7,
        "MMLIR/XQuAD_test": 8,
        "MMLIR/MultiEup_test": 6,
    }


def test_a_folder_of_the_user_goes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    write(tmp_path / FOLDER / TOY.path)
    assert load_mlir(TOY, "Toy").languages == LANGUAGES


def test_three_files_of_the_repository_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def snapshot_download(*args: Any, **kwargs: Any) -> str:
        asked.append((args, kwargs))
        write(tmp_path / "snapshot" / TOY.path)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))  # of other data alone
    assert load_mlir(TOY, "Toy").languages == LANGUAGES
    ((args, kwargs),) = asked
    assert args == (REPOSITORY,)
    assert kwargs["repo_type"] == "dataset"
    assert kwargs["revision"] == mlir.REVISION
    assert kwargs["allow_patterns"] == [f"MMLIR/Toy_test/{name}" for name in (QUERIES, CORPUS, QRELS)]


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*args: Any, **kwargs: Any) -> str:
        raise OSError("many\nlines")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(HybridError) as raised:
        load_mlir(TOY, "Toy")
    assert "cannot download MMLIR/Toy_test of yjoonjang/mlir-benchmarks" in str(raised.value)
    assert f"{DATA_VARIABLE} to a folder that holds mlir-benchmarks/MMLIR/Toy_test" in str(raised.value)
    assert "\n" not in str(raised.value)
