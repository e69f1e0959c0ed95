"""Hostile input, made from valid input: what is left of its structure carries the fault past the first checks.

Every strategy takes something that a reader accepts (a value, a text, bytes, a table) and spoils it in a few places:
parts dropped, doubled, renamed, swapped, of another type, of extreme size or value; bytes flipped, cut, encoded anew.
"""

from __future__ import annotations

import copy
import io
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pyarrow import parquet

LONG_FORM = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Cases of each reader, drawn anew in every run; 0 is the short form, which is always the same."""

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]


def fuzzed(cases: int) -> settings:
    """Settings of a test: so many cases, or as many as the long form asks for; no database."""
    return settings(
        max_examples=LONG_FORM or cases,
        derandomize=not LONG_FORM,
        database=None,
        suppress_health_check=[*_QUIET, HealthCheck.function_scoped_fixture],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        print_blob=True,
    )


TEXTS = (
    "",
    " ",
    "\n",
    "\x00",
    "a\x00b",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "\x08\x7f\x85\u2028\u2029",
    "\u202egnp.exe\u2066x\u2069\u200f\u200b\u2060\ufeff",
    "\ud800",
    "half \udfff of a pair",
    "../../outside/secret",
    "..",
    "/etc/passwd",
    "~root/.ssh/id_rsa",
    "C:\\Windows\\win.ini",
    "file:///etc/passwd",
    "</script><script>document.title='gone'</script>",
    "--><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "[x](javascript:alert(1))",
    "javascript:alert(1)",
    "---\nlicense: mit\n---",
    "a | b \\| c `d` ``` \\",
    "{{ 7 * 7 }}{% raw %}",
    "%s%n{0}{missing}",
    "!!python/object/apply:os.system [touch gone]",
    "&a [*a, *a]",
    "NaN",
    "1e999",
    "null",
    "\\documentclass{x}\\input{/etc/passwd}",
    "=cmd|' /C calc'!A0",
    "e\u0301\u0327" * 40,
    "🙂" * 300,
    "x" * 5_000,
    "de",
    "de-DE-u-co-phonebk-x-" + "a" * 60,
)
"""Texts that mean something somewhere: to a terminal, a file system, a browser, a parser, a template."""

NUMBERS: tuple[object, ...] = (
    0,
    -1,
    1,
    2**31,
    -(2**63),
    2**64,
    10**400,
    -(10**4000),
    0.5,
    -0.0,
    1e-320,
    1.7e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    False,
)

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
scalars = st.none() | st.sampled_from(NUMBERS) | texts
values: st.SearchStrategy[Any] = st.one_of(
    scalars,
    st.builds(list),
    st.builds(dict),
    st.lists(scalars, max_size=3),
    st.dictionaries(texts, scalars, max_size=3),
    st.builds(lambda depth: _nested(depth), st.integers(1, 60)),  # noqa: PLW0108  # it is defined below
)


def _nested(depth: int) -> Any:
    value: Any = []
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the parts of a value are, the whole first."""
    yield at
    if isinstance(value, Mapping):
        for key in value:
            yield from _places(value[key], (*at, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:6]):
            yield from _places(item, (*at, number))


def _part(value: Any, at: tuple[Any, ...]) -> Any:
    for step in at:
        value = value[step]
    return value


