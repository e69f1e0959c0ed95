"""Hostile files of declared sources: JSON, JSON lines in gzip, tables, lines between tabs, and names that lead out."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError

from mteb_hybrid.building.sources.declaration import Declaration
from mteb_hybrid.building.sources.declarations import declarations
from mteb_hybrid.building.sources.read import read
from mteb_hybrid.building.sources.settings import SourceSettings
from tests.hostile.held import Cases
from tests.hostile.strategies import TEXTS, fuzzed, json_files, json_lines, spoiled_bytes, spoiled_table

MKQA = [
    {
        "example_id": 7,
        "queries": {"en": "Who?", "de": "Wer?"},
        "answers": {"en": [{"text": "Ada"}], "de": [{"text": "A"}]},
    }
]
TYDI = [{"query_id": "1", "query": "Who?", "positive_passages": [{"docid": "2", "text": "Ada Roth."}]}]
MFAQ = [{"qa_pairs": [{"question": "Who?", "answer": "Ada."}]}]
MINTAKA = [
    {
        "id": "a",
        "question": "Who?",
        "translations": {"de": "Wer?"},
        "answer": {"answerType": "entity", "mention": "Ada", "answer": [{"label": {"en": "Ada", "de": "Ada"}}]},
    }
]
QUESTIONS = pyarrow.Table.from_pylist([{"query": "Who?", "answer": "Ada Roth."}, {"query": "What?", "answer": "It."}])
LINES: dict[str, list[Any]] = {"MKQA": MKQA, "MrTyDi": TYDI, "MFAQ": MFAQ}


@pytest.fixture
def numbers() -> Iterator[int]:
    """A folder of its own for every case."""
    return itertools.count()


def rows_of(name: str, folder: Path) -> list[dict[str, Any]]:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    settings = SourceSettings(source=name, files=str(folder / "files"), rows=20)
    return [row for table in read(settings, folder=work) for row in table.to_pylist()]


def file_of(declared: Declaration) -> str:
    return str(getattr(declared.layout, "file", "") or declared.layout.files[0])  # type: ignore[attr-defined]


def write(folder: Path, name: str, content: bytes) -> None:
    path = folder / "files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@given(data=st.data())
@fuzzed(60)
def test_json_lines(cases: Cases, inside: Path, numbers: Iterator[int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LINES)))
    path = file_of(declarations()[name])
    content = data.draw(json_lines(LINES[name]))
    if path.endswith(".gz"):
        content = gzip.compress(content, 1)
        content = data.draw(st.just(content) | st.just(content) | spoiled_bytes(content))
    folder = inside / str(next(numbers))
    write(folder, path, content)
    cases.hold(f"source {name}", lambda: rows_of(name, folder))


@given(data=st.data())
@fuzzed(40)
def test_json_document(cases: Cases, inside: Path, numbers: Iterator[int], data: st.DataObject) -> None:
    folder = inside / str(next(numbers))
    write(folder, file_of(declarations()["Mintaka"]), data.draw(json_files(MINTAKA)))
    cases.hold("source Mintaka", lambda: rows_of("Mintaka", folder))


@given(data=st.data())
@fuzzed(8)
def test_table(cases: Cases, inside: Path, numbers: Iterator[int], data: st.DataObject) -> None:
    folder = inside / str(next(numbers))
    write(folder, "pair/train-00000-of-00001.parquet", data.draw(spoiled_table(QUESTIONS)))
    cases.hold("source NaturalQuestions", lambda: rows_of("NaturalQuestions", folder))


MARCO = {
    "data/triples.train.ids.small.tsv": b"1\t2\t3\n4\t5\t6\n",
    "data/google/queries/train/english_queries.train.tsv": b"1\tWho?\n4\tWhat?\n",
    "data/google/collections/english_collection.tsv": b"2\tAda.\n5\tIt.\n",
}


@given(data=st.data())
@fuzzed(6)
def test_lines_between_tabs(cases: Cases, inside: Path, numbers: Iterator[int], data: st.DataObject) -> None:
    pytest.importorskip("duckdb", reason="duckdb is missing: pip install 'mteb-hybrid[data]'")
    folder = inside / str(next(numbers))
    spoiled = data.draw(st.sampled_from(sorted(MARCO)))
    for path, content in MARCO.items():
        write(folder, path, data.draw(spoiled_bytes(content)) if path == spoiled else content)
    (folder / "work").mkdir()
    settings = SourceSettings(source="mMARCO", files=str(folder / "files"), languages=["en"])
    cases.hold("source mMARCO", lambda: [len(table) for table in read(settings, folder=folder / "work")])


def test_sources_as_they_are(cases: Cases, inside: Path) -> None:
    file = io.BytesIO()
    parquet.write_table(QUESTIONS, file)
    write(inside, "pair/train-0.parquet", file.getvalue())
    assert len(cases.hold("source NaturalQuestions", lambda: rows_of("NaturalQuestions", inside))) == 2
    for path, content in MARCO.items():
        write(inside, path, content)


@pytest.mark.parametrize("text", TEXTS)
def test_any_name_of_a_source(cases: Cases, inside: Path, text: str) -> None:
    if not text:
        return
    for values in (
        {"source": text},
        {"source": "MKQA", "files": text},
        {"source": "MKQA", "files": str(inside), "revision": text, "languages": [text]},
    ):
        try:
            settings = SourceSettings.model_validate(values)
        except ValidationError:  # of half a character, which a build file tells with its line
            continue
        cases.hold("name of a source", partial(read, settings, folder=inside))
