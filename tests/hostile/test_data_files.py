"""Hostile files of texts: LAReQA, collections, corpora and their locks."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.collection_folder import read_collection, write_collection
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, FileRecord, StageRecord, file_digest, write_lock
from mteb_hybrid.data.lareqa import read_lareqa
from mteb_hybrid.data.own import load_collection
from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.data.world import generate_world
from tests.hostile.held import Cases
from tests.hostile.strategies import as_json, fuzzed, json_files, json_lines, spoiled, spoiled_table

LAREQA = {
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "One. Two.",
                    "sentences": ["One.", "Two."],
                    "sentence_breaks": [[0, 4], [5, 9]],
                    "qas": [
                        {"id": "q1", "question": "Which?", "answers": [{"answer_start": 5, "text": "Two"}]},
                        {"id": "q2", "question": "What?", "answers": [{"answer_start": 0, "text": "One"}]},
                    ],
                }
            ],
        }
    ]
}
ROWS: list[dict[str, Any]] = [
    {"role": "query", "id": "q7", "language": "de", "group": "7", "text": "Wer baute sie?"},
    {"role": "query", "id": "q7", "language": "en", "group": "7", "text": "Who built it?"},
    {"role": "passage", "id": "de-31", "language": "de", "group": ["7"], "text": "Ada Roth."},
    {"role": "passage", "id": "en-31", "language": "en", "group": "7", "text": "Ada Roth did."},
    {"role": "passage", "id": "en-32", "language": "en", "text": "It is of stone."},
]
PAIRS: list[dict[str, Any]] = [
    {"id": "q7", "group": "p3", "query_de": "Wer baute sie?", "passage_de": "Ada Roth.", "negative_1_de": "Stein."},
    {"id": "q8", "query_en": "Of what is it?", "passage_en": "Stone.", "negative_1_en": "Ada."},
    {"id": "q9", "group": "p3", "query_en": "Who?", "passage_en": "Ada Roth.", "negative_1_en": "Stone."},
]


@pytest.fixture
def numbers() -> Iterator[int]:
    """A name of its own for every file: nothing is taken from a cache."""
    return itertools.count()


def table_of(rows: list[dict[str, Any]]) -> pyarrow.Table:
    return pyarrow.Table.from_pylist(rows)


def use(collection: ParallelCollection) -> None:
    """Ask for all that a collection gives."""
    assert len(collection.revision) == 40
    for tables in (collection.queries, collection.passages):
        for table in tables.values():
            assert all(isinstance(text, str) for text in (*table.ids, *table.texts))


def use_corpus(corpus: ParallelCorpus) -> None:
    """Likewise of a corpus."""
    assert len(corpus.fingerprint) == 40
    assert corpus.presence.any()
    assert corpus.groups is None or len(corpus.groups) == len(corpus)
    assert corpus.pairs >= len(corpus)


@given(data=st.data())
@fuzzed(100)
def test_lareqa(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "xx.json"
    path.write_bytes(data.draw(json_files(LAREQA)))
    found = cases.hold("LAReQA file", lambda: read_lareqa(path, "en", with_paragraph=True))
    if found is not None:
        use(ParallelCollection("x", {"en": found[0]}, {"en": found[1]}))


@given(data=st.data())
@fuzzed(100)
def test_own_collection_in_lines(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "own.jsonl"
    path.write_bytes(data.draw(json_lines(ROWS)))
    found = cases.hold("own collection, JSONL", lambda: load_collection(path))
    if found is not None:
        use(found)


def test_own_collection_as_it_is(cases: Cases, inside: Path) -> None:
    path = inside / "own.jsonl"
    path.write_bytes(b"\n".join(map(as_json, ROWS)))
    use(cases.hold("own collection, JSONL", lambda: load_collection(path)))


OWN_TABLE = table_of([{**row, "group": [row["group"]] if isinstance(row.get("group"), str) else row.get("group", [])}
                      for row in ROWS])  # fmt: skip


@given(data=st.data())
@fuzzed(60)
def test_own_collection_in_a_table(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "own.parquet"
    path.write_bytes(data.draw(spoiled_table(OWN_TABLE)))
    found = cases.hold("own collection, Parquet", lambda: load_collection(path))
    if found is not None:
        use(found)


BELEBELE = [
    {"link": "https://en.example/a", "question_number": 1, "flores_passage": "One.", "question": "Which?",
     "mc_answer1": "x", "correct_answer_num": "1", "dialect": "eng_Latn", "ds": "2023-05-03"},
    {"link": "https://en.example/a", "question_number": 2, "flores_passage": "One.", "question": "What?",
     "mc_answer1": "x", "correct_answer_num": "1", "dialect": "eng_Latn", "ds": "2023-05-03"},
]  # fmt: skip


@given(data=st.data())
@fuzzed(60)
def test_belebele(cases: Cases, inside: Path, data: st.DataObject) -> None:
    folder = inside / "Belebele"
    folder.mkdir(exist_ok=True)
    (folder / "eng_Latn.jsonl").write_bytes(data.draw(json_lines(BELEBELE)))
    found = cases.hold("Belebele", lambda: load_collection(folder))
    if found is not None:
        use(found)


@pytest.fixture
def published(inside: Path) -> Path:
    """A collection as a folder, as it lies on the Hub."""
    folder = inside / "data"
    folder.mkdir()
    write_collection(generate_world(6, languages=("en", "de")), folder, task="X")
    return folder


@given(data=st.data())
@fuzzed(60)
def test_collection_folder(cases: Cases, published: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(("collection.json", "queries/en.parquet", "corpus/de.parquet")))
    path = published / name
    whole = path.read_bytes()
    try:
        if name.endswith(".json"):
            path.write_bytes(data.draw(json_files(json.loads(whole))))
        else:
            path.write_bytes(data.draw(spoiled_table(parquet.read_table(io.BytesIO(whole)))))
        found = cases.hold("collection on the Hub", lambda: read_collection(published))
        if found is not None:
            use(found)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("language", ["../../outside/x", "/etc/x", "..", "a/b", "de\n", "de\x00", "x" * 65])
def test_no_language_of_a_collection_is_a_path(cases: Cases, published: Path, outside: Path, language: str) -> None:
    (outside / "x.parquet").write_bytes((published / "queries" / "en.parquet").read_bytes())
    manifest = json.loads((published / "collection.json").read_text())
    (published / "collection.json").write_text(json.dumps({**manifest, "languages": [language, "de"]}))
    assert cases.hold("collection on the Hub", lambda: read_collection(published)) is None


@given(data=st.data())
@fuzzed(100)
def test_corpus_in_lines(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "pairs.jsonl"
    path.write_bytes(data.draw(json_lines(PAIRS)))
    found = cases.hold("parallel corpus, JSONL", lambda: load_corpus(path))
    if found is not None:
        use_corpus(found)


@given(data=st.data())
@fuzzed(15)
def test_corpus_in_a_table(cases: Cases, inside: Path, numbers: Iterator[int], data: st.DataObject) -> None:
    path = inside / f"pairs-{next(numbers)}.parquet"
    path.write_bytes(data.draw(spoiled_table(table_of(PAIRS))))
    found = cases.hold("parallel corpus, Parquet", lambda: load_corpus(path))
    if found is not None:
        use_corpus(found)


# ---- what was built


def write_built(folder: Path) -> CorpusLock:
    """Write a corpus as if it had been built."""
    folder.mkdir(exist_ok=True)
    parquet.write_table(table_of([{k: v for k, v in row.items() if "negative" not in k} for row in PAIRS]),
                        folder / "pairs.parquet")  # fmt: skip
    stages = [StageRecord(stage="read", rows=3, pairs={"de": 1, "en": 2}, dropped={"empty query": 1})]
    record = FileRecord(
        name="pairs",
        source="pairs.jsonl",
        revision=None,
        url=None,
        license="mit",
        mteb_tasks=[],
        stages=stages,
        sha256=file_digest(folder / "pairs.parquet"),
    )
    decontamination = {
        "tasks": [{"name": "XQuADR", "dataset": "x/y", "revision": "1"}],
        "hits": {"id": 1},
        "model": None,
    }
    lock = CorpusLock(
        name="corpus",
        settings={"sources": [{"source": "pairs.jsonl"}]},
        files=[record],
        license="mit",
        decontaminated=["XQuADR"],
        decontamination=decontamination,
        negatives={"settings": {"negatives": 1, "mode": "mono", "relative_margin": 0.1}, "model": "m"},
        versions={"mteb-hybrid": "1"},
    )
    write_lock(lock, folder / LOCK)
    return lock


@given(data=st.data())
@fuzzed(40)
def test_lock(cases: Cases, inside: Path, data: st.DataObject) -> None:
    from mteb_hybrid.building.build_file import read_build_file
    from mteb_hybrid.building.card import card_text
    from mteb_hybrid.data.built_corpus import find_built

    folder = inside / "corpus"
    values = write_built(folder).model_dump(mode="json")
    strategy = spoiled(values).map(as_json) if data.draw(st.booleans()) else json_files(values)
    (folder / LOCK).write_bytes(data.draw(strategy))
    built = cases.hold("lock of a corpus", lambda: find_built(folder))
    if built is not None:
        assert all(isinstance(file.rows, int) for file in built.files)
        cases.hold("card of a corpus", lambda: card_text(folder))
    cases.hold("lock as a build file", lambda: read_build_file(folder / LOCK))


@pytest.mark.parametrize("name", ["../../outside/pairs", "/etc/pairs", "../pairs", "a/b", "..", ".", "", "a\x00b"])
def test_no_file_of_a_lock_is_elsewhere(cases: Cases, inside: Path, outside: Path, name: str) -> None:
    from mteb_hybrid.data.built_corpus import find_built

    folder = inside / "corpus"
    values = write_built(folder).model_dump(mode="json")
    (outside / "pairs.parquet").write_bytes((folder / "pairs.parquet").read_bytes())
    values["files"][0]["name"] = name
    (folder / LOCK).write_text(json.dumps(values))
    assert cases.hold("lock of a corpus", lambda: find_built(folder)) is None
