"""Parallel corpora: what they count and number, their views, and how collections become corpora."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.lareqa import MLQA_R, XQUAD_R, load_lareqa
from mteb_hybrid.data.parallel_corpus import (
    ParallelCorpus,
    ParallelView,
    ViewOrigin,
    corpus_from_collection,
    parallel_views,
)
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError

Row = dict[str, str]


def _pair(language: str, number: int) -> Row:
    return {f"query_{language}": f"q{number} {language}", f"passage_{language}": f"p{number} {language}"}


# Four rows, in the languages de, en and es.
RAGGED: list[Row] = [
    {"id": "r0"} | _pair("en", 0),
    {"id": "r1", "group": "g"} | _pair("de", 1) | _pair("en", 1),
    {"id": "r2"} | _pair("de", 2) | _pair("en", 2) | _pair("es", 2),
    {"id": "r3", "group": "g"} | _pair("es", 3),
]


def _corpus(
    rows: list[Row],
    languages: tuple[str, ...] = ("de", "en", "es"),
    *,
    name: str = "mine",
    negatives: int = 0,
    cuts: tuple[int, ...] = (),
    kind: pyarrow.DataType = None,
) -> ParallelCorpus:
    """A corpus of these rows; Arrow holds them in chunks that begin at ``cuts``."""
    roles = ["query", "passage", *(f"negative_{number + 1}" for number in range(negatives))]
    names = ["id"] + ["group"] * any("group" in row for row in rows)
    names += [f"{role}_{language}" for language in languages for role in roles]
    kind = kind or pyarrow.string()
    columns = [
        pyarrow.chunked_array(
            [[row.get(name) for row in rows[start:end]] for start, end in pairwise((0, *cuts, len(rows)))], kind
        )
        for name in names
    ]
    return ParallelCorpus(name, pyarrow.table(columns, names=names), languages, negatives, trained_on=("Task",))


def _addresses(column: pyarrow.ChunkedArray) -> list[Any]:
    return [buffer and buffer.address for chunk in column.chunks for buffer in chunk.buffers()]


# ---- counts and numbers


def test_presence_by_hand() -> None:
    corpus = _corpus(RAGGED)
    assert corpus.presence.dtype == np.uint8
    assert corpus.presence.tolist() == [[0b0110], [0b0111], [0b1100]]  # row 0 is the lowest bit
    assert len(corpus) == 4
    assert corpus.pairs == 7


def test_presence_of_more_than_eight_rows() -> None:
    rows = [{"id": str(number)} | _pair("en", number) for number in range(9)]
    rows[7] = {"id": "7"} | _pair("de", 7)
    assert _corpus(rows, ("de", "en")).presence.tolist() == [[0b10000000, 0], [0b01111111, 1]]


@given(
    st.lists(st.sets(st.sampled_from(["de", "en", "es"]), min_size=1), min_size=1, max_size=30),
    st.data(),
)
def test_counts_hold_however_arrow_cuts_the_rows(wanted: list[set[str]], data: st.DataObject) -> None:
    rows = [
        {"id": str(number)} | {key: text for language in sorted(have) for key, text in _pair(language, number).items()}
        for number, have in enumerate(wanted)
    ]
    cuts = tuple(sorted(data.draw(st.sets(st.integers(0, len(rows))))))
    first = data.draw(st.integers(0, len(rows) - 1))
    corpus = _corpus(rows, cuts=cuts).select_rows(range(first, len(rows)))
    wanted = wanted[first:]
    bits = np.unpackbits(corpus.presence, axis=1, bitorder="little")
    assert bits[:, : len(wanted)].tolist() == [[int(tag in have) for have in wanted] for tag in corpus.languages]
    assert not bits[:, len(wanted) :].any()
    assert corpus.pairs == sum(len(have) for have in wanted)


@pytest.mark.parametrize("cuts", [(), (2,), (0, 1, 2, 3)])
def test_groups_by_hand(cuts: tuple[int, ...]) -> None:
    groups = _corpus(RAGGED, cuts=cuts).groups
    assert groups is not None
    assert groups.dtype == np.int32
    assert groups[1] == groups[3]
    assert len(set(groups.tolist())) == 3  # those without a group are alone


def test_no_groups_where_no_two_rows_share_one() -> None:
    assert _corpus([row for row in RAGGED if "group" not in row]).groups is None
    assert _corpus(RAGGED[:3]).groups is None


def test_texts() -> None:
    corpus = _corpus(RAGGED, cuts=(1,))
    assert corpus.texts(1, "de") == ("q1 de", "p1 de")
    assert corpus.texts(0, "de") == (None, None)


def test_a_table_of_other_columns_is_refused() -> None:
    table = _corpus(RAGGED).table
    with pytest.raises(ValueError, match="no others"):
        ParallelCorpus("x", table, ("de", "en"))
    with pytest.raises(ValueError, match="no others"):
        ParallelCorpus("x", table, ("de", "en", "es"), negatives=1)


# ---- fingerprint


def test_fingerprint_is_of_the_content_alone() -> None:
    fingerprint = _corpus(RAGGED).fingerprint
    assert len(fingerprint) == 40
    assert fingerprint == _corpus(RAGGED, cuts=(1, 3)).fingerprint
    assert fingerprint == _corpus(RAGGED, kind=pyarrow.large_string()).fingerprint
    assert fingerprint == _corpus(RAGGED, name="other").fingerprint
    doubled = _corpus([{"id": "x"} | _pair("de", 1), *RAGGED])
    assert fingerprint == doubled.select_rows(range(1, 5)).fingerprint


def test_fingerprint_skips_what_lies_below_a_null() -> None:
    def corpus(below: bytes) -> ParallelCorpus:
        offsets = np.array([0, 1, 1 + len(below)], dtype=np.int32)
        buffers = [pyarrow.py_buffer(part) for part in (b"\x01", offsets, b"x" + below)]
        text = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
        table = pyarrow.table([pyarrow.array(["a", "b"]), text, text], names=["id", "query_de", "passage_de"])
        return ParallelCorpus("x", table, ("de",))

    assert corpus(b"hidden").table["query_de"].to_pylist() == ["x", None]
    assert corpus(b"hidden").fingerprint == corpus(b"").fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"group": "h"},
        {"query_de": "q1 dE"},
        {"passage_en": "p1 en "},
        {"query_de": "q1 de" + "p1 de", "passage_de": ""},
        {"query_es": ""},
    ],
)
def test_fingerprint_is_changed_by_any_text(change: Row) -> None:
    rows = [*RAGGED[:1], RAGGED[1] | change, *RAGGED[2:]]
    assert _corpus(rows).fingerprint != _corpus(RAGGED).fingerprint


def test_fingerprint_tells_where_a_text_ends_and_what_a_column_is_called() -> None:
    def of(first: str, second: str, language: str = "de") -> str:
        rows = [{"id": text} | {f"query_{language}": text, f"passage_{language}": text} for text in (first, second)]
        return _corpus(rows, (language,)).fingerprint

    assert len({of("ab", "c"), of("a", "bc"), of("bc", "a"), of("ab", "c", "nl")}) == 4


# ---- selections


def test_select_languages() -> None:
    corpus = _corpus(RAGGED).select_languages(["es", "de"])
    assert corpus.languages == ("es", "de")
    assert corpus.table.column_names == ["id", "group", "query_es", "passage_es", "query_de", "passage_de"]
    assert corpus.table["id"].to_pylist() == ["r1", "r2", "r3"]  # r0 has neither
    assert corpus.presence.tolist() == [[0b110], [0b011]]
    assert (corpus.name, corpus.trained_on) == ("mine", ("Task",))


def test_select_languages_copies_nothing_if_all_rows_stay() -> None:
    corpus = _corpus(RAGGED)
    selected = corpus.select_languages(["es", "en"])
    assert _addresses(selected.table["query_en"]) == _addresses(corpus.table["query_en"])


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["de", "fr"], "language 'fr' of mine is not in it; it has de, en, es"),
        (["de", "de"], "language 'de' of mine is asked for twice; it has de, en, es"),
        ([], "no language of mine asked for; it has de, en, es"),
    ],
)
def test_select_languages_faults(languages: list[str], message: str) -> None:
    with pytest.raises(HybridError) as caught:
        _corpus(RAGGED).select_languages(languages)
    assert str(caught.value) == message


def test_a_range_of_rows_is_not_copied() -> None:
    corpus = _corpus(RAGGED)
    selected = corpus.select_rows(range(1, 3))
    assert selected.table["id"].to_pylist() == ["r1", "r2"]
    assert _addresses(selected.table["query_en"]) == _addresses(corpus.table["query_en"])
    assert (selected.name, selected.languages, selected.trained_on) == ("mine", corpus.languages, ("Task",))


@pytest.mark.parametrize(
    "rows",
    [[0, 2, 3], np.array([0, 2, 3]), np.array([True, False, True, True])],
)
def test_rows_by_number_or_truth_value(rows: Any) -> None:
    assert _corpus(RAGGED, cuts=(1, 3)).select_rows(rows).table["id"].to_pylist() == ["r0", "r2", "r3"]


def test_no_rows() -> None:
    corpus = _corpus(RAGGED).select_rows([])
    assert (len(corpus), corpus.pairs, corpus.groups) == (0, 0, None)


@pytest.mark.parametrize("rows", [[2, 1], [1, 1], [-1, 2], [3, 4], range(2, 5), range(-1, 2)])
def test_rows_that_are_not_there_or_not_in_order(rows: Any) -> None:
    with pytest.raises(ValueError, match="increasing numbers from 0 to 3"):
        _corpus(RAGGED).select_rows(rows)


# ---- views


def test_views_of_one_corpus() -> None:
    corpus = _corpus(RAGGED)
    views = corpus.views()
    assert list(views) == ["de-de", "de-en", "de-es", "en-de", "en-en", "en-es", "es-de", "es-en", "es-es"]
    view = views["de-es"]
    assert isinstance(view, ParallelView)
    assert view.origin == ViewOrigin(corpus, "de", "es")
    assert view.column_names == ["query", "passage"]
    assert len(view) == 4
    assert view[2] == {"query": "q2 de", "passage": "p2 es"}
    assert view[1] == {"query": "q1 de", "passage": None}
    assert views["es-es"][3] == {"query": "q3 es", "passage": "p3 es"}


def test_negatives_are_in_the_language_of_the_passage() -> None:
    row = {"id": "r"} | _pair("de", 0) | _pair("en", 0)
    row |= {f"negative_{number}_{tag}": f"n{number} {tag}" for number in (1, 2) for tag in ("de", "en")}
    views = _corpus([row], ("de", "en"), negatives=2).views()
    assert views["de-en"][0] == {"query": "q0 de", "passage": "p0 en", "negative_1": "n1 en", "negative_2": "n2 en"}


def test_views_of_several_corpora() -> None:
    first, second = _corpus(RAGGED, name="a"), _corpus(RAGGED[2:3], ("en", "de"), name="b/c")
    views = parallel_views([first, second])
    assert list(views)[8:] == ["a/es-es", "b/c/en-en", "b/c/en-de", "b/c/de-en", "b/c/de-de"]
    assert views["b/c/de-en"].origin == ViewOrigin(second, "de", "en")


def test_the_index_of_a_row_in_the_concatenation_of_the_views() -> None:
    corpora = [_corpus(RAGGED, name="a", cuts=(2,)), _corpus(RAGGED[1:3], ("en", "de"), name="b")]
    rows = ConcatDataset(list(parallel_views(corpora).values()))
    offset = 0
    for corpus in corpora:
        for a, query_language in enumerate(corpus.languages):
            for b, passage_language in enumerate(corpus.languages):
                for row in range(len(corpus)):
                    index = offset + (a * len(corpus.languages) + b) * len(corpus) + row
                    assert rows[index] == {
                        "query": corpus.texts(row, query_language)[0],
                        "passage": corpus.texts(row, passage_language)[1],
                    }
        offset += len(corpus.languages) ** 2 * len(corpus)
    assert len(rows) == offset


def test_views_share_the_buffers_of_the_corpus() -> None:
    corpus = _corpus(RAGGED, cuts=(1,))
    for view in corpus.views().values():
        query, passage = f"query_{view.origin.query_language}", f"passage_{view.origin.passage_language}"
        assert _addresses(view.data.table["query"]) == _addresses(corpus.table[query])
        assert _addresses(view.data.table["passage"]) == _addresses(corpus.table[passage])


def test_copying_a_view_does_not_copy_the_corpus() -> None:
    corpus = _corpus(RAGGED)
    view = corpus.views()["de-en"]
    for copied in (copy.deepcopy(view), view.with_format("numpy")):
        assert copied.origin == view.origin
        assert copied.origin.corpus is corpus
        assert _addresses(copied.data.table["query"]) == _addresses(corpus.table["query_de"])


def test_views_have_fingerprints_of_their_own() -> None:
    corpus = _corpus(RAGGED)
    views = [*corpus.views().values(), *corpus.views().values()]
    assert len({view._fingerprint for view in views}) == 18


def test_corpora_of_one_name_or_none_at_all() -> None:
    with pytest.raises(HybridError, match=r"^two sources are called 'mine'; give each its own name$"):
        parallel_views([_corpus(RAGGED), _corpus(RAGGED[:2])])
    with pytest.raises(HybridError, match=r"^no training data; name one source or more$"):
        parallel_views([])


# ---- collections


def _table(*rows: tuple[str, str, tuple[str, ...]]) -> TextTable:
    return TextTable(*zip(*rows, strict=True)) if rows else TextTable((), (), ())


def test_a_collection_by_hand() -> None:
    collection = ParallelCollection(
        "by hand",
        queries={
            "de": _table(("1", "de q1", ("g1",)), ("2", "de q2", ("g2",)), ("3", "de q3", ("g3",))),
            "en": _table(("3", "en q3", ("g3",)), ("1", "en q1", ("g1",)), ("4", "en q4", ("g4",))),
            "es": _table(("1", "es q1", ("g1",))),
        },
        passages={
            "de": _table(
                ("d0", "de p0", ()), ("d1", "de p1", ("g1",)), ("d2", "de p1b", ("g1",)), ("d3", "d", ("g2",))
            ),
            "en": _table(("e1", "en p13", ("g1", "g3")), ("e2", "en p4", ("g4",))),
            "es": _table(),
        },
    )
    corpus = corpus_from_collection(collection, trained_on=["A", "B"])
    assert (corpus.name, corpus.languages, corpus.trained_on) == ("by hand", ("de", "en"), ("A", "B"))
    assert corpus.table.to_pylist() == [
        {"id": "g1", "group": "g1"}
        | {"query_de": "de q1", "passage_de": "de p1", "query_en": "en q1", "passage_en": "en p13"},
        {"id": "g2", "group": "g2"} | {"query_de": "de q2", "passage_de": "d", "query_en": None, "passage_en": None},
        {"id": "g3", "group": "g1"}  # its passage in English is that of g1
        | {"query_de": None, "passage_de": None, "query_en": "en q3", "passage_en": "en p13"},
        {"id": "g4", "group": "g4"}
        | {"query_de": None, "passage_de": None, "query_en": "en q4", "passage_en": "en p4"},
    ]


def test_groups_are_joined_through_any_language() -> None:
    groups = ("a", "b", "c", "d", "e")
    queries = _table(*((group, f"q{group}", (group,)) for group in groups))
    alone = [(f"de {group}", group, (group,)) for group in groups]
    collection = ParallelCollection(
        "chain",
        queries={"de": queries, "en": queries, "es": queries},
        passages={
            "de": _table(*alone),
            "en": _table(("x", "x", ("c", "d")), ("y", "y", ("a", "b"))),
            "es": _table(("z", "z", ("b", "d"))),
        },
    )
    numbers = corpus_from_collection(collection).groups
    assert numbers is not None
    assert len(set(numbers[:4].tolist())) == 1
    assert numbers[4] != numbers[0]


def test_a_collection_without_a_pair_in_one_language() -> None:
    query, passage = _table(("1", "q", ("g",))), _table(("2", "p", ("g",)))
    collection = ParallelCollection(
        "crossed", queries={"de": query, "en": _table()}, passages={"de": _table(), "en": passage}
    )
    with pytest.raises(HybridError, match=r"^crossed has no query with a passage in its own language"):
        corpus_from_collection(collection)


def test_the_generated_world() -> None:
    world = generate_world(6, languages=("de", "zh"))
    corpus = corpus_from_collection(world)
    assert corpus.table["id"].to_pylist() == [f"fact-{number:05d}" for number in range(6)]
    assert (corpus.pairs, corpus.groups) == (12, None)
    assert corpus.texts(5, "zh")[0] == world.queries["zh"].texts[5]


def test_mlqa_r(lareqa_data: Path) -> None:
    corpus = corpus_from_collection(load_lareqa(MLQA_R, "MLQA-R"))
    assert (len(corpus), len(corpus.languages), corpus.pairs) == (1148, 7, 4199)
    assert corpus.groups is not None
    assert len(set(corpus.groups.tolist())) == 1140


def test_xquad_r(lareqa_data: Path) -> None:
    corpus = corpus_from_collection(load_lareqa(XQUAD_R, "XQuAD-R"))
    assert (len(corpus), len(corpus.languages), corpus.pairs) == (1190, 11, 1190 * 11)
    assert corpus.groups is not None
    assert len(set(corpus.groups.tolist())) == 489  # in Thai, one sentence answers many questions
