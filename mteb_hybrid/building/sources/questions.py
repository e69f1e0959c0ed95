"""Sources that are JSON files, each of its own form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mteb_hybrid.building.sources.files import Files
from mteb_hybrid.building.sources.items import Item
from mteb_hybrid.building.sources.rows import Row, same
from mteb_hybrid.building.sources.wanted import Wanted

BETWEEN = "; "
"""What is put between several answers to one question."""


def joined(answers: Iterable[str | None]) -> str | None:
    """All answers as one passage, each once; None if there is none."""
    texts = dict.fromkeys(text.strip() for text in answers if text and text.strip())
    return BETWEEN.join(texts) or None


@dataclass(frozen=True)
class FaqPages:
    """Pages of questions with their answers: a line is ``{"qa_pairs": [{"question", "answer"}]}``.

    Ids are positions: there are millions, and those of the pages have no gaps. Rows of one answer share a group.
    """

    file: str
    language: str

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the pages, one pair after the other."""
        for page in files.lines(self.file):
            for pair in page.items("qa_pairs"):
                answer = pair.text("answer")
                yield Row({self.language: (pair.text("question"), answer)}, None, same(answer))


@dataclass(frozen=True)
class RankingQueries:
    """Queries with their relevant passages: ``{"query_id", "query", "positive_passages": [{"docid", "text"}]}``.

    A query with several is several rows. The titles are left out. The passage's id is the group.
    """

    file: str
    language: str

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the queries, one relevant passage after the other."""
        for line in files.lines(self.file):
            name, query = line.key("query_id"), line.text("query")
            passages = list(line.items("positive_passages"))
            if not passages:
                yield Row({}, name, lacking="no answer")
            for passage in passages:
                docid = passage.key("docid")
                yield Row({self.language: (query, passage.text("text"))}, f"{name}-{docid}", docid)


@dataclass(frozen=True)
class AnswerLists:
    """Questions with the texts of their answers, a file for each relation: ``[{"question", "answers": [...]}]``.

    There is no passage: the passage is the answers. Rows of the same answers share a group.
    """

    file: str
    relations: tuple[str, ...]
    language: str

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the files in the order of the relations."""
        for relation in self.relations:
            path = self.file.format(relation=relation)
            for number, item in enumerate(_array(files, path)):
                answers = joined(_texts(item, "answers"))
                yield Row({self.language: (item.text("question"), answers)}, f"{relation}-{number}", same(answers))


@dataclass(frozen=True)
class SquadFiles:
    """Files of SQuAD's form. The passage is the paragraph, and rows of one paragraph share a group."""

    files: tuple[str, ...]
    language: str

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the files, one question after the other."""
        for path in self.files:
            document = Item(files.document(path), path, files)
            for article in document.items("data"):
                for paragraph in article.items("paragraphs"):
                    context = paragraph.text("context")
                    for question in paragraph.items("qas"):
                        pairs = {self.language: (question.text("question"), context)}
                        yield Row(pairs, question.key("id"), same(context))


@dataclass(frozen=True)
class ParallelAnswers:
    """MKQA: ``{"example_id", "queries": {LANGUAGE: text}, "answers": {LANGUAGE: [{"text"}]}}``.

    There is no passage: the passage is the answers. Rows of the same English answers share a group.
    """

    file: str
    languages: Mapping[str, str]
    """What each language is called in the file, by its tag."""

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the questions."""
        for line in files.lines(self.file):
            queries, answers = line.item("queries"), line.item("answers")
            pairs = {}
            for tag in dict.fromkeys(["en", *wanted.languages]):
                name = self.languages[tag]
                passage = joined(answer.text("text") for answer in answers.items(name))
                pairs[tag] = queries.text(name), passage
            lacking = "no answer" if all(passage is None for _, passage in pairs.values()) else None
            yield Row(pairs, line.key("example_id"), same(pairs["en"][1]), lacking)


@dataclass(frozen=True)
class TranslatedQuestions:
    """Mintaka: ``[{"id", "question", "translations": {LANGUAGE: text}, "answer": {...}}]``.

    There is no passage: the passage is the answers. An entity has a label in most languages, a number or a date is the
    same in all; "yes", "no" and other words are there in English alone. Where a language lacks a label of one of
    several entities, it lacks the answer. Rows of the same English answers share a group.
    """

    file: str

    def rows(self, files: Files, wanted: Wanted) -> Iterator[Row]:
        """Read the questions."""
        for item in _array(files, self.file):
            translations, answer = item.item("translations"), item.item("answer")
            pairs = {}
            for tag in dict.fromkeys(["en", *wanted.languages]):
                query = item.text("question") if tag == "en" else translations.text(tag)
                pairs[tag] = query, _answer(answer, tag)
            lacking = "no answer" if all(passage is None for _, passage in pairs.values()) else None
            yield Row(pairs, item.key("id"), same(pairs["en"][1]), lacking)


def _answer(answer: Item, language: str) -> str | None:
    kind, mention = answer.text("answerType"), answer.text("mention")
    values = _list(answer.value.get("answer"))
    found: list[str | None] = []
    if kind == "entity":
        found = [_label(entity, language) for entity in answer.items("answer")] if values else []
    elif kind in {"numerical", "number", "date"}:
        found = [str(value) for value in values if isinstance(value, int | float | str)]
    if found and all(found):
        return joined(found)
    return joined([mention]) if language == "en" else None


def _label(entity: Item, language: str) -> str | None:
    labels = entity.value.get("label")
    if isinstance(labels, str):  # the first version of the data, in English alone
        return labels if language == "en" else None
    if labels is None:
        return None
    return entity.item("label").text(language) if language in entity.item("label").value else None


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _texts(item: Item, name: str) -> list[str]:
    values = item.values(name)
    wrong = next((value for value in values if not isinstance(value, str)), None)
    if wrong is not None:
        raise item.wrong(name, wrong, "texts")
    return values


def _array(files: Files, path: str) -> Iterator[Item]:
    values = files.document(path)
    if not isinstance(values, list):
        raise files.fault(path, "is not a list of objects")
    for number, value in enumerate(values):
        yield Item(value, f"{path}, object {number + 1}", files)
