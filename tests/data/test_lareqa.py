"""The reader of LAReQA files: a hand-checked file, every broken one, and the published ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.data import lareqa
from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.lareqa import (
    DATA_VARIABLE,
    MLQA_R,
    XQUAD_R,
    LareqaRelease,
    load_lareqa,
    read_lareqa,
)
from mteb_hybrid.errors import HybridError

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "lareqa"
RELEASES = {"XQuAD-R": XQUAD_R, "MLQA-R": MLQA_R}

FIRST = "Ada built it. It is red."  # [0, 14) and [14, 24)
SECOND = "橋は石です。"


def _question(id_: str, *starts: Any) -> dict[str, Any]:
    answers = [{"text": "x", "answer_start": start} for start in starts]
    return {"id": id_, "question": f"What about {id_}?", "answers": answers}


def _paragraph(**changes: Any) -> dict[str, Any]:
    paragraph = {
        "context": FIRST,
        "sentences": ["Ada built it. ", "It is red."],
        "sentence_breaks": [[0, 14], [14, 24]],
        "qas": [_question("q0", 0), _question("q13", 13), _question("q14", 14), _question("q23", 23, 0)],
    }
    return paragraph | changes


def _squad(*paragraphs: Any) -> bytes:
    """One article per paragraph."""
    return json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": [p]} for p in paragraphs]}).encode()


LAST = _paragraph(context=SECOND, sentences=[SECOND], sentence_breaks=[[0, 6]], qas=[_question("ja", 0)])
GOOD = _squad(_paragraph(), LAST)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "de.json"
    path.write_bytes(GOOD)
    return path


def _one_line(caught: pytest.ExceptionInfo[HybridError], *parts: object) -> None:
    """The message is one line that holds all parts."""
    message = str(caught.value)
    assert message.isprintable()
    for part in parts:
        assert str(part) in message


# ---- a file written by hand


def test_every_question_is_a_query_of_its_own_group(file: Path) -> None:
    queries, _ = read_lareqa(file, "de")
    assert queries.ids == ("q0", "q13", "q14", "q23", "ja")
    assert queries.texts[:2] == ("What about q0?", "What about q13?")
    assert queries.groups == (("q0",), ("q13",), ("q14",), ("q23",), ("ja",))


def test_every_sentence_is_a_passage_and_paragraphs_count_on_over_articles(file: Path) -> None:
    _, passages = read_lareqa(file, "de")
    assert passages.ids == ("de-0000-000", "de-0000-001", "de-0001-000")
    assert passages.texts == ("Ada built it. ", "It is red.", SECOND)


def test_the_sentence_of_the_first_answer_holds_the_group(file: Path) -> None:
    """Character 13 is the first sentence's last; 14 is its end and the second one's begin."""
    _, passages = read_lareqa(file, "de")
    assert passages.groups == (("q0", "q13"), ("q14", "q23"), ("ja",))


def test_with_paragraph_appends_the_paragraph_after_one_space(file: Path) -> None:
    alone, (_, passages) = read_lareqa(file, "de")[1], read_lareqa(file, "de", with_paragraph=True)
    assert passages.texts == (
        "Ada built it.  Ada built it. It is red.",
        "It is red. Ada built it. It is red.",
        f"{SECOND} {SECOND}",
    )
    assert (passages.ids, passages.groups) == (alone.ids, alone.groups)


def test_equal_sentences_are_all_kept(file: Path) -> None:
    file.write_bytes(_squad(LAST, _paragraph(**LAST | {"qas": []})))
    _, passages = read_lareqa(file, "ja")
    assert passages.texts == (SECOND, SECOND)
    assert passages.groups == (("ja",), ())


# ---- files that are broken

BROKEN = {
    "empty": b"",
    "not JSON": b"<html>404</html>",
    "malformed": GOOD.replace(b'"data": [', b'"data": [,'),
    "truncated": GOOD[: len(GOOD) // 2],
    "too deep": b'{"data":' * 100_000,
    "lists too deep": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list": b"[]",
    "a number": b"7",
    "not UTF-8": json.dumps({"data": [{"paragraphs": [_paragraph(context="Brücke")]}]}, ensure_ascii=False).encode(
        "latin-1"
    ),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "lone surrogate": _squad(_paragraph(context="\ud800")),
    "data is an object": b'{"data": {}}',
    "no data": b"{}",
    "no paragraphs": b'{"data": [{}]}',
    "paragraph is text": _squad("text"),
    "context is null": _squad(_paragraph(context=None)),
    "sentence is a number": _squad(_paragraph(sentences=["Ada built it. ", 7])),
    "break is a text": _squad(_paragraph(sentence_breaks=[["0", 14], [14, 24]])),
    "break of three": _squad(_paragraph(sentence_breaks=[[0, 14, 1], [14, 24]])),
    "answer start is a text": _squad(_paragraph(qas=[_question("q", "0")])),
    "answer start is no whole number": _squad(_paragraph(qas=[_question("q", 0.5)])),
    "answer start is true": _squad(_paragraph(qas=[_question("q", True)])),
    "question id is a number": _squad(_paragraph(qas=[_question("q", 0) | {"id": 7}])),
    "answer without start": _squad(_paragraph(qas=[_question("q") | {"answers": [{"text": "x"}]}])),
    "answer before all": _squad(_paragraph(qas=[_question("q", -1)])),
    "answer after all": _squad(_paragraph(qas=[_question("q", 24)])),
    "answer between sentences": _squad(_paragraph(sentence_breaks=[[0, 13], [14, 24]], qas=[_question("q", 13)])),
    "no sentences": _squad(_paragraph(sentences=[], sentence_breaks=[])),
    "question without answers": _squad(_paragraph(qas=[_question("q")])),
    "fewer breaks": _squad(_paragraph(sentence_breaks=[[0, 24]])),
    "more breaks": _squad(_paragraph(sentences=[FIRST])),
    "question twice in a paragraph": _squad(_paragraph(qas=[_question("q", 0), _question("q", 14)])),
    "question twice in the file": _squad(LAST, LAST),
} | {
    f"no {key}": _squad({k: v for k, v in _paragraph().items() if k != key})
    for key in ("context", "sentences", "sentence_breaks", "qas")
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_told_in_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(HybridError) as caught:
        read_lareqa(file, "de")
    _one_line(caught, file)
    assert any(advice in str(caught.value) for advice in ("fetch it again", "fetch the file again"))


@pytest.mark.parametrize(
    ("paragraph", "told"),
    [
        (_paragraph(sentence_breaks=[[0, 24]]), "paragraph 1 has 2 sentences but 1 sentence_breaks"),
        (_paragraph(qas=[_question("why\n", 24)]), "question 'why' has an answer (at character 24) outside"),
        (_paragraph(qas=[_question("why")]), "question 'why' has no answer"),
        (LAST, "question id 'ja' occurs twice"),
        (_paragraph(sentences=["Ada", 7]), "data.1.paragraphs.0.sentences.1"),
    ],
)
def test_the_error_says_which_paragraph_or_question(file: Path, paragraph: Any, told: str) -> None:
    file.write_bytes(_squad(LAST, paragraph))
    with pytest.raises(HybridError) as caught:
        read_lareqa(file, "de")
    _one_line(caught, told)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "a folder"])
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "x.json"
    make(path)
    with pytest.raises(HybridError) as caught:
        read_lareqa(path, "de")
    _one_line(caught, path, DATA_VARIABLE)


# ---- a release in a folder of the user's


def _release(**contents: bytes) -> LareqaRelease:
    return LareqaRelease("mini", "c0ffee", {k: hashlib.sha256(v).hexdigest() for k, v in contents.items()})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the release ``mini`` below the one that the variable names."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    folder = tmp_path / "mini"
    folder.mkdir()
    return folder


def test_load_reads_the_languages_of_the_release_in_its_order(data: Path) -> None:
    for name in ("th", "de", "extra"):
        (data / f"{name}.json").write_bytes(GOOD)
    collection = load_lareqa(_release(th=GOOD, de=GOOD), "Mini")
    assert (collection.name, collection.languages) == ("Mini", ("th", "de"))
    assert collection.passages["th"].ids[0] == "th-0000-000"
    assert collection.queries["th"] == collection.queries["de"]


def test_load_hands_on_with_paragraph(data: Path) -> None:
    (data / "de.json").write_bytes(GOOD)
    collection = load_lareqa(_release(de=GOOD), "Mini", with_paragraph=True)
    assert collection.passages["de"].texts[1] == f"It is red. {FIRST}"


@pytest.mark.parametrize("content", [_squad(LAST), GOOD + b"\n"], ids=["other text", "one more line"])
def test_other_content_than_published_is_refused(data: Path, content: bytes) -> None:
    (data / "de.json").write_bytes(content)
    with pytest.raises(HybridError) as caught:
        load_lareqa(_release(de=GOOD), "Mini")
    _one_line(caught, data / "de.json", "not the published file", "fetch it again from")


def test_a_language_that_is_missing_is_named(data: Path) -> None:
    (data / "de.json").write_bytes(GOOD)
    with pytest.raises(HybridError) as caught:
        load_lareqa(_release(de=GOOD, ar=GOOD), "Mini")
    _one_line(caught, data / "ar.json", DATA_VARIABLE, "unset it to download")


@pytest.mark.parametrize("value", ["{tmp}/nowhere", "{tmp}/a-file", "~nosuchuser/lareqa", "{tmp}/nowhere\n"])
def test_the_variable_points_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv(DATA_VARIABLE, value.format(tmp=tmp_path))
    with pytest.raises(HybridError) as caught:
        load_lareqa(_release(de=GOOD), "Mini")
    _one_line(caught, "mini/de.json", "is missing", DATA_VARIABLE)


def test_without_the_variable_the_pinned_files_are_downloaded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str]] = []

    def download(url: str, *, sha256: str, folder: str, instead: str) -> Path:
        asked.append((url, sha256, folder))
        assert DATA_VARIABLE in instead
        return file

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(lareqa, "download", download)
    load_lareqa(_release(th=b"1", de=b"2"), "Mini")
    base = "https://raw.githubusercontent.com/google-research-datasets/lareqa/c0ffee/mini/"
    assert asked == [
        (f"{base}th.json", hashlib.sha256(b"1").hexdigest(), "lareqa/mini"),
        (f"{base}de.json", hashlib.sha256(b"2").hexdigest(), "lareqa/mini"),
    ]


# ---- the published files (PROTOCOL, section 1)

QUESTIONS = {
    "XQuAD-R": dict.fromkeys(("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"), 1190),
    "MLQA-R": {"ar": 517, "de": 512, "en": 1148, "es": 500, "hi": 507, "vi": 511, "zh": 504},
}
CANDIDATES = {
    "XQuAD-R": {
        **{"ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244},
        **{"ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196},
    },
    "MLQA-R": {"ar": 2545, "de": 2362, "en": 6264, "es": 1787, "hi": 2426, "vi": 2828, "zh": 2322},
}
POOL = {"XQuAD-R": 13_014, "MLQA-R": 20_534}
LANGUAGES_PER_QUESTION = {"XQuAD-R": {11: 1190}, "MLQA-R": {4: 820, 3: 263, 2: 65}}


@pytest.fixture(scope="module", params=RELEASES)
def published(request: pytest.FixtureRequest) -> Iterator[ParallelCollection]:
    if not PUBLISHED.is_dir():
        pytest.skip(f"the published files are not at {PUBLISHED}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, os.fspath(PUBLISHED))
        yield load_lareqa(RELEASES[request.param], request.param)


def test_published_counts(published: ParallelCollection) -> None:
    assert {k: len(table) for k, table in published.queries.items()} == QUESTIONS[published.name]
    assert {k: len(table) for k, table in published.passages.items()} == CANDIDATES[published.name]
    assert sum(len(table) for table in published.passages.values()) == POOL[published.name]


def test_published_ids_and_in_how_many_languages(published: ParallelCollection) -> None:
    languages = Counter(id_ for table in published.queries.values() for id_ in set(table.ids))
    assert Counter(languages.values()) == LANGUAGES_PER_QUESTION[published.name]


def test_published_passage_ids_are_unique_over_the_pool(published: ParallelCollection) -> None:
    ids = [id_ for table in published.passages.values() for id_ in table.ids]
    assert len(set(ids)) == POOL[published.name]


def test_published_groups_have_one_passage_in_each_language_of_the_question(
    published: ParallelCollection,
) -> None:
    for language in published.languages:
        queries, passages = published.queries[language], published.passages[language]
        assert queries.groups == tuple((id_,) for id_ in queries.ids)
        assert passages.rows_by_group.keys() == set(queries.ids)
        assert {len(rows) for rows in passages.rows_by_group.values()} == {1}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES.keys())
def test_published_checksums(release: LareqaRelease) -> None:
    if not PUBLISHED.is_dir():
        pytest.skip(f"the published files are not at {PUBLISHED}")
    found = {
        language: hashlib.sha256((PUBLISHED / release.folder / f"{language}.json").read_bytes()).hexdigest()
        for language in release.checksums
    }
    assert found == release.checksums
