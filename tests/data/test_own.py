"""Collections of the user's own: both formats, the round trip, and every fault with its place."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.own import load_collection, save_collection
from mteb_hybrid.errors import HybridError

Row = dict[str, Any]

QUERY: Row = {"role": "query", "id": "q7", "language": "de", "group": "7", "text": "Wer baute die Brücke?"}
PASSAGE: Row = {"role": "passage", "id": "de-31", "language": "de", "group": "7", "text": "Ada Roth."}
FILLER: Row = {"role": "passage", "id": "de-32", "language": "de", "text": "Sie ist aus Stein."}
EMPTY = TextTable((), (), ())
SUFFIXES = ("jsonl", "parquet")


def _lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _write(folder: Path, suffix: str, *rows: Row) -> Path:
    path = folder / f"own.{suffix}"
    if suffix == "jsonl":
        path.write_bytes(_lines(*rows))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def _fails(path: Path, *parts: object) -> None:
    """Loading fails with one line that names the file and holds all parts."""
    with pytest.raises(HybridError) as caught:
        load_collection(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < len(str(path)) + 400
    for part in (path, *parts):
        assert str(part) in message


# ---- what is read


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_both_formats(tmp_path: Path, suffix: str) -> None:
    english = QUERY | {"language": "en", "text": "Who built the bridge?"}
    collection = load_collection(_write(tmp_path, suffix, QUERY, PASSAGE, FILLER | {"group": None}, english))
    assert collection.name == "own"
    assert collection.queries == {
        "de": TextTable(("q7",), ("Wer baute die Brücke?",), (("7",),)),
        "en": TextTable(("q7",), ("Who built the bridge?",), (("7",),)),
    }
    assert collection.passages == {
        "de": TextTable(("de-31", "de-32"), ("Ada Roth.", "Sie ist aus Stein."), (("7",), ())),
        "en": EMPTY,
    }


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"group": "7"}, ("7",)),
        ({"group": ["7"]}, ("7",)),
        ({"group": ["7", "8"]}, ("7", "8")),
        ({}, ()),
        ({"group": None}, ()),
        ({"group": []}, ()),
    ],
)
def test_the_groups_of_a_passage(tmp_path: Path, group: Row, expected: tuple[str, ...]) -> None:
    passage = FILLER | group
    collection = load_collection(_write(tmp_path, "jsonl", QUERY, PASSAGE, passage))
    assert collection.passages["de"].groups[1] == expected


@pytest.mark.parametrize("group", ["7", ["7"]])
def test_the_group_of_a_query(tmp_path: Path, group: Any) -> None:
    collection = load_collection(_write(tmp_path, "jsonl", QUERY | {"group": group}, PASSAGE))
    assert collection.queries["de"].groups == (("7",),)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_passage_that_answers_two_questions(tmp_path: Path, suffix: str) -> None:
    other = QUERY | {"id": "q8", "group": ["8"]}
    rows = (QUERY | {"group": ["7"]}, other, PASSAGE | {"group": ["7", "8"]})
    assert load_collection(_write(tmp_path, suffix, *rows)).passages["de"].rows_by_group == {
        "7": (0,),
        "8": (0,),
    }


def test_a_group_named_twice_counts_once(tmp_path: Path) -> None:
    collection = load_collection(_write(tmp_path, "jsonl", QUERY, PASSAGE | {"group": ["7", "7"]}))
    assert collection.passages["de"].rows_by_group == {"7": (0,)}


def test_languages_may_lack_rows_and_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [PASSAGE | {"id": tag, "language": tag} for tag in ("zh", "ar", "de")]
    collection = load_collection(_write(tmp_path, "jsonl", *rows, QUERY, QUERY | {"language": "th"}))
    assert collection.languages == ("zh", "ar", "de", "th")
    assert [len(table) for table in collection.queries.values()] == [0, 0, 1, 1]
    assert [len(table) for table in collection.passages.values()] == [1, 1, 1, 0]


def test_an_answer_in_another_language_is_enough(tmp_path: Path) -> None:
    path = _write(tmp_path, "jsonl", QUERY, PASSAGE | {"language": "en"})
    assert load_collection(path).languages == ("de", "en")


def test_a_query_and_a_passage_may_share_an_id_and_so_may_queries_of_two_languages(tmp_path: Path) -> None:
    path = _write(tmp_path, "jsonl", QUERY, QUERY | {"language": "en"}, PASSAGE | {"id": "q7"})
    assert len(load_collection(path).queries["en"]) == 1


def test_blank_lines_and_line_ends_of_any_system(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\r\n".join([b"", *_lines(QUERY, PASSAGE).splitlines(), b"  "]))
    assert load_collection(path).languages == ("de",)


def test_the_name_can_be_given(tmp_path: Path) -> None:
    assert load_collection(str(_write(tmp_path, "jsonl", QUERY, PASSAGE)), "Bridges").name == "Bridges"


# ---- the round trip

_ODD = [
    'a "quote" and a \\',
    "two\nlines\r\nand\ttabs",
    "שלום \u202eעולם\u202c",
    "مرحبا",
    "\u0301\u0e31",  # combining marks with nothing to stand on
    "\u2028\u2029\x85 x",
    "\0",
    "🌉\u200d🏗",
    "{}",
    "null",
    " x ",
]
_texts = st.sampled_from(_ODD) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: any(not c.isspace() for c in text)
)


@st.composite
def _collections(draw: st.DrawFn) -> ParallelCollection:
    """Every language has a row; every query's group has a passage in the last language."""
    languages = draw(st.lists(st.sampled_from(["de", "ar", "zh-Hant", "hi", "th"]), min_size=1, unique=True))
    groups = draw(st.lists(_texts, min_size=1, max_size=4, unique=True))
    subset = st.lists(st.sampled_from(groups), max_size=3, unique=True).map(tuple)
    ids = iter(draw(st.lists(_texts, min_size=40, max_size=40, unique=True)))
    queries, passages = {}, {}
    for language in languages:
        last = language == languages[-1]
        asked = draw(st.lists(st.sampled_from(groups), min_size=last, max_size=3))
        members = [tuple(groups)] if last else draw(st.lists(subset, min_size=not asked, max_size=3))
        queries[language] = TextTable(
            tuple(next(ids) for _ in asked),
            tuple(draw(_texts) for _ in asked),
            tuple((group,) for group in asked),
        )
        passages[language] = TextTable(
            tuple(next(ids) for _ in members), tuple(draw(_texts) for _ in members), tuple(members)
        )
    return ParallelCollection("c", queries, passages)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40)
