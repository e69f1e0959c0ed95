"""Makers of small files of exactly the forms that the declared sources have upstream; all texts are made up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

ARABIC = "من بنى الجسر؟"
HINDI = "पुल किसने बनाया?"
CHINESE = "谁建了这座桥？"


def write_parquet(path: Path, columns: Mapping[str, Any], *, row_group_size: int | None = None) -> None:
    """Write columns, as arrays or lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(dict(columns)), path, row_group_size=row_group_size)


def write_text(path: Path, text: str) -> None:
    """Write a text, compressed if the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_lines(path: Path, rows: list[Any]) -> None:
    """Write JSONL."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def natural_questions(folder: Path) -> None:
    """Pairs of which two share a passage, one has no query and one no passage."""
    write_parquet(
        folder / "pair/train-00000-of-00001.parquet",
        {
            "query": ["who built it", "", "when was it built", "where is it", "who owns it"],
            "answer": ["Ada Roth did.", "A bridge.", "Ada Roth did.", None, "The town."],
        },
    )


def duorc(folder: Path) -> None:
    """A plot with two questions, one without an answer; the same ids in both folders."""
    for name in ("SelfRC", "ParaphraseRC"):
        write_parquet(
            folder / name / "train-00000-of-00001.parquet",
            {
                "plot_id": ["/m/1", "/m/1", "/m/2"],
                "plot": [f"A {name} bridge.", f"A {name} bridge.", f"A {name} town."],
                "title": ["Bridge", "Bridge", "Town"],
                "question_id": ["q1", "q2", "q3"],
                "question": ["Who?", "When?", "Where?"],
                "answers": [["Ada"], [], ["here"]],
                "no_answer": [False, True, False],
            },
        )


def newsqa(folder: Path) -> None:
    """An article with two questions that have one key by mistake."""
    labels = [[{"end": [3], "start": [0]}]] * 2
    write_parquet(
        folder / "data/train-00000-of-00001-ec54fbe500fc3b5c.parquet",
        {
            "context": ["The bridge fell.", "The bridge fell."],
            "question": ["What fell?", "What did the bridge do?"],
            "answers": [["bridge"], ["fell"]],
            "key": ["k1", "k1"],
            "labels": labels,
        },
    )


def wikiqa(folder: Path) -> None:
    """One question with a wrong and two right sentences."""
    write_parquet(
        folder / "data/train-00000-of-00001.parquet",
        {
            "question_id": ["Q1", "Q1", "Q1"],
            "question": ["how are bridges built"] * 3,
            "document_title": ["Bridge"] * 3,
            "answer": ["A bridge is old.", "With stone.", "With wood."],
            "label": pyarrow.array([0, 1, 1], pyarrow.int64()),
        },
    )


def yahoo_answers(folder: Path) -> None:
    """Pairs in two files."""
    for number, (title, answer) in enumerate([("Why is it red?", "Rust."), ("Is it old?", "Yes.")]):
        write_parquet(
            folder / f"title-answer-pair/train-0000{number}-of-00002.parquet", {"title": [title], "answer": [answer]}
        )


def mfaq(folder: Path) -> None:
    """A page with two pairs and one with none."""
    pair = {"question": "Do you ship to Ürümqi?", "answer": "We do.\u2028Ask us.", "language": "en"}
    write_lines(
        folder / "data/en/train.jsonl",
        [
            {
                "id": 1,
                "domain": "a.example",
                "language": "en",
                "num_pairs": 2,
                "qa_pairs": [pair, {**pair, "answer": " "}],
            },
            {"id": 2, "domain": "b.example", "language": "en", "num_pairs": 0, "qa_pairs": []},
        ],
    )


def mr_tydi(folder: Path) -> None:
    """A query with two relevant passages, and one with none."""
    passages = [{"docid": f"7#{n}", "title": "Bridge", "text": f"Passage {n}."} for n in range(3)]
    write_lines(
        folder / "mrtydi-v1.1-english/train.jsonl.gz",
        [
            {
                "query_id": "1",
                "query": "Who built it?",
                "positive_passages": passages[:2],
                "negative_passages": passages[2:],
            },
            {"query_id": "2", "query": "Why?", "positive_passages": [], "negative_passages": []},
        ],
    )


def entity_questions(folder: Path, relations: tuple[str, ...]) -> None:
    """Two questions in each file, the second with two answers."""
    for relation in relations:
        rows = [
            {"question": f"Who is {relation}?", "answers": ["Ada"]},
            {"question": f"What is {relation}?", "answers": ["a bridge", "a span"]},
        ]
        write_text(folder / f"dataset/train/{relation}.train.json", json.dumps(rows, indent=4))


