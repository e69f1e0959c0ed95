"""Texts of every kind go through whole, from a file to a report: no sign is lost, changed or taken for another.

From right to left, without spaces, with marks that combine, beyond the basic plane, alike in two languages, and alike
to the eye but not in their signs (NFC and NFD). What is no text, halves of surrogate pairs and nothing at all, is
refused in one line.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mteb.types import PromptType

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.own import load_collection, save_collection
from mteb_hybrid.debias.encoder import DebiasedEncoder
from mteb_hybrid.debias.fit import fit_debiasing
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.evaluation.shared_run import shared_run
from mteb_hybrid.publishing.escape import inline
from mteb_hybrid.training.base_model import Base
from mteb_hybrid.training.batches import HybridBatches
from mteb_hybrid.training.sampler import row_index
from tests.evaluation.encoders import HashEncoder

NFC, NFD = (unicodedata.normalize(form, "Café Škoda") for form in ("NFC", "NFD"))
TEXTS = {
    "from the right, with vowel marks": "مَنْ بَنَى الجِسْرَ؟ (2 مرة)",
    "from the right, and back": "מי בנה את London Bridge ב־1973?",
    "without spaces": "谁建造了这座桥？他们说是张三。",
    "without spaces, with marks": "ใครสร้างสะพานนี้",
    "stacked marks": "ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ",
    "conjuncts and joiners": "क्षत्रिय\u200dों की می‌خواهم",
    "composed": NFC,
    "decomposed": NFD,
    "beyond the basic plane": "𐐷𝄞 👩‍👩‍👧‍👦 𠮷野家",
    "directions forced": "a\u202eb\u202cc \u2067d\u2069",
    "many marks on one letter": "Z" + "\u0310\u0316" * 40,
    "lines and controls": "one\ntwo\tthree\r\x07",
    "the same in both languages": "Radio",
}
LANGUAGES = ("de", "ar-Latn")
HALVES = ('"\\ud800"', '"a\\udfff b"', '"\\udc00\\ud800"')


def collection() -> ParallelCollection:
    """A question and its answer for each text; the last one is the same in both languages, others are told apart."""
    count = len(TEXTS)
    groups = tuple((f"g{row}",) for row in range(count))

    def texts(tag: str, role: str) -> tuple[str, ...]:
        *own, same = TEXTS.values()
        return (*(f"{text} {role} {tag}" for text in own), same)

    return ParallelCollection(
        "Texts",
        {tag: TextTable(tuple(f"q{row}" for row in range(count)), texts(tag, "?"), groups) for tag in LANGUAGES},
        {tag: TextTable(tuple(f"{tag}-{row}" for row in range(count)), texts(tag, "."), groups) for tag in LANGUAGES},
    )


def corpus_file(folder: Path, **changes: Any) -> Path:
    """Training pairs of the same texts; ``changes`` are columns of the first row."""
    rows = [
        {"id": str(row), "query_de": text, "passage_de": f"{text}.", "query_ar": f"{text}?", "passage_ar": f"{text}."}
        for row, text in enumerate(TEXTS.values())
    ]
    rows[0] |= changes
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def fails(call: Callable[[], object], *parts: str) -> None:
    """It is refused in one short line that holds all parts."""
    with pytest.raises(HybridError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable() and len(message) < 500
    assert all(part in message for part in parts), message


# ---- collections


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_collection_is_read_back_sign_for_sign(suffix: str, tmp_path: Path) -> None:
    save_collection(collection(), tmp_path / f"Texts.{suffix}")
    read = load_collection(tmp_path / f"Texts.{suffix}")
    assert read == collection()
    assert NFC != NFD and read.queries["de"].texts.count(f"{NFD} ? de") == 1
    assert read.revision == collection().revision


def test_composed_and_decomposed_texts_are_other_data() -> None:
    one, other = (
        ParallelCollection("T", {"de": TextTable(("1",), (text,), (("g",),))}, {"de": TextTable((), (), ())})
        for text in (NFC, NFD)
    )
    assert one.revision != other.revision


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("field", ["text", "id", "group", "language"])
def test_half_a_character_is_no_text(field: str, half: str, tmp_path: Path) -> None:
    row = {"role": "passage", "id": "p", "language": "de", "group": "g", "text": "Text", field: "HALF"}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row).replace('"HALF"', half) + "\n", encoding="utf-8")
    fails(lambda: load_collection(path), "own.jsonl, line 1", "half of a character")


def test_half_a_character_in_bytes_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'{"role": "passage", "id": "p", "language": "de", "text": "\xed\xa0\x80"}\n')
    fails(lambda: load_collection(path), "line 1", "half of a character")


def test_a_collection_made_in_python_with_half_a_character_is_not_written(tmp_path: Path) -> None:
    half = ParallelCollection(
        "Half", {"de": TextTable(("q",), ("a\ud800",), (("g",),))}, {"de": TextTable(("p",), ("b",), (("g",),))}
    )
    for suffix in ("jsonl", "parquet"):
        fails(lambda suffix=suffix: save_collection(half, tmp_path / f"half.{suffix}"), "not valid Unicode")
    fails(lambda: evaluated(half), "not valid Unicode")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("empty", ["", " ", "\u3000", "\u00a0\t\n", "\u2028"])
def test_a_text_of_nothing_is_refused(empty: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    row = {"role": "passage", "id": "p", "language": "de", "text": empty}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    fails(lambda: load_collection(path), "line 1", "text", "is empty")


# ---- evaluation


def evaluated(data: ParallelCollection, encoder: Any = None) -> dict[str, dict[str, Any]]:
    """The scores of the mixed pool."""
    task = collection_tasks(data)[-2]()
    task.load_data()
    scores: dict[str, Any] = task.evaluate(encoder or HashEncoder(), "test", encode_kwargs={"batch_size": 4})
    return scores


def test_every_distinct_text_reaches_the_encoder_once_and_unchanged() -> None:
    encoder, data = HashEncoder(), collection()
    with shared_run():
        for task in collection_tasks(data)[:-1]:
            made: Any = task()
            made.load_data()
            made.evaluate(encoder, "test", encode_kwargs={"batch_size": 4})
    asked = {("query", text) for table in data.queries.values() for text in table.texts}
    asked |= {("document", text) for table in data.passages.values() for text in table.texts}
    assert set(encoder.asked) == asked
    assert set(encoder.asked.values()) == {1}
    assert len(asked) == 2 * (2 * len(TEXTS) - 1)  # "Radio" is one text in two languages


def test_a_text_that_two_languages_share_stands_twice_in_the_pool() -> None:
    class Marked(HashEncoder):
        """Radio is like Radio; nothing else is like anything."""

        def _vector(self, text: str) -> Any:
            return np.array([1, 0] if text == "Radio" else [0, 1])

    # Of two equal similarities the greater id goes first: de-12 before ar-Latn-12, at ranks 1 and 2.
    data = collection()
    last = {tag: TextTable(table.ids[-1:], table.texts[-1:], table.groups[-1:]) for tag, table in data.queries.items()}
    scores = evaluated(ParallelCollection("Last", last, data.passages), Marked())
    for subset in ("de-all", "ar_Latn-all"):
        assert scores[subset]["map"] == 1
        assert scores[subset]["worst_rank"] == 2
    assert scores["de-all"]["top1_query_language"] == 1
    assert scores["ar_Latn-all"]["top1_query_language"] == 0


# ---- training and debiasing


def test_pairs_are_dealt_sign_for_sign(tmp_path: Path) -> None:
    corpus = load_corpus(corpus_file(tmp_path))
    views = corpus.views().values()
    view = next(each for each in views if (each.origin.query_language, each.origin.passage_language) == ("de", "ar"))
    assert [row["query"] for row in view] == list(TEXTS.values())
    assert [row["passage"] for row in view] == [f"{text}." for text in TEXTS.values()]
    batches = HybridBatches([row_index(corpus)], 4, strategy="cross", seed=1)
    rows = [batch.rows.tolist() for batch in batches.epoch(0)]
    assert [len(batch) for batch in rows] == [4, 4, 4]
    assert len({row for batch in rows for row in batch}) == 12


@pytest.mark.parametrize("text", ["", " ", "\u3000"])
def test_a_pair_of_nothing_is_refused(text: str, tmp_path: Path) -> None:
    fails(lambda: load_corpus(corpus_file(tmp_path, query_de=text)), "query_de is empty")


@pytest.mark.parametrize("column", ["id", "query_de", "passage_ar"])
def test_a_pair_with_half_a_character_is_refused(column: str, tmp_path: Path) -> None:
    path = corpus_file(tmp_path, **{column: "a\ud800"})
    fails(lambda: load_corpus(path), "pairs.jsonl")


def test_what_two_languages_share_has_no_distance_between_them(tmp_path: Path) -> None:
    """The passages of both languages are the same texts here, so shift, their mean difference, is nothing."""
    corpus = load_corpus(corpus_file(tmp_path))
    found = fit_debiasing(HashEncoder(), corpus, "shift", base=Base("folder", "x", "1" * 40), source="de")
    assert not found.directions.any()


def test_a_shared_text_is_debiased_by_the_language_it_stands_in(tmp_path: Path) -> None:
    """It is encoded once, and moved twice: by what its embedding has of either language."""
    data = collection()
    pairs = load_corpus(corpus_file(tmp_path))
    plain = HashEncoder()
    fitted = fit_debiasing(plain, pairs, "centering", base=Base("folder", "x", "1" * 40))
    moved = fitted.transform(np.ones((2, plain.dimensions)), ["de", "ar-Latn"], PromptType.document)
    assert (moved[0] != moved[1]).any()  # Arabic in Latin letters is not what was fitted
    encoder = HashEncoder()
    with shared_run():
        evaluated(data, DebiasedEncoder(encoder, fitted))
    assert encoder.asked["document", "Radio"] == 1


# ---- what is shown


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_card_shows_a_text_on_one_line_and_keeps_its_signs(text: str) -> None:
    shown = inline(text)
    assert "\n" not in shown and not set("\u202e\x07\r") & set(shown)
    for sign in set(text) & set("َქक्षÉé\u0301\u200d\u200cก谁𠮷"):
        assert sign in shown


def test_a_report_holds_the_texts_as_they_are(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")
    import mteb
    from mteb.cache import ResultCache

    from mteb_hybrid.html_report.write import write_report

    save_collection(collection(), tmp_path / "Texts.jsonl")
    tasks = collection_tasks(load_collection(tmp_path / "Texts.jsonl"))
    cache = ResultCache(tmp_path / "results")
    mteb.evaluate(HashEncoder(), [task() for task in tasks[:-1]], cache=cache, show_progress_bar=False)
    write_report(tmp_path / "results", tmp_path / "report.html", data=[tmp_path / "Texts.jsonl"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (part,) = json.loads(page.split('id="explorers">')[1].split("</script>")[0]).values()
    held = {question["text"] for question in part["questions"]}
    assert held == {" ".join(_shown(text).split()) for table in collection().queries.values() for text in table.texts}
    assert not set("\u202e\u2067\x07") & set(page)


def _shown(text: str) -> str:
    """Without control characters and forced directions; every other sign stays."""
    return "".join(
        " " if unicodedata.category(sign) == "Cc" else sign for sign in text if sign not in "\u202e\u202c\u2067\u2069"
    )