@given(collection=_collections())
def test_what_is_saved_is_what_is_loaded(suffix: str, collection: ParallelCollection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"c.{suffix}"
        save_collection(collection, path)
        loaded = load_collection(path)
    assert (loaded.name, loaded.queries, loaded.passages) == ("c", collection.queries, collection.passages)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_round_trip_keeps_the_order_of_languages_and_so_the_revision(tmp_path: Path, suffix: str) -> None:
    query, passage = TextTable(("q",), ("?",), (("g",),)), TextTable(("p",), ("!",), (("g",),))
    collection = ParallelCollection("c", {"de": EMPTY, "en": query}, {"de": passage, "en": EMPTY})
    save_collection(collection, tmp_path / f"c.{suffix}")
    loaded = load_collection(tmp_path / f"c.{suffix}")
    assert loaded.languages == ("de", "en")
    assert loaded.revision == collection.revision


# ---- faults of a row: told with file and row

FAULTS: dict[str, tuple[Row, tuple[str, ...]]] = {
    "empty text": ({"text": ""}, ("text: is empty",)),
    "blank text": ({"text": " \t\u3000\n"}, ("text: is empty",)),
    "null text": ({"text": None}, ("text: ", "valid string")),
    "number as text": ({"text": 7}, ("text: ", "valid string")),
    "empty id": ({"id": ""}, ("id: is empty",)),
    "number as id": ({"id": 7}, ("id: ", "valid string")),
    "empty group": ({"group": ""}, ("group", "is empty")),
    "blank group in a list": ({"group": ["7", " "]}, ("group.1: is empty",)),
    "number as group": ({"group": 7}, ("group: ", "valid list")),
    "numbers as groups": ({"group": [7]}, ("group.0: ", "valid string")),
    "unknown role": ({"role": "document"}, ("role: ", "'query' or 'passage'")),
    "unknown language": ({"language": "german"}, ("unknown language tag 'german'", "de, deu")),
    "broken language": ({"language": "d\ne"}, ("unknown language tag",)),
    "unknown field": ({"score": 1}, ("score: is no field of this format (role, id, language, group, text)",)),
    "broken field": ({"a\nb": 1}, ("a b: is no field",)),
    "query without group": ({"role": "query", "group": None}, ("'new' needs exactly one group, it has 0",)),
    "query without group and with a long id": (
        {"role": "query", "id": "x" * 9_000},
        ("xxx…' needs exactly one group",),
    ),
    "query with two groups": (
        {"role": "query", "group": ["7", "8"]},
        ("'new' needs exactly one group, it has 2",),
    ),
}


@pytest.mark.parametrize(("changes", "parts"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_with_its_line(tmp_path: Path, changes: Row, parts: tuple[str, ...]) -> None:
    _fails(_write(tmp_path, "jsonl", QUERY, PASSAGE, FILLER | {"id": "new"} | changes), "own.jsonl, line 3: ", *parts)


@pytest.mark.parametrize("field", ["role", "id", "language", "text"])
def test_a_missing_field(tmp_path: Path, field: str) -> None:
    row = {key: value for key, value in FILLER.items() if key != field}
    _fails(_write(tmp_path, "jsonl", QUERY, PASSAGE, row), "line 3: ", f"{field}: is missing")


def test_blank_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\n\n" + _lines(QUERY) + b"\n" + _lines(PASSAGE | {"text": ""}))
    _fails(path, "line 5: text: is empty")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_id_used_before_is_told_with_both_places(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path, suffix, QUERY, PASSAGE, FILLER | {"group": None}, PASSAGE | {"language": "en"})
    unit = "line" if suffix == "jsonl" else "row"
    _fails(path, f"{unit} 4: passage id 'de-31' was used before, at {unit} 2")


def test_a_query_id_used_before_in_its_language(tmp_path: Path) -> None:
    path = _write(tmp_path, "jsonl", QUERY, PASSAGE, QUERY | {"text": "Wer?"})
    _fails(path, "line 3: query id 'q7' was used before, at line 1")


def test_a_place_is_told_right_when_the_file_name_has_a_comma(tmp_path: Path) -> None:
    path = tmp_path / "a, b.jsonl"
    path.write_bytes(_lines(QUERY, QUERY))
    _fails(path, "line 2: query id 'q7' was used before, at line 1")


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'{"role": "query"',
        b"{'role': 'query'}",
        b"{} {}",
        b'{"id": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"id":' * 100_000,
    ],
    ids=["text", "truncated", "single quotes", "two objects", "huge number", "deep list", "deep object"],
)
def test_a_line_that_is_not_json(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(_lines(QUERY) + line + b"\n")
    _fails(path, "line 2: not JSON", "one object per line")


@pytest.mark.parametrize("line", [b"[]", b"7", b"null", b'"query"', b"true"])
def test_a_line_that_is_no_object(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(_lines(QUERY) + line + b"\n")
    _fails(path, "line 2: ")
    with pytest.raises(HybridError, match="object") as caught:  # said in JSON's words, not in Python's
        load_collection(path)
    assert "CollectionRow" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_than_utf8(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(_lines(QUERY).decode().encode(encoding))
    _fails(path, "line 1: not UTF-8; save the file as UTF-8")


def test_an_escaped_lone_surrogate(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(_lines(QUERY, PASSAGE).replace(b"Ada", rb"\ud800"))
    _fails(path, "line 2: text: ")


# ---- faults of a file


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("group", ["8", "8\n8"])
def test_a_query_without_a_passage(tmp_path: Path, suffix: str, group: str) -> None:
    lost = QUERY | {"id": "lost", "group": group}
    _fails(_write(tmp_path, suffix, QUERY, PASSAGE, lost), "query 'lost' (de) has no passage of its group '8")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "holds no rows"), (b"\n \n", "holds no rows"), (_lines(PASSAGE), "holds no queries")],
)
def test_a_file_without_rows_or_queries(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(content)
    _fails(path, told)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_missing_or_a_folder(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own.{suffix}"
    _fails(path, "cannot read", "No such file")
    path.mkdir()
    _fails(path, "holds no", "give a folder with the files of facebook/belebele, or one file")


@pytest.mark.parametrize("name", ["own.csv", "own", "own.JSON", ".jsonl"])
@pytest.mark.parametrize("exists", [False, True])
def test_an_unknown_suffix(tmp_path: Path, name: str, exists: bool) -> None:
    path = tmp_path / name
    if exists:
        path.write_bytes(_lines(QUERY, PASSAGE))
    _fails(path, ".jsonl or a .parquet file")


# ---- Parquet files


def _good_parquet(folder: Path) -> bytes:
    return _write(folder, "parquet", QUERY, PASSAGE).read_bytes()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"hello" * 100, _lines(QUERY, PASSAGE)])
def test_a_file_that_is_no_parquet(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(content)
    _fails(path, "is not a Parquet file", "write it again")


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    content = _good_parquet(tmp_path)
    (tmp_path / "own.parquet").write_bytes(content[: len(content) // 2])
    _fails(tmp_path / "own.parquet", "is not a Parquet file")


def test_a_parquet_file_with_any_byte_wrong_loads_or_is_told_in_one_line(tmp_path: Path) -> None:
    content, path = _good_parquet(tmp_path), tmp_path / "own.parquet"
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            load_collection(path)
        except HybridError as error:
            assert str(error).isprintable(), place
            assert str(path) in str(error)


def test_other_columns(tmp_path: Path) -> None:
    _fails(_write(tmp_path, "parquet", {"question": "x", "answer": "y"}), "row 1: ", "role: is missing")


def test_one_column_more(tmp_path: Path) -> None:
    path = _write(tmp_path, "parquet", QUERY | {"score": 1.0}, PASSAGE | {"score": 1.0})
    _fails(path, "row 1: score: is no field of this format")


def test_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([QUERY]).slice(0, 0), path)
    _fails(path, "holds no rows")


def test_rows_are_counted_over_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    rows = [QUERY, PASSAGE, *(PASSAGE | {"id": f"p{number}"} for number in range(5)), PASSAGE | {"text": " "}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=3)
    _fails(path, "row 8: text: is empty")


def _with_column(name: str, values: pyarrow.Array) -> pyarrow.Table:
    table = pyarrow.Table.from_pylist([QUERY, PASSAGE])
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


@pytest.mark.parametrize(
    "table",
    [
        _with_column("text", pyarrow.array([b"\xff", b"a"], pyarrow.binary())),
        _with_column("text", pyarrow.array([b"\xff", b"a"], pyarrow.binary()).view(pyarrow.string())),
        _with_column("when", pyarrow.array([2**62, 0], pyarrow.timestamp("us"))),
        _with_column("id", pyarrow.array([1, 2])),
    ],
    ids=["bytes as text", "text not UTF-8", "a date out of range", "numbers as ids"],
)
def test_values_that_are_no_texts(tmp_path: Path, table: pyarrow.Table) -> None:
    parquet.write_table(table, tmp_path / "own.parquet")
    _fails(tmp_path / "own.parquet")


# ---- saving: whole or not at all


def _collection(text: str = "?") -> ParallelCollection:
    queries = TextTable(("q",), (text,), (("g",),))
    return ParallelCollection("c", {"de": queries}, {"de": TextTable(("p",), ("!",), (("g",),))})


def _save_fails(path: Path, *parts: object, text: str = "?") -> None:
    with pytest.raises(HybridError) as caught:
        save_collection(_collection(text), path)
    message = str(caught.value)
    assert message.isprintable()
    for part in (path, *parts):
        assert str(part) in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_replaces_what_is_there_and_leaves_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c.{suffix}"
    path.write_text("old")
    save_collection(_collection(), str(path))
    assert load_collection(path).queries["de"].texts == ("?",)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_into_a_folder_that_is_missing(tmp_path: Path, suffix: str) -> None:
    _save_fails(tmp_path / "missing" / f"c.{suffix}", "cannot write", "choose another place")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_over_a_folder(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c.{suffix}"
    path.mkdir()
    _save_fails(path, "cannot write")
    assert list(tmp_path.iterdir()) == [path]


def test_saving_with_an_unknown_suffix(tmp_path: Path) -> None:
    _save_fails(tmp_path / "c.csv", ".jsonl or a .parquet file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_text_that_utf8_cannot_hold_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c.{suffix}"
    path.write_text("old")
    _save_fails(path, "cannot write", text="lone \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / f"c.{suffix}"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", full)
    _save_fails(path, "cannot write", "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