def squad_shifts(folder: Path) -> None:
    """A paragraph with two questions in each file."""
    for name in ("new_wiki", "nyt", "reddit", "amazon_reviews"):
        questions = [
            {"id": f"{name}-{n}", "question": f"Question {n}?", "answers": [{"text": "A", "answer_start": 0}]}
            for n in range(2)
        ]
        article = {"title": name, "paragraphs": [{"context": f"A paragraph of {name}.", "qas": questions}]}
        write_text(folder / f"datasets/{name}_v1.0.json", json.dumps({"version": "1.0", "data": [article]}))


def mkqa(folder: Path, languages: Mapping[str, str]) -> None:
    """A question with two answers, one that cannot be answered, and one whose Arabic answer is missing."""

    def row(number: int, answer: Callable[[str], list[dict[str, Any]]]) -> dict[str, Any]:
        queries = {name: f"question {number} in {name}" for name in languages.values()} | {"ar": ARABIC}
        answers = {name: answer(name) for name in languages.values()}
        return {"query": "q", "example_id": number, "queries": queries, "answers": answers}

    def two(name: str) -> list[dict[str, Any]]:
        extra = {} if name == "zh_cn" else {"aliases": []}
        return [{"type": "entity", "entity": "Q1", "text": text, **extra} for text in (f"A {name}", f"B {name}")]

    write_lines(
        folder / "dataset/mkqa.jsonl.gz",
        [
            row(563260143484355911, two),
            row(-7449157003522518870, lambda name: [{"type": "unanswerable", "text": None}]),
            row(3, lambda name: [{"type": "number", "text": None if name == "ar" else "7.0"}]),
        ],
    )


def mintaka(folder: Path) -> None:
    """An entity, a number, yes or no, a date, no answer annotated, and two entities of which one has no Hindi label."""
    languages = ("ar", "de", "es", "fr", "hi", "it", "ja", "pt")

    def row(name: str, kind: str, answer: Any, mention: str) -> dict[str, Any]:
        return {
            "id": name,
            "question": f"{name}?",
            "translations": {tag: f"{name} in {tag}?" for tag in languages} | {"hi": HINDI},
            "questionEntity": [{"name": 7, "entityType": "ordinal", "mention": "seventh", "span": [12, 19]}],
            "answer": {"answerType": kind, "answer": answer, "mention": mention},
            "category": "geography",
            "complexityType": "ordinal",
        }

    def entity(name: str, **missing: None) -> dict[str, Any]:
        labels = {tag: f"{name} ({tag})" for tag in languages} | {"en": name} | missing
        return {"name": "Q1", "label": labels}

    rows = [
        row("a1", "entity", [entity("Lucania")], "Mount Lucania"),
        row("a2", "numerical", [6], "six"),
        row("a3", "boolean", [True], "Yes"),
        row("a4", "date", ["2008-11-04"], "November 4, 2008"),
        row("a5", "entity", None, "nobody knows"),
        row("a6", "entity", [entity("X"), entity("Y", hi=None)], "X and Y"),
    ]
    write_text(folder / "data/mintaka_train.json", json.dumps(rows, indent=4, ensure_ascii=False))


def mmarco(folder: Path, languages: Mapping[str, str]) -> None:
    """Five triples of three pairs; hard texts; a Chinese passage is missing, and a Russian query empty."""
    triples = [(20, 7, 1), (10, 8, 2), (20, 7, 3), (20, 9, 1), (10, 8, 1)]
    write_text(folder / "data/triples.train.ids.small.tsv", "".join(f"{q}\t{p}\t{n}\n" for q, p, n in triples))
    for tag, name in languages.items():
        queries = {10: f"null in {tag}", 20: 'a "quoted query', 30: "unused"}
        passages = {9: "NA", 7: f"7 in {tag},\rwith a return", 1: "unused", 8: f"'8' in {tag}"}
        if tag == "zh":
            queries[20] = CHINESE
            del passages[8]
        if tag == "ru":
            queries[10] = ""
        for folder_name, texts in (
            (f"queries/train/{name}_queries.train", queries),
            (f"collections/{name}_collection", passages),
        ):
            lines = "".join(f"{number}\t{text}\n" for number, text in texts.items())
            write_text(folder / f"data/google/{folder_name}.tsv", lines)
