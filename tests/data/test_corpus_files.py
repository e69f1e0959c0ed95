"""Where parallel corpora come from: files, data sets, the Hub, built-in names; and every fault with its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mteb_hybrid.data import corpus_files
from mteb_hybrid.data.corpus_files import (
    BUILT_IN_SOURCES,
    corpus_from_dataset,
    load_corpus,
    save_corpus,
    to_dataset,
)
from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import HybridError
from tests.test_cli import child_environment

Row = dict[str, Any]

BOTH: Row = {
    "id": "q7",
    "group": "p3",
    "query_de": "Wer baute sie?",
    "passage_de": "Ada Roth.",
    "query_en": "Who built it?",
    "passage_en": "Ada Roth did.",
}
GERMAN: Row = {"id": "q8", "query_de": "Wo steht sie?", "passage_de": "In Ulm."}
ENGLISH: Row = {"id": "q9", "query_en": "Where is it?", "passage_en": "In Ulm, it is."}
SUFFIXES = ("jsonl", "parquet")


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        datasets.disable_progress_bars()
        yield
        datasets.enable_progress_bars()


def _lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _arrow(*rows: Row) -> pyarrow.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pyarrow.table({name: [row.get(name) for row in rows] for name in names})


def _write(folder: Path, suffix: str, *rows: Row) -> Path:
    path = folder / f"own.{suffix}"
    if suffix == "jsonl":
        path.write_bytes(_lines(*rows))
    else:
        parquet.write_table(_arrow(*rows), path)
    return path


def _fault(source: str | Path, **options: Any) -> str:
    """The one line that loading ends in."""
    with pytest.raises(HybridError) as caught:
        load_corpus(source, **options)
    message = str(caught.value)
    assert message.isprintable()
    return message


def _addresses(column: pyarrow.ChunkedArray) -> list[Any]:
    return [buffer and buffer.address for chunk in column.chunks for buffer in chunk.buffers()]


# ---- what is read


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_both_formats(tmp_path: Path, suffix: str) -> None:
    corpus = load_corpus(_write(tmp_path, suffix, BOTH, GERMAN, ENGLISH))
    assert (corpus.name, corpus.languages, corpus.negatives, corpus.trained_on) == ("own", ("de", "en"), 0, ())
    empty = dict.fromkeys(BOTH)
    assert corpus.table.to_pylist() == [BOTH, empty | GERMAN, empty | ENGLISH]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_in_any_order_and_languages_in_the_order_of_their_first(tmp_path: Path, suffix: str) -> None:
    row = {"passage_zh-Hant": "p", "negative_1_de": "n", "query_de": "q", "id": "1", "passage_de": "p"}
    corpus = load_corpus(_write(tmp_path, suffix, row | {"query_zh-Hant": "q", "negative_1_zh-Hant": "n"}))
    assert (corpus.languages, corpus.negatives) == (("zh-Hant", "de"), 1)
    assert corpus.table.column_names == [
        *("id", "query_zh-Hant", "passage_zh-Hant", "negative_1_zh-Hant"),
        *("query_de", "passage_de", "negative_1_de"),
    ]


def test_the_same_rows_have_the_same_fingerprint_in_both_formats(tmp_path: Path) -> None:
    first, second = (load_corpus(_write(tmp_path, suffix, BOTH, GERMAN)) for suffix in SUFFIXES)
    assert first.fingerprint == second.fingerprint


def test_jsonl_with_blank_lines_a_byte_order_mark_and_explicit_nulls(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + _lines(BOTH) + b"\n  \n" + _lines(GERMAN | {"group": None, "query_en": None}))
    assert load_corpus(path).table["id"].to_pylist() == ["q7", "q8"]


def test_jsonl_that_is_parsed_in_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_files, "_JSONL_BYTES", 1)
    corpus = load_corpus(_write(tmp_path, "jsonl", GERMAN, ENGLISH, BOTH))
    assert corpus.languages == ("de", "en")
    assert corpus.table.select(["id", "group"]).to_pydict() == {"id": ["q8", "q9", "q7"], "group": [None, None, "p3"]}
    path = tmp_path / "faulty.jsonl"
    path.write_bytes(_lines(GERMAN) + b"\n\n" + _lines(ENGLISH) + b"\n" + _lines(BOTH | {"query_en": " "}))
    assert _fault(path) == f"{path}, line 6: query_en is empty; fill it in, or leave it out"


@pytest.mark.parametrize("kind", [pyarrow.large_string(), pyarrow.string_view(), pyarrow.dictionary("int8", "string")])
def test_other_arrow_types_of_text(tmp_path: Path, kind: pyarrow.DataType) -> None:
    table = _arrow(BOTH, GERMAN)
    expected = corpus_from_dataset(datasets.Dataset(table), "x").fingerprint
    columns = [
        table[name].dictionary_encode()
        if pyarrow.types.is_dictionary(kind)
        else pyarrow.array(table[name].to_pylist(), kind)
        for name in table.column_names
    ]
    parquet.write_table(pyarrow.table(columns, table.column_names), tmp_path / "x.parquet")
    assert load_corpus(tmp_path / "x.parquet").fingerprint == expected


def test_a_column_without_any_value(tmp_path: Path) -> None:
    corpus = load_corpus(_write(tmp_path, "parquet", GERMAN | {"query_en": None, "group": None}))
    assert corpus.languages == ("de", "en")
    assert corpus.texts(0, "en") == (None, None)


def test_parquet_is_memory_mapped_and_read_again_when_it_changes(tmp_path: Path) -> None:
    path = _write(tmp_path, "parquet", *({**GERMAN, "id": str(number)} for number in range(5000)))
    allocated = pyarrow.total_allocated_bytes()
    corpus = load_corpus(path)
    assert pyarrow.total_allocated_bytes() - allocated < 5000
    path.unlink()
    assert load_corpus(_write(tmp_path, "parquet", GERMAN)).table["id"].to_pylist() == ["q8"]
    assert corpus.texts(4999, "de") == ("Wo steht sie?", "In Ulm.")


def test_a_file_name_is_no_pattern(tmp_path: Path) -> None:
    _write(tmp_path, "parquet", GERMAN).rename(tmp_path / "a[1]*.parquet")
    assert load_corpus(str(tmp_path / "a[1]*.parquet")).name == "a[1]*"


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _write(tmp_path, "jsonl", GERMAN)
    assert len(load_corpus("~/own.jsonl")) == 1


# ---- selections


def test_name_languages_and_rows(tmp_path: Path) -> None:
    path = _write(tmp_path, "jsonl", GERMAN, ENGLISH, BOTH)
    corpus = load_corpus(path, name="mine", languages=["en"], rows=2)
    assert (corpus.name, corpus.languages) == ("mine", ("en",))
    assert corpus.table["id"].to_pylist() == ["q9", "q7"]  # the first two that are English
    assert len(load_corpus(path, rows=100)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ["en", "fr"]}, "language 'fr' of own is not in it; it has de, en"),
        ({"rows": 0}, "the first 0 rows of own asked for; ask for 1 or more"),
        ({"revision": "main"}, "PATH has no revision 'main': only a data set ORG/NAME on the Hub has"),
    ],
)
def test_selections_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = _write(tmp_path, "jsonl", BOTH)
    assert _fault(path, **options) == message.replace("PATH", str(path))


# ---- round trips


@st.composite
def _corpora(draw: st.DrawFn) -> ParallelCorpus:
    texts = st.text(max_size=4).map(lambda text: text + "x")
    languages = draw(st.lists(st.sampled_from(["de", "en", "zh-Hant", "pt-BR"]), min_size=1, unique=True))
    negatives = draw(st.integers(0, 2))
    roles = ["query", "passage", *(f"negative_{number + 1}" for number in range(negatives))]
    columns = ["id"] + ["group"] * draw(st.booleans())
    columns += [f"{role}_{language}" for language in languages for role in roles]
    rows = []
    for number in range(draw(st.integers(1, 5))):
        have = draw(st.sets(st.sampled_from(languages), min_size=1))
        row = {f"{role}_{language}": draw(texts) for language in sorted(have) for role in roles}
        rows.append({"id": f"{number}{draw(texts)}", "group": draw(st.none() | texts)} | row)
    schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
    return ParallelCorpus("own", pyarrow.Table.from_pylist(rows, schema), tuple(languages), negatives)


def _same(first: ParallelCorpus, second: ParallelCorpus) -> None:
    assert first.table.to_pylist() == second.table.to_pylist()
    assert first.fingerprint == second.fingerprint
    assert (first.name, first.languages, first.negatives) == (second.name, second.languages, second.negatives)


@given(_corpora())
def test_round_trip_jsonl(corpus: ParallelCorpus) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_corpus(corpus, f"{folder}/own.jsonl")
        _same(load_corpus(f"{folder}/own.jsonl"), corpus)


@settings(max_examples=15)
@given(_corpora())
def test_round_trip_parquet(corpus: ParallelCorpus) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_corpus(corpus, f"{folder}/own.parquet")
        _same(load_corpus(f"{folder}/own.parquet"), corpus)


@given(_corpora())
def test_round_trip_dataset(corpus: ParallelCorpus) -> None:
    _same(corpus_from_dataset(to_dataset(corpus), "own"), corpus)


def test_absent_languages_are_left_out_after_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "saved.jsonl"
    save_corpus(load_corpus(_write(tmp_path, "jsonl", GERMAN, ENGLISH)), path)
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first == GERMAN | {"query_en": None, "passage_en": None}
    assert second == ENGLISH


def test_a_data_set_is_not_copied() -> None:
    dataset = datasets.Dataset(_arrow(BOTH, GERMAN))
    corpus = corpus_from_dataset(dataset, "mine")
    for table in (corpus.table, to_dataset(corpus).data.table):
        assert _addresses(table["query_en"]) == _addresses(dataset.data.table["query_en"])


def test_a_selection_of_a_data_set() -> None:
    dataset = datasets.Dataset(_arrow(BOTH, GERMAN, ENGLISH)).select([2, 0])
    assert corpus_from_dataset(dataset, "mine").table["id"].to_pylist() == ["q9", "q7"]


# ---- saving


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    corpus = load_corpus(_write(tmp_path, "jsonl", BOTH))
    target = tmp_path / f"folder.{suffix}"
    target.mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(HybridError, match=r"^cannot write .*folder.* \(Is a directory\); choose another place$"):
        save_corpus(corpus, target)
    with pytest.raises(HybridError, match=r"^cannot write .*gone.*; choose another place$"):
        save_corpus(corpus, tmp_path / "gone" / f"x.{suffix}")
    assert sorted(tmp_path.iterdir()) == before


def test_saving_under_another_suffix(tmp_path: Path) -> None:
    corpus = load_corpus(_write(tmp_path, "jsonl", BOTH))
    with pytest.raises(HybridError, match=r"x\.csv: a parallel corpus is a \.jsonl or a \.parquet file, not '\.csv'$"):
        save_corpus(corpus, tmp_path / "x.csv")


# ---- faults of rows and columns, the same in both formats

_COLUMNS = "it has id, group, query_XX, passage_XX and negative_1_XX, where XX is a language tag such as de"
_SPELL = "use a BCP 47 tag, such as de, deu, zh-Hant or deu-Latn"
_NEGATIVES = {"negative_1_de": "n", "negative_2_de": "n"}

FAULTS: list[tuple[list[Row], int | None, str]] = [
    ([BOTH, GERMAN | {"query_de": ""}], 2, "query_de is empty; fill it in, or leave it out"),
    ([BOTH, GERMAN, ENGLISH | {"passage_en": "\u3000\n"}], 3, "passage_en is empty; fill it in, or leave it out"),
    ([GERMAN | {"group": " "}], 1, "group is empty; fill it in, or leave it out"),
    ([GERMAN, GERMAN | {"id": ""}], 2, "id is empty; fill it in"),
    ([GERMAN, GERMAN | {"id": None}], 2, "id is missing; give every row one of its own"),
    ([{"query_de": "q", "passage_de": "p"}], 1, "id is missing; give every row one of its own"),
    ([BOTH, GERMAN, ENGLISH | {"id": "q8"}, GERMAN], 3, "id 'q8' was used before, at PLACE 2"),
    ([BOTH, {"id": "x", "query_de": "q"}], 2, "query_de without passage_de; add it, or leave out both"),
    ([{"id": "x", "passage_de": "p"}], 1, "passage_de without query_de; add it, or leave out both"),
    ([{"id": "x", "negative_1_en": "n"}, BOTH], 1, "negative_1_en without passage_en; add it, or leave out both"),
    (
        [GERMAN | _NEGATIVES, ENGLISH | {"negative_1_en": "n"}],
        2,
        "passage_en without negative_2_en (every passage has 2); add it, or leave out both",
    ),
    (
        [GERMAN | _NEGATIVES, GERMAN | {"id": "x"} | _NEGATIVES | {"negative_1_de": None}],
        2,
        "passage_de without negative_1_de (every passage has 2); add it, or leave out both",
    ),
    ([GERMAN | {"negative_2_de": "n"}], None, "there are columns negative_2_XX but no negative_1_XX"),
    ([BOTH, {"id": "x"}], 2, "no query and passage in any language; add them, or leave the row out"),
    ([{"id": "x"}], 1, "no query and passage in any language; add them, or leave the row out"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("rows", "number", "message"), FAULTS)
def test_a_fault_in_a_row(tmp_path: Path, suffix: str, rows: list[Row], number: int | None, message: str) -> None:
    path = _write(tmp_path, suffix, *rows)
    place = "line" if suffix == "jsonl" else "row"
    where = f"{path}, {place} {number}" if number else f"{path}"
    assert _fault(path) == f"{where}: {message.replace('PLACE', place)}"


COLUMN_FAULTS = [
    ("passge_de", "'passge_de' is no column of a parallel corpus; did you mean passage_de?"),
    ("Query_en", "'Query_en' is no column of a parallel corpus; did you mean query_en?"),
    ("negative_de", "'negative_de' is no column of a parallel corpus; did you mean negative_1_de?"),
    ("negative_0_de", "'negative_0_de' is no column of a parallel corpus; did you mean negative_1_de?"),
    ("groups", "'groups' is no column of a parallel corpus; did you mean group?"),
    ("query", f"'query' is no column of a parallel corpus; {_COLUMNS}"),
    ("url", f"'url' is no column of a parallel corpus; {_COLUMNS}"),
    ("query_xyzzy", f"column query_xyzzy: unknown language tag 'xyzzy': {_SPELL}"),
    ("query_deu", "column query_deu: deu and de are one language; write it in one way"),
    ("query_de-Latn", "column query_de-Latn: de-Latn and de are one language; write it in one way"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("column", "message"), COLUMN_FAULTS)
def test_a_fault_in_a_column(tmp_path: Path, suffix: str, column: str, message: str) -> None:
    path = _write(tmp_path, suffix, BOTH, GERMAN | {column: "text"})
    assert _fault(path) == f"{path}{', line 2' if suffix == 'jsonl' else ''}: {message}"


def test_a_data_set_is_checked_as_well() -> None:
    with pytest.raises(HybridError, match=r"^ours, row 2: query_de without passage_de"):
        corpus_from_dataset(datasets.Dataset(_arrow(BOTH, {"id": "x", "query_de": "q"})), "ours")
    with pytest.raises(HybridError, match=r"^ours: column id holds int64, not text; convert it to text$"):
        corpus_from_dataset(datasets.Dataset(_arrow(GERMAN | {"id": 7})), "ours")


# ---- faults of one format


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "x" 1}', "not JSON (Expecting ',' delimiter at character 12); one object per line"),
        (b'{"id": "a\xff"}', "not UTF-8; save the file as UTF-8"),
        (b"[" * 100_000, "not JSON (maximum recursion depth exceeded"),
        (b'{"id": "x", "id": "y"}', "not JSON (a name occurs twice in one object); one object per line"),
        (b"[]", "not a JSON object; one object per line"),
        (b"null", "not a JSON object; one object per line"),
        (b'{"id": 7}', "id holds a number, not a text"),
        (b'{"id": "x", "query_de": ["q"]}', "query_de holds a list, not a text"),
        (b'{"id": "x", "group": true}', "group holds true or false, not a text"),
        (b'{"id": "x", "group": {"a": 1}}', "group holds an object, not a text"),
        (b'{"id": "x", "query_de": "\\ud800"}', "query_de is not valid Unicode"),
    ],
)
def test_a_faulty_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(_lines(BOTH) + b"\n" + line + b"\n" + _lines(GERMAN))
    assert _fault(path).startswith(f"{path}, line 3: {message}")


def test_lines_without_any_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_files, "_JSONL_BYTES", 1)
    path = _write(tmp_path, "jsonl", BOTH, {}, {}, GERMAN)
    assert _fault(path) == f"{path}, line 2: id is missing; give every row one of its own"


def test_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(json.dumps(GERMAN).encode("utf-16"))
    assert _fault(path) == f"{path}, line 1: not UTF-8; save the file as UTF-8"


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_no_rows_in_jsonl(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(content)
    assert _fault(path) == f"{path} holds no rows; a row has an id, and a query and its passage in some languages"


def test_no_rows_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    parquet.write_table(_arrow(BOTH).slice(0, 0), path)
    assert _fault(path) == f"{path} holds no rows; a row has an id, and a query and its passage in some languages"


def test_parquet_of_other_types(tmp_path: Path) -> None:
    path = _write(tmp_path, "parquet", BOTH | {"passage_en": ["a", "b"]})
    assert _fault(path).startswith(f"{path}: column passage_en holds list<")


def test_parquet_with_a_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["id", "id"]), path)
    assert _fault(path) == f"{path}: column id occurs twice"


def test_parquet_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    text = pyarrow.array([b"fine", None, b"\xff"]).cast(pyarrow.string(), safe=False)
    ids = pyarrow.array(["a", "b", "c"])
    parquet.write_table(pyarrow.table({"id": ids, "query_de": text, "passage_de": text}), path)
    assert _fault(path) == f"{path}, row 3: query_de is not UTF-8; write the data again"


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"{}" * 100])
def test_what_is_not_parquet(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(content)
    message = _fault(path)
    assert message.startswith(f"cannot read {path} as Parquet (")
    assert message.endswith("); write it again")


def test_parquet_that_is_damaged_inside(tmp_path: Path) -> None:
    path = _write(tmp_path, "parquet", *({**GERMAN, "id": str(number)} for number in range(1000)))
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)  # the first page
    path.write_bytes(content)
    assert _fault(path).startswith(f"cannot read {path} as Parquet (")


# ---- sources that are not there


@pytest.mark.parametrize(
    "source",
    ["no/such/file.jsonl", "pairs.parquet", "./pairs", "data/pairs.csv", r"data\pairs", "~/x/y", "~nobody/x/y"],
)
def test_a_file_that_is_not_there(source: str) -> None:
    path = Path(os.path.expanduser(source))
    assert _fault(source) == f"there is no file {path}; name a .jsonl or .parquet file, or ORG/NAME on the Hub"


def test_a_name_longer_than_any_file_has() -> None:
    assert len(_fault("x/" + "y" * 5000 + "/z")) < 300


def test_a_path_is_always_a_file() -> None:
    assert _fault(Path("org/name")).startswith("there is no file org/name; ")
    assert _fault(Path("MLQA-R")).startswith("there is no file MLQA-R; ")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_is_no_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.mkdir()
    assert _fault(path).startswith(f"cannot read {path}")


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.touch()
    assert _fault(str(path)) == f"{path}: a parallel corpus is a .jsonl or a .parquet file, not '.csv'"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("mlqa-r", "did you mean MLQA-R? Otherwise name"),
        ("XQuADR", "did you mean XQuAD-R? Otherwise name"),
        ("ParalelWorld", "did you mean ParallelWorld? Otherwise name"),
        ("something", "it is none of MLQA-R, XQuAD-R, ParallelWorld; name"),
        ("", "it is none of MLQA-R, XQuAD-R, ParallelWorld; name"),
    ],
)
def test_names_close_to_a_built_in_one(source: str, hint: str) -> None:
    assert _fault(source) == f"unknown source {source!r}: {hint} a .jsonl or .parquet file, or ORG/NAME on the Hub"


# ---- built-in sources


def test_the_generated_world_shares_no_fact_with_the_task() -> None:
    corpus = load_corpus("ParallelWorld")
    assert (corpus.name, len(corpus), corpus.pairs, corpus.trained_on) == ("ParallelWorld", 4000, 32000, ())
    assert corpus.table["id"][0].as_py() == "fact-00414"


def test_mlqa_r(lareqa_data: Path) -> None:
    corpus = load_corpus("MLQA-R", name="other", languages=["en", "de"])
    assert (corpus.name, corpus.languages) == ("other", ("en", "de"))
    assert corpus.pairs == 1148 + 512


@pytest.mark.parametrize(("source", "prefix"), [("MLQA-R", "MLQAR"), ("XQuAD-R", "XQuADR"), ("ParallelWorld", None)])
def test_built_in_sources_know_all_tasks_of_their_texts(source: str, prefix: str | None) -> None:
    from mteb_hybrid import tasks

    known = [name for name in tasks.__all__ if prefix and name.startswith(prefix)]
    assert source in BUILT_IN_SOURCES
    assert sorted(corpus_files._BUILT_IN[source].trained_on) == sorted(known)


# ---- the Hub


def test_a_data_set_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(*args: Any, **options: Any) -> datasets.Dataset:
        asked.append((args, options))
        return datasets.Dataset(_arrow(BOTH))

    monkeypatch.setattr(datasets, "load_dataset", load)
    corpus = load_corpus("org/name.v1", revision="abc")
    assert (corpus.name, len(corpus)) == ("org/name.v1", 1)
    assert asked == [(("org/name.v1",), {"revision": "abc", "split": "train"})]  # and no code of others is trusted


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ConnectionError("Couldn't reach 'org/name' on the Hub (OfflineModeIsEnabled)"),
            "cannot load org/name from the Hub (Couldn't reach 'org/name' on the Hub (OfflineModeIsEnabled)); "
            "connect, or name a file that is here",
        ),
        (
            datasets.exceptions.DatasetNotFoundError("Dataset 'org/name' doesn't exist on the Hub."),
            "cannot load org/name from the Hub (Dataset 'org/name' doesn't exist on the Hub); "
            "nor is there such a file; check the name, and for a gated or private one log in with `hf auth login`",
        ),
        (
            ValueError('Unknown split "train".\nShould be one of ["test"].'),
            'cannot load org/name from the Hub (Unknown split "train". Should be one of ["test"]); '
            "only the split train is read; or download the data and name a file",
        ),
        (
            KeyError(),
            "cannot load org/name from the Hub (KeyError); "
            "only the split train is read; or download the data and name a file",
        ),
    ],
)
def test_the_hub_fails(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def load(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert _fault("org/name") == message


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert _fault("org/name", revision="v1").startswith("cannot load org/name at revision v1 from the Hub (")


_HELD = """
import sys
from mteb_hybrid.data.corpus_files import load_corpus
from tests.benchmarks.memory import Memory
import datasets, pyarrow.dataset
small, large = sys.argv[1:]
load_corpus(small)  # what is imported and allocated once
with Memory("before") as memory:
    before = memory._process.memory_info()
    assert len(load_corpus(large)) == 600_000
print(max(memory.own.values()) - (before.rss - before.shared))
"""


@pytest.mark.slow
def test_a_parquet_file_is_not_held_in_memory(tmp_path: Path) -> None:
    for name, rows in (("small", 100), ("large", 600_000)):
        texts = [os.urandom(200).hex() for _ in range(rows)]
        ids = [str(number) for number in range(rows)]
        table = pyarrow.table({"id": ids, "query_de": ids, "passage_de": texts})
        parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=1000, compression="none")
    large = tmp_path / "large.parquet"
    assert large.stat().st_size > 240_000_000
    command = [sys.executable, "-c", _HELD, str(tmp_path / "small.parquet"), str(large)]
    environment = child_environment(tmp_path)
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 120_000_000
