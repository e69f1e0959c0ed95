"""The pools of yjoonjang/mlir-benchmarks: Belebele, MLQA, XQuAD and MultiEuP-v2 with queries in all languages.

Used by Jang et al. 2026 (SHIFT, arXiv 2606.18801) and by MIMO (arXiv 2605.31171). The form is that which the authors'
own code reads and writes: github.com/yjoonjang/SHIFT at c61062667ee57c477f76ce154c04786e390be8f7,
scripts/prepare_data/build_benchmarks.py and src/shift/data.py. Each pool is a folder ``MMLIR/NAME`` of three files of
JSON lines:

- ``queries.jsonl``: ``{"_id": "LANGUAGE_QUESTION", "text": ..., "lang": LANGUAGE}``; all versions of a question share
  what follows the language.
- ``corpus.jsonl``: ``{PASSAGE: {"text": ..., "lang": LANGUAGE}}``, whole paragraphs or speeches.
- ``qrels.jsonl``: ``{QUERY: {PASSAGE: 1, ...}}``, the same passages for all versions of a question.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.lareqa import DATA_VARIABLE
from mteb_hybrid.errors import HybridError, one_line

REPOSITORY = "yjoonjang/mlir-benchmarks"

REVISION = "main"
"""No commit of the data set was known when this was written: its newest is read."""

FOLDER = "mlir-benchmarks"
"""Where the files are below ``MTEB_HYBRID_DATA``."""

QUERIES, CORPUS, QRELS = "queries.jsonl", "corpus.jsonl", "qrels.jsonl"

_TAGS = {"dt": "nl"}  # Dutch is called so there
_AGAIN = f"fetch the files of {REPOSITORY} again"

_Form = TypeVar("_Form")
_Table = TypeVar("_Table", bound=dict[str, Any])


@dataclass(frozen=True)
class MlirPool:
    """One pool of the data set.

    Attributes:
        folder: its folder below ``MMLIR``.
        languages: BCP 47 tags of its languages, in the order of the collection.
    """

    folder: str
    languages: tuple[str, ...]

    @property
    def path(self) -> str:
        """The folder within the repository."""
        return f"MMLIR/{self.folder}"


BELEBELE = MlirPool(
    "Belebele_test", ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "nl", "pt", "ru", "vi", "zh")
)
MLQA = MlirPool("MLQA_test", ("ar", "de", "en", "es", "hi", "vi", "zh"))
XQUAD = MlirPool("XQuAD_test", ("ar", "de", "en", "es", "hi", "ru", "vi", "zh"))
# Of the 24 languages of the European Parliament, those that the authors' other data have, as they are called there.
MULTIEUP = MlirPool("MultiEup_test", ("de", "en", "es", "fr", "it", "pt"))


class _Query(BaseModel):
    model_config = ConfigDict(strict=True)
    id: str = Field(alias="_id")
    text: str
    lang: str


class _Passage(BaseModel):
    model_config = ConfigDict(strict=True)
    text: str
    lang: str


_QUERY = TypeAdapter(_Query)
_PASSAGES = TypeAdapter(dict[str, _Passage])
_QRELS = TypeAdapter(dict[str, dict[str, Annotated[int, Field(strict=True, ge=0)]]])


def load_mlir(pool: MlirPool, name: str) -> ParallelCollection:
    """Load a pool from the folder in ``MTEB_HYBRID_DATA`` if it is there, and else from the Hub or its cache.

    Args:
        pool: the pool.
        name: what the collection is called.

    Raises:
        HybridError: the files cannot be had, or are not of the form above.
    """
    folder = os.environ.get(DATA_VARIABLE)
    place = Path(os.path.expanduser(folder)) / FOLDER / pool.path if folder else None
    if place is None or not place.is_dir():  # the folder may be there for LAReQA alone
        place = _downloaded(pool)
    return read_mlir(place, name, pool.languages)


def read_mlir(folder: Path, name: str, languages: Sequence[str]) -> ParallelCollection:
    """Read the three files of a pool.

    Args:
        folder: the folder that holds them.
        name: what the collection is called.
        languages: BCP 47 tags of the languages that it must hold, in the order of the collection.

    Returns:
        The collection. A question is a group and the id of its queries; queries without a relevant passage are left
        out.

    Raises:
        HybridError: a file cannot be read or is not of the form above, it has other languages, or two versions of a
            question are answered by different passages.
    """
    queries, question_of = _read_queries(folder / QUERIES, languages)
    passages = _read_corpus(folder / CORPUS, languages)
    known = {id_ for texts in passages.values() for id_ in texts}
    relevant, asked = _read_qrels(folder / QRELS, question_of, known)
    questions_of: dict[str, list[str]] = {}
    for question, answers in relevant.items():
        for id_ in answers:
            questions_of.setdefault(id_, []).append(question)
    for language in languages:
        if not (queries[language] and passages[language]):
            what = "passages" if queries[language] else "queries"
            raise HybridError(f"{folder} has no {what} in {language}; {_AGAIN}")
    return ParallelCollection(
        name,
        {
            language: _table({question: text for id_, (question, text) in texts.items() if id_ in asked})
            for language, texts in queries.items()
        },
        {language: _table(texts, questions_of) for language, texts in passages.items()},
    )


def _read_queries(path: Path, languages: Sequence[str]) -> tuple[dict[str, dict[str, tuple[str, str]]], dict[str, str]]:
    """The queries of each language, id to question and text, and the question of each id."""
    queries: dict[str, dict[str, tuple[str, str]]] = {language: {} for language in languages}
    question_of: dict[str, str] = {}
    for where, query in _lines(path, _QUERY):
        question = query.id.removeprefix(f"{query.lang}_")
        if question == query.id:
            raise HybridError(f"{where}: query {one_line(query.id, 60)!r} does not begin with its language; {_AGAIN}")
        if query.id in question_of:
            raise HybridError(f"{where}: query {one_line(query.id, 60)!r} is there twice; {_AGAIN}")
        question_of[query.id] = question
        _of_language(queries, query.lang, where)[query.id] = question, query.text
    return queries, question_of


def _read_corpus(path: Path, languages: Sequence[str]) -> dict[str, dict[str, str]]:
    """The passages of each language, id to text."""
    passages: dict[str, dict[str, str]] = {language: {} for language in languages}
    known: set[str] = set()
    for where, entry in _lines(path, _PASSAGES):
        for id_, passage in entry.items():
            if id_ in known:
                raise HybridError(f"{where}: passage {one_line(id_, 60)!r} is there twice; {_AGAIN}")
            known.add(id_)
            _of_language(passages, passage.lang, where)[id_] = passage.text
    return passages


def _read_qrels(
    path: Path, question_of: Mapping[str, str], known: Collection[str]
) -> tuple[dict[str, list[str]], set[str]]:
    """The relevant passages of each question, and the queries that have some."""
    relevant: dict[str, list[str]] = {}
    asked: set[str] = set()
    for where, entry in _lines(path, _QRELS):
        for query, grades in entry.items():
            answers = [id_ for id_, grade in grades.items() if grade > 0]
            unknown = next((id_ for id_ in answers if id_ not in known), None)
            if query not in question_of or unknown is not None:
                what = f"query {query!r}" if query not in question_of else f"passage {unknown!r}"
                raise HybridError(f"{where}: {one_line(what, 80)} is in no other file; {_AGAIN}")
            before = relevant.setdefault(question_of[query], answers)
            if set(before) != set(answers):
                raise HybridError(
                    f"{where}: {one_line(query, 60)!r} and another version of its question have different relevant "
                    f"passages; {_AGAIN}"
                )
            if answers:
                asked.add(query)
    return relevant, asked


def _of_language(tables: Mapping[str, _Table], language: str, where: str) -> _Table:
    try:
        return tables[_TAGS.get(language, language)]
    except KeyError:
        raise HybridError(
            f"{where}: language {one_line(language, 40)!r} is none of this pool's ({', '.join(tables)}); {_AGAIN}"
        ) from None


def _table(texts: Mapping[str, str], groups: Mapping[str, Sequence[str]] | None = None) -> TextTable:
    """A table of texts by id, whose groups are the ids themselves unless others are given."""
    members = [(id_,) if groups is None else tuple(groups.get(id_, ())) for id_ in texts]
    return TextTable(tuple(texts), tuple(texts.values()), tuple(members))


def _lines(path: Path, form: TypeAdapter[_Form]) -> Iterator[tuple[str, _Form]]:
    """Each line of a file that is not blank, with where it is for errors."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}, line {number}", form.validate_json(line)
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}; {_AGAIN}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise HybridError(
            f"{path}, line {number} is not of this data set's form ({one_line(where, 60)}: "
            f"{one_line(first['msg'], 100)}); {_AGAIN}"
        ) from None


def _downloaded(pool: MlirPool) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [f"{pool.path}/{name}" for name in (QUERIES, CORPUS, QRELS)]
    try:
        root = snapshot_download(REPOSITORY, repo_type="dataset", revision=REVISION, allow_patterns=patterns)
    except Exception as error:  # the client passes on what its HTTP library and the disk raise
        raise HybridError(
            f"cannot download {pool.path} of {REPOSITORY} from the Hub ({type(error).__name__}); try again, or set "
            f"{DATA_VARIABLE} to a folder that holds {FOLDER}/{pool.path}"
        ) from None
    return Path(root) / pool.path