@st.composite
def spoiled(draw: st.DrawFn, valid: Any, faults: int = 2) -> Any:
    """A value of objects, lists and scalars, spoiled in a few places."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, faults))):
        places = list(_places(value))
        at = draw(st.sampled_from(places))
        if not at:
            if draw(st.integers(0, 9)) == 0:
                return draw(values)
            continue
        around, last = _part(value, at[:-1]), at[-1]
        match draw(st.sampled_from(("replace", "replace", "replace", "drop", "rename", "double", "wrap", "swap"))):
            case "replace":
                around[last] = draw(values)
            case "drop":
                del around[last]
            case "rename" if isinstance(around, dict):
                around[draw(texts)] = around.pop(last)
            case "double" if isinstance(around, list):
                around.insert(last, copy.deepcopy(around[last]))
            case "wrap":
                around[last] = draw(st.sampled_from(([around[last]], {"x": around[last]})))
            case _:
                around[last] = copy.deepcopy(_part(value, draw(st.sampled_from(places))))
    return value


def as_json(value: Any) -> bytes:
    """JSON as a careless program writes it: NaN, infinities and unpaired surrogates go through."""
    return json.dumps(value, ensure_ascii=True).encode()


@st.composite
def spoiled_bytes(draw: st.DrawFn, valid: bytes, faults: int = 3) -> bytes:
    """Bytes, flipped, cut, doubled, with others put between; or the text in another encoding."""
    content = bytearray(valid)
    if draw(st.integers(0, 9)) == 0:
        return _encoded_anew(draw, bytes(content))
    for _ in range(draw(st.integers(1, faults))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(("flip", "flip", "cut", "insert", "remove", "double", "number"))):
            case "flip" if place < len(content):
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[place:]
            case "remove":
                del content[place : place + draw(st.integers(1, 40))]
            case "double":
                content[place:place] = content[place : place + 60]
            case "number" if place < len(content):
                content[place : place + 4] = draw(st.sampled_from((b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0")))
            case _:
                content[place:place] = draw(st.sampled_from(_BYTES))
    return bytes(content)


_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\n",
    b"\r",
    b"\t",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b":",
    b",",
    b"#",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!python/object/apply:os.system ['touch gone']",
    b"---\n",
    b"NaN",
    b"-Infinity",
    b"1" * 5000,
    b"[" * 3000,
    b'{"a":' * 3000,
    b"1e99999",
    b"0x" + b"f" * 5000,
    b"= ",
    b"[[a.b]]\n",
)


def _encoded_anew(draw: st.DrawFn, content: bytes) -> bytes:
    encoding = draw(st.sampled_from(("utf-16", "utf-32-be", "utf-8-sig", "latin-1", "utf-7", "cp037")))
    return content.decode("utf-8", "replace").encode(encoding, "replace")


JSON_BOMBS = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 900 + b"]" * 900,
    b"1" * 1_000_000,
    b"-1e999",
    b'{"a": 1' + b"0" * 10_000 + b"}",
    b'"' + b"\\u0000" * 1_000 + b'"',
    b"[" + b"0," * 100_000 + b"0]",
    b"\xef\xbb\xbf{}",
    b"",
    b"null",
)


def json_files(valid: Any) -> st.SearchStrategy[bytes]:
    """The content of a JSON file, spoiled as a value or as bytes."""
    return st.one_of(
        spoiled(valid).map(as_json), spoiled(valid).map(as_json), spoiled_bytes(as_json(valid)), _bombs(as_json(valid))
    )


def _bombs(valid: bytes) -> st.SearchStrategy[bytes]:
    """JSON that is costly to read, alone or in the place of a value."""
    within = st.tuples(st.sampled_from(JSON_BOMBS), st.integers(0, valid.count(b":")))
    return st.sampled_from(JSON_BOMBS) | within.map(lambda drawn: _put(valid, *drawn))


def _put(content: bytes, bomb: bytes, place: int) -> bytes:
    parts = content.split(b": ")
    return b": ".join(parts[: place + 1]) + b": " + bomb + b", " + b": ".join(parts[place + 1 :])


def json_lines(valid: list[Any]) -> st.SearchStrategy[bytes]:
    """The content of a file of JSON lines, likewise."""
    whole = _lines(valid)
    return st.one_of(spoiled(valid).map(_lines), spoiled(valid).map(_lines), spoiled_bytes(whole), _bombs(whole))


def _lines(rows: Any) -> bytes:
    return b"\n".join(map(as_json, rows if isinstance(rows, list) else [rows]))


# ---- tables

ARRAYS: tuple[tuple[object, pyarrow.DataType | None], ...] = (
    (None, pyarrow.null()),
    (7, pyarrow.int64()),
    (2**63, pyarrow.uint64()),
    (float("nan"), pyarrow.float32()),
    (True, pyarrow.bool_()),
    (b"\xff\xfe", pyarrow.binary()),
    ("x", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
    ("\u202e\x1b[31m\x00", pyarrow.large_string()),
    ("x", pyarrow.string_view()),
    (["x", None], pyarrow.list_(pyarrow.string())),
    ([["x"]], pyarrow.list_(pyarrow.list_(pyarrow.string()))),
    ({"a": 1}, pyarrow.struct({"a": pyarrow.int8()})),
    ([("k", 1), ("k", 2)], pyarrow.map_(pyarrow.string(), pyarrow.int8())),
    (2**62, pyarrow.timestamp("ns", tz="UTC")),
    (2**53, pyarrow.timestamp("ms", tz="Nowhere/Atlantis")),
    (86_400_000 * 10**9, pyarrow.date64()),
    (2**40, pyarrow.duration("s")),
)
"""One value and its type: what a column may hold that ought to hold texts or scores."""


@st.composite
def spoiled_table(draw: st.DrawFn, valid: pyarrow.Table) -> bytes:
    """A Parquet file of a table with columns of other types, names and lengths; or of the table itself, spoiled."""
    table = valid
    for _ in range(draw(st.integers(0, 2))):
        number = draw(st.integers(0, table.num_columns - 1)) if table.num_columns else 0
        match draw(st.sampled_from(("type", "type", "value", "drop", "rename", "double", "rows"))):
            case "type" if table.num_columns:
                value, kind = draw(st.sampled_from(ARRAYS))
                array = pyarrow.array([value] * len(table), kind)
                table = table.set_column(number, table.column_names[number], array)
            case "value" if table.num_columns and pyarrow.types.is_string(table.schema.types[number]):
                texts = table.column(number).to_pylist()
                if texts:
                    texts[draw(st.integers(0, len(texts) - 1))] = draw(st.sampled_from((*_VALID_TEXTS, None)))
                table = table.set_column(number, table.column_names[number], pyarrow.array(texts, pyarrow.string()))
            case "drop" if table.num_columns:
                table = table.remove_column(number)
            case "rename" if table.num_columns:
                names = list(table.column_names)
                names[number] = draw(st.sampled_from(_VALID_TEXTS))
                table = table.rename_columns(names)
            case "double" if table.num_columns:
                table = table.append_column(table.schema.field(number), table.column(number))
            case _:
                table = table.slice(0, draw(st.integers(0, len(table))))
    file = io.BytesIO()
    parquet.write_table(table, file)
    content = file.getvalue()
    return draw(spoiled_bytes(content)) if draw(st.booleans()) else content


_VALID_TEXTS = tuple(text for text in TEXTS if not any("\ud800" <= sign <= "\udfff" for sign in text))
