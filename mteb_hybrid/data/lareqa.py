"""XQuAD-R and MLQA-R as LAReQA publishes them: SQuAD files with sentence breaks.

Source of the format: Roy et al. 2020, arXiv 2004.05484. The files come from a pinned commit of
github.com/google-research-datasets/lareqa and are checked against the checksums named here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.download import download
from mteb_hybrid.errors import HybridError, one_line

DATA_VARIABLE = "MTEB_HYBRID_DATA"
"""Environment variable that names a folder to read the files from, instead of downloading them."""

_UPSTREAM = "https://raw.githubusercontent.com/google-research-datasets/lareqa"


@dataclass(frozen=True)
class LareqaRelease:
    """One published set of files.

    Attributes:
        folder: the folder the files are in, upstream and below ``MTEB_HYBRID_DATA``.
        commit: the upstream commit that is read.
        checksums: the SHA-256 of ``LANGUAGE.json``, keyed by language; their order is the collection's.
    """

    folder: str
    commit: str
    checksums: Mapping[str, str]

    @property
    def url(self) -> str:
        """The folder the files are downloaded from."""
        return f"{_UPSTREAM}/{self.commit}/{self.folder}/"


XQUAD_R = LareqaRelease(
    folder="xquad-r",
    commit="9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c",
    checksums={
        "ar": "c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d",
        "de": "16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949",
        "el": "163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6",
        "en": "7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe",
        "es": "f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de",
        "hi": "ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872",
        "ru": "7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1",
        "th": "c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4",
        "tr": "f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94",
        "vi": "e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995",
        "zh": "80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed",
    },
)

MLQA_R = LareqaRelease(
    folder="mlqa-r",
    commit="354d67d1cd066854cdfbf5ad0e6105528976141d",
    checksums={
        "ar": "2132fbc03208535c0fe01f2e2c5121d06f9c2aa799af93b0a719dbc105bdf137",
        "de": "ce9454dc5aa6f2d85c23cd6e49cb367fbb7c4c6e62d7f71e355c6b5dae4d0886",
        "en": "fedd9a5cc0848dda80caf84aa36f482adaae230526a3f6e9e86926a93ef3b1e4",
        "es": "70ecba276b8c96a692b120693a595d076ce94ad21d4b28311538a9fcbfe0f9d7",
        "hi": "4dd0fb3c06f737a5481d705bc1dcac7876712a5815c9265908fbb3a0696cb654",
        "vi": "9d3baff6ba03e6793b25594217265ea59a136b9733833dca8a9582a84a78ff85",
        "zh": "57f01d2fff50cf3392805635b01445339f225ad5bf28ba8443b12f8dbd1e69dc",
    },
)


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)
    answer_start: int


class _Question(BaseModel):
    model_config = ConfigDict(strict=True)
    id: str
    question: str
    answers: list[_Answer]


class _Paragraph(BaseModel):
    model_config = ConfigDict(strict=True)
    context: str
    sentences: list[str]
    sentence_breaks: list[tuple[int, int]]
    qas: list[_Question]


class _Article(BaseModel):
    model_config = ConfigDict(strict=True)
    paragraphs: list[_Paragraph]


class _Squad(BaseModel):
    model_config = ConfigDict(strict=True)
    data: list[_Article]


def load_lareqa(release: LareqaRelease, name: str, *, with_paragraph: bool = False) -> ParallelCollection:
    """Load all languages of a release, downloading what is not in the user's cache.

    Args:
        release: the files to load.
        name: what the collection is called.
        with_paragraph: whether a passage's text is the sentence followed by its whole paragraph, with
            one space between (PROTOCOL section 4), instead of the sentence alone.

    Raises:
        HybridError: a file cannot be had, is not the published one, or is malformed.
    """
    folder = os.environ.get(DATA_VARIABLE)
    queries: dict[str, TextTable] = {}
    passages: dict[str, TextTable] = {}
    for language in release.checksums:
        path = _local(folder, release, language) if folder else _downloaded(release, language)
        queries[language], passages[language] = read_lareqa(path, language, with_paragraph=with_paragraph)
        if folder:  # a download is checked on arrival, a folder of the user's only here
            _check_published(path, release, language)
    return ParallelCollection(name, queries, passages)


def read_lareqa(path: Path, language: str, *, with_paragraph: bool = False) -> tuple[TextTable, TextTable]:
    """Read one file: every question, and every sentence as a passage.

    A passage's id is ``LANGUAGE-PARAGRAPH-SENTENCE``, counted from 0 over the file. The sentence in which
    the first answer to a question starts is the passage of that question's group; the group is the
    question's id, which all languages share.

    Args:
        path: a SQuAD file whose paragraphs have ``sentences`` and ``sentence_breaks``.
        language: the language of the file; it goes into the ids of the passages.
        with_paragraph: as in ``load_lareqa``.

    Returns:
        The queries and the passages.

    Raises:
        HybridError: the file cannot be read, is not of that format, or an answer is in no sentence.
    """
    query_ids: list[str] = []
    query_texts: list[str] = []
    ids: list[str] = []
    texts: list[str] = []
    groups: list[list[str]] = []
    paragraphs = (paragraph for article in _parse(path).data for paragraph in article.paragraphs)
    for number, paragraph in enumerate(paragraphs):
        first = len(ids)
        for index, sentence in enumerate(paragraph.sentences):
            ids.append(f"{language}-{number:04d}-{index:03d}")
            texts.append(f"{sentence} {paragraph.context}" if with_paragraph else sentence)
            groups.append([])
        for question in paragraph.qas:
            query_ids.append(question.id)
            query_texts.append(question.question)
            groups[first + _answer_sentence(path, paragraph, question)].append(question.id)
    if len(set(query_ids)) < len(query_ids):
        repeated = next(id_ for row, id_ in enumerate(query_ids) if id_ in query_ids[:row])
        raise HybridError(f"{path}: question id {one_line(repeated, 60)!r} occurs twice; fetch the file again")
    return (
        TextTable(tuple(query_ids), tuple(query_texts), tuple((id_,) for id_ in query_ids)),
        TextTable(tuple(ids), tuple(texts), tuple(tuple(members) for members in groups)),
    )


def _parse(path: Path) -> _Squad:
    try:
        squad = _Squad.model_validate_json(path.read_bytes())
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror}; check the folder in {DATA_VARIABLE}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HybridError(f"{path} is not a LAReQA file ({where}: {one_line(first['msg'])}); fetch it again") from None
    for number, paragraph in enumerate(p for article in squad.data for p in article.paragraphs):
        if len(paragraph.sentences) != len(paragraph.sentence_breaks):
            raise HybridError(
                f"{path}: paragraph {number} has {len(paragraph.sentences)} sentences but "
                f"{len(paragraph.sentence_breaks)} sentence_breaks; fetch the file again"
            )
    return squad


def _answer_sentence(path: Path, paragraph: _Paragraph, question: _Question) -> int:
    start = question.answers[0].answer_start if question.answers else None
    if start is not None:
        for index, (begin, end) in enumerate(paragraph.sentence_breaks):
            if begin <= start < end:
                return index
    what = "has no answer" if start is None else f"has an answer (at character {start}) outside every sentence"
    raise HybridError(f"{path}: question {one_line(question.id, 60)!r} {what}; fetch the file again")


def _local(folder: str, release: LareqaRelease, language: str) -> Path:
    path = Path(os.path.expanduser(folder)) / release.folder / f"{language}.json"
    if not path.is_file():
        raise HybridError(
            f"{path} is missing: {DATA_VARIABLE} must name a folder that holds {release.folder}/{language}.json; "
            f"unset it to download the files"
        )
    return path


def _downloaded(release: LareqaRelease, language: str) -> Path:
    return download(
        f"{release.url}{language}.json",
        sha256=release.checksums[language],
        folder=f"lareqa/{release.folder}",
        instead=f"set {DATA_VARIABLE} to a folder that holds {release.folder}/{language}.json",
    )


def _check_published(path: Path, release: LareqaRelease, language: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != release.checksums[language]:
        raise HybridError(
            f"{path} is not the published file (SHA-256 {found[:12]}…, expected "
            f"{release.checksums[language][:12]}…); fetch it again from {release.url}, or evaluate data of your "
            f"own with `mteb-hybrid evaluate --data`"
        )
