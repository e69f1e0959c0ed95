"""Hard negatives of corpora whose texts lie at known angles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import parquet

from mteb_hybrid.building.mining import MiningRecord, MiningSettings, corpus, mine, search, vectors, write
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.errors import HybridError

Row = dict[str, str | None]

PASSAGES = (0, 10, 25, 45, 70, 100)
"""Angles of the passages of six rows, in degrees; their queries lie where they do, those in English in reverse."""
MONO = [[1, 2], [0, 2], [1, 3], [2, 4], [3, 5], [4, 3]]
CROSS = [[5, 4], [4, 3], [3, 4], [2, 1], [1, 0], [0, 1]]


class Angles:
    """An encoder that has each text at an angle, and counts what it reads."""

    def __init__(self, angles: Mapping[str, float]) -> None:
        self.prompts: dict[str, str | None] = {"query": "Q: ", "document": "P: "}
        self.angles = angles
        self.read: list[str] = []
        self.asked: set[tuple[str, str]] = set()
        self.fails_at: str | None = None

    def encode_query(self, inputs: list[str], **options: Any) -> NDArray[np.float64]:
        return self._encode("query", inputs, options["prompt"])

    def encode_document(self, inputs: list[str], **options: Any) -> NDArray[np.float64]:
        return self._encode("passage", inputs, options["prompt"])

    def _encode(self, role: str, inputs: list[str], prompt: str) -> NDArray[np.float64]:
        if self.fails_at in inputs:
            raise KeyboardInterrupt
        self.read += inputs
        self.asked.add((role, prompt))
        radians = np.radians([self.angles[text] for text in inputs])
        return 3 * np.stack([np.cos(radians), np.sin(radians)], axis=1)  # not of unit length

    def get_embedding_dimension(self) -> int:
        return 2


def six() -> tuple[list[Row], Angles]:
    """Six rows in German and English; ``de p0`` to ``de p5`` and ``en p0`` to ``en p5`` lie at ``PASSAGES``."""
    rows: list[Row] = [
        {
            "id": f"{n}",
            **{f"{role}_{tag}": f"{tag} {role[0]}{n}" for tag in ("de", "en") for role in ("query", "passage")},
        }
        for n in range(6)
    ]
    angles = {f"{tag} p{n}": PASSAGES[n] for tag in ("de", "en") for n in range(6)}
    angles |= {f"de q{n}": PASSAGES[n] for n in range(6)} | {f"en q{n}": PASSAGES[5 - n] for n in range(6)}
    return rows, Angles(angles)


def save(path: Path, rows: Sequence[Row], columns: Sequence[str] = ()) -> Path:
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    schema = pyarrow.schema([(name, pyarrow.large_string()) for name in names])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), path)
    return path


def mined(tmp_path: Path, rows: Sequence[Row], model: Any, **options: Any) -> tuple[list[Row], MiningRecord]:
    """The rows with their negatives, which must load as a corpus."""
    record = run(save(tmp_path / "own.parquet", rows), tmp_path / "out", model, **options)
    assert load_corpus(tmp_path / "out" / "own.parquet").negatives == options.get("negatives", 2)
    return parquet.read_table(tmp_path / "out" / "own.parquet").to_pylist(), record


def run(path: Path | list[Path], output: Path, model: Any, **options: Any) -> MiningRecord:
    chosen = {"model": "m", "negatives": 2, "mode": "mono", "relative_margin": None} | options
    return mine(path if isinstance(path, list) else [path], output, model, MiningSettings.model_validate(chosen))


def negatives(rows: Sequence[Row], language: str, count: int = 2) -> list[list[str | None]]:
    return [[row[f"negative_{number + 1}_{language}"] for number in range(count)] for row in rows]


def texts(numbers: Sequence[Sequence[int]], language: str) -> list[list[str]]:
    return [[f"{language} p{number}" for number in line] for line in numbers]


# ---- which passages


def test_the_nearest_passages_of_the_own_language(tmp_path: Path) -> None:
    rows, model = six()
    found, record = mined(tmp_path, rows, model)
    assert negatives(found, "de") == texts(MONO, "de")
    assert negatives(found, "en") == texts(CROSS, "en")  # where the English queries lie
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert (record.languages["de"].pairs, record.languages["de"].mined, record.languages["de"].drawn) == (6, 12, 0)


def test_across_languages_queries_of_another_language_choose(tmp_path: Path) -> None:
    rows, model = six()
    found, _ = mined(tmp_path, rows, model, mode="cross")
    assert negatives(found, "de") == texts(CROSS, "de")
    assert negatives(found, "en") == texts(MONO, "en")


def test_both_by_turns_and_none_twice(tmp_path: Path) -> None:
    rows, model = six()
    found, _ = mined(tmp_path, rows, model, mode="both")
    assert negatives(found, "de") == texts([[1, 5], [0, 4], [1, 3], [2, 4], [3, 1], [4, 0]], "de")


def test_a_row_of_one_language_asks_with_its_only_query(tmp_path: Path) -> None:
    rows, model = six()
    rows[0] |= {"query_en": None, "passage_en": None}
    found, record = mined(tmp_path, rows, model, mode="cross")
    assert negatives(found, "de")[0] == ["de p1", "de p2"]
    assert negatives(found, "en")[0] == [None, None]
    assert record.languages["en"].pairs == 5


def test_texts_are_read_once_with_their_prompts(tmp_path: Path) -> None:
    rows, model = six()
    rows[1]["passage_de"] = "DE p0!"  # the same as de p0, written in another way
    mined(tmp_path, rows, model, mode="both")
    assert sorted(model.read) == sorted(set(model.angles) - {"de p1"})
    assert model.asked == {("query", "Q: "), ("passage", "P: ")}


# ---- what is kept out

SCALE = {"q0": 0, "p0": 60, "p1": 30, "p2": 61, "p3": 65, "p4": 80}
"""One query and its passage, of cosine 0.5, and others: 0.87, 0.48, 0.42 and 0.17."""


def scale() -> tuple[list[Row], Angles]:
    rows: list[Row] = [{"id": f"{n}", "query_de": f"q{n}", "passage_de": f"p{n}"} for n in range(5)]
    return rows, Angles(SCALE | {f"q{n}": SCALE[f"p{n}"] for n in range(1, 5)})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["p1", "p2"]),
        ({"relative_margin": 0.0}, ["p2", "p3"]),
        ({"relative_margin": 0.1}, ["p3", "p4"]),
        ({"absolute_margin": 0.05}, ["p3", "p4"]),
        ({"relative_margin": 0.01, "absolute_margin": 0.05}, ["p3", "p4"]),
        ({"range_min": 1}, ["p2", "p3"]),
        ({"range_min": 2, "range_max": 4}, ["p3", "p4"]),
    ],
)
def test_margins_and_ranks(tmp_path: Path, options: dict[str, Any], expected: list[str]) -> None:
    rows, model = scale()
    assert negatives(mined(tmp_path, rows, model, **options)[0], "de")[0] == expected


def test_what_is_kept_out_is_not_drawn_either_and_negatives_repeat(tmp_path: Path) -> None:
    rows, model = scale()
    found, record = mined(tmp_path, rows, model, negatives=4, relative_margin=0.1)
    assert negatives(found, "de", 4)[0] == ["p3", "p4", "p3", "p4"]
    assert record.languages["de"].repeated >= 2
    assert record.languages["de"].too_near >= 2


def test_beyond_the_ranks_passages_are_drawn(tmp_path: Path) -> None:
    rows, model = scale()
    found, record = mined(tmp_path, rows, model, negatives=1, relative_margin=0.1, range_max=2)  # both too near
    assert negatives(found, "de", 1)[0][0] in {"p3", "p4"}
    assert record.languages["de"].drawn >= 1
    again = tmp_path / "again"
    again.mkdir()
    assert mined(again, rows, model, negatives=1, relative_margin=0.1, range_max=2) == (found, record)


def test_a_margin_below_a_negative_similarity_is_below_it(tmp_path: Path) -> None:
    rows, model = scale()
    model.angles = dict(model.angles) | {"q0": 60 + 120}  # -0.5; p1 at -0.87, p2 -0.48, p3 -0.42, p4 -0.17
    found, _ = mined(tmp_path, rows, model, negatives=1, relative_margin=0.1)
    assert negatives(found, "de", 1)[0] == ["p1"]


@pytest.mark.parametrize(
    "same",
    [
        {"group": "g"},  # they share a group
        {"passage_en": "En P0."},  # their passages are the same in another language, written in another way
        {"query_en": "en q0"},  # or their queries
    ],
)
def test_rows_that_say_the_same_are_no_negatives_of_each_other(tmp_path: Path, same: Row) -> None:
    rows, model = six()
    rows[0]["group"] = "g"
    rows[1] |= same
    found, record = mined(tmp_path, rows, model)
    assert negatives(found, "de")[:2] == texts([[2, 3], [2, 3]], "de")
    assert record.languages["de"].known_positives >= 2 + 6  # each other, and each its own


def test_groups_of_two_files_are_others(tmp_path: Path) -> None:
    rows, model = six()
    for row in rows:
        row["group"] = "g"
    paths = [save(tmp_path / "a.parquet", rows[:3]), save(tmp_path / "b.parquet", rows[3:])]
    record = run(paths, tmp_path / "out", model)
    a, b = (parquet.read_table(tmp_path / "out" / path.name).to_pylist() for path in paths)
    assert negatives(a, "de") == texts([[3, 4], [3, 4], [3, 4]], "de")
    assert negatives(b, "de") == texts([[2, 1], [2, 1], [2, 1]], "de")
    assert sorted(record.files) == ["a.parquet", "b.parquet"]


def test_a_pair_without_any_negative_goes_and_is_counted(tmp_path: Path) -> None:
    """Of a language of one row; the row stays for its other language."""
    rows, model = six()
    rows[0] |= {"query_fr": "fr q0", "passage_fr": "fr p0"}
    rows.append({"id": "6", "query_el": "el q6", "passage_el": "el p6"})
    model.angles = {**model.angles, "fr q0": 0, "fr p0": 0, "el q6": 0, "el p6": 0}
    found, record = mined(tmp_path, rows, model, mode="both")
    assert [row["id"] for row in found] == [str(number) for number in range(6)]
    assert found[0]["query_fr"] is None
    assert found[0]["query_de"] == "de q0"
    assert (record.languages["fr"].dropped, record.languages["el"].dropped, record.languages["de"].dropped) == (1, 1, 0)
    assert (record.rows_before, record.rows_after) == (7, 6)


def test_a_language_of_few_rows_repeats_its_passages(tmp_path: Path) -> None:
    rows, model = six()
    for row in rows[:2]:
        row |= {"query_fr": f"fr q{row['id']}", "passage_fr": f"fr p{row['id']}"}
    model.angles = {**model.angles, **{f"fr {role}{n}": PASSAGES[n] for role in "qp" for n in (0, 1)}}
    found, record = mined(tmp_path, rows, model)
    assert negatives(found, "fr")[:3] == [["fr p1", "fr p1"], ["fr p0", "fr p0"], [None, None]]
    assert (record.languages["fr"].mined, record.languages["fr"].repeated) == (2, 2)


# ---- properties

WORDS = st.integers(0, 4)


@st.composite
def corpora(draw: st.DrawFn) -> list[Row]:
    """Rows that share groups, queries and passages, and lack languages."""
    rows: list[Row] = []
    for number in range(draw(st.integers(2, 12))):
        row: Row = {"id": f"{number}", "group": draw(st.sampled_from([None, "a", "b", "c"]))}
        for tag in draw(st.lists(st.sampled_from(["de", "en", "fr"]), min_size=1, unique=True)):
            row |= {f"query_{tag}": f"{tag} q {draw(WORDS)}", f"passage_{tag}": f"{tag} p {draw(st.integers(0, 9))}"}
        rows.append(row)
    return rows


def twins_of(rows: Sequence[Row], row: Row, language: str) -> set[str | None]:
    """The passages of a language that say what the passage of some row with the same query says, told naively."""

    def alike(one: Row, other: Row, names: Sequence[str]) -> bool:
        return any(one.get(name) is not None and one.get(name) == other.get(name) for name in names)

    def closure(first: list[Row], names: Sequence[str]) -> list[Row]:
        found = list(first)
        for one in found:
            found += [other for other in rows if other not in found and alike(one, other, names)]
        return found

    asked = closure([row], [f"query_{tag}" for tag in ("de", "en", "fr")])
    said = closure(asked, ["group", *(f"passage_{tag}" for tag in ("de", "en", "fr"))])
    return {other.get(f"passage_{language}") for other in said} - {None}


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=corpora(), mode=st.sampled_from(["mono", "cross", "both"]), margin=st.sampled_from([None, 0.2]))
def test_no_negative_is_ever_a_twin(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], mode: str, margin: float | None
) -> None:
    names = ["id", "group", *(f"{role}_{tag}" for tag in ("de", "en", "fr") for role in ("query", "passage"))]
    every = {text for row in rows for name, text in row.items() if name not in {"id", "group"} and text}
    model = Angles({text: 37.0 * number for number, text in enumerate(sorted(every))})
    folder = tmp_path_factory.mktemp("mined")
    path = save(folder / "own.parquet", rows, names)
    try:
        run(path, folder / "out", model, mode=mode, relative_margin=margin)
    except HybridError as error:
        assert "no pair has a negative" in str(error)
        found = []
    else:
        found = parquet.read_table(folder / "out" / "own.parquet").to_pylist()
    by_id = {row["id"]: row for row in found}
    for row in rows:
        for tag in ("de", "en", "fr"):
            if row.get(f"passage_{tag}") is None:
                continue
            others = {other.get(f"passage_{tag}") for other in rows} - {None} - twins_of(rows, row, tag)
            kept = by_id.get(row["id"], {})
            given = {kept.get(f"negative_{number}_{tag}") for number in (1, 2)} - {None}
            assert given <= others
            if margin is None:  # as many as there can be
                assert len(given) == min(2, len(others))


def test_as_numpy_finds_them(tmp_path: Path) -> None:
    rows, model = circle(300)
    found, _ = mined(tmp_path, rows, model, negatives=5, relative_margin=0.05)
    angles = np.radians([[model.angles[f"{role}{n}"] for n in range(300)] for role in "qp"])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=2).astype(np.float16).astype(np.float64)
    scores = unit[0] @ unit[1].T
    own = scores.diagonal()[:, None]
    scores[(scores > own - 0.05 * np.abs(own)) | np.eye(300, dtype=bool)] = -9
    checked = 0
    for row in range(300):
        expected = np.sort(scores[row])[::-1][:5]
        given = [int((text or "p0")[1:]) for text in negatives(found, "de", 5)[row]]
        # of the 50 nearest all may be too near; then passages are drawn
        if (scores[row] == -9).sum() <= 50 - 5:
            assert scores[row, given] == pytest.approx(expected, abs=1e-6)
            checked += 1
    assert checked > 100


def circle(count: int) -> tuple[list[Row], Angles]:
    """Rows at random angles, each passage within some degrees of its query."""
    generator = np.random.default_rng(0)
    queries = generator.uniform(0, 360, count)
    passages = queries + generator.uniform(-30, 30, count)
    angles = {f"q{n}": float(angle) for n, angle in enumerate(queries)}
    angles |= {f"p{n}": float(angle) for n, angle in enumerate(passages)}
    return [{"id": f"{n}", "query_de": f"q{n}", "passage_de": f"p{n}"} for n in range(count)], Angles(angles)


# ---- going on


def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "PART", 4)
    monkeypatch.setattr(corpus, "ROWS", 2)
    monkeypatch.setattr(write, "ROWS", 2)


def test_pieces_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, model = six()
    whole, record = mined(tmp_path, rows, model)
    small_pieces(monkeypatch)
    (tmp_path / "small").mkdir()
    assert mined(tmp_path / "small", rows, model)[0] == whole
    assert record.languages["de"].mined == 12


@pytest.mark.parametrize("fails_at", ["de q5", "en p0", "de", "en"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    small_pieces(monkeypatch)
    rows, model = six()
    path = save(tmp_path / "own.parquet", rows)
    record = run(path, tmp_path / "whole", model, mode="both")
    assert sorted(model.read) == sorted(model.angles)

    _, model = six()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if fails_at in model.angles:
            model.fails_at = fails_at
        else:
            patch.setattr(search.Search, "find", failing(search.Search.find, 1 if fails_at == "de" else 4))
        run(path, tmp_path / "killed", model, mode="both")
    assert not (tmp_path / "killed" / "own.parquet").exists()
    model.fails_at = None
    assert run(path, tmp_path / "killed", model, mode="both") == record
    assert sorted(model.read) == sorted(model.angles)  # none was read twice
    assert [file.name for file in (tmp_path / "killed").iterdir()] == ["own.parquet"]
    whole, again = ((tmp_path / name / "own.parquet").read_bytes() for name in ("whole", "killed"))
    assert whole == again


def failing(find: Any, after: int) -> Any:
    calls = []

    def fail(*args: Any) -> Any:
        calls.append(args)
        if len(calls) > after:
            raise KeyboardInterrupt
        return find(*args)

    return fail


def test_another_number_of_negatives_encodes_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, model = six()
    path = save(tmp_path / "own.parquet", rows)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(search.Search, "find", failing(search.Search.find, 1))
        run(path, tmp_path / "out", model)
    run(path, tmp_path / "out", model, negatives=1)
    assert sorted(model.read) == sorted(model.angles)
    assert "negative_2_de" not in parquet.read_schema(tmp_path / "out" / "own.parquet").names


# ---- what a user is told


def test_what_is_ahead_is_said(tmp_path: Path) -> None:
    rows, model = six()
    said: list[str] = []
    settings_ = MiningSettings(model="m", negatives=2)
    mine([save(tmp_path / "own.parquet", rows)], tmp_path / "out", model, settings_, say=said.append)
    assert said[0].startswith("6 rows, 24 texts to encode; about ")
    assert "memory" in said[0]
    assert said[1] == "to choose from: de 6 (flat), en 6 (flat)"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"passage_de": None}, "own.parquet, row 3: query_de without passage_de; add it, or leave out both"),
        ({"query_de": None}, "own.parquet, row 3: passage_de without query_de; add it, or leave out both"),
    ],
)
def test_half_a_pair(tmp_path: Path, change: Row, fault: str) -> None:
    rows, model = six()
    rows[2] |= change
    with pytest.raises(HybridError, match=fault):
        mined(tmp_path, rows, model)


def test_rows_that_all_say_the_same(tmp_path: Path) -> None:
    rows, model = six()
    for row in rows:
        row["group"] = "g"
    with pytest.raises(HybridError, match="no pair has a negative"):
        mined(tmp_path, rows, model)


def test_a_model_of_no_vectors(tmp_path: Path) -> None:
    rows, model = six()
    model.angles = {**model.angles, "de q0": math.nan}
    with pytest.raises(HybridError, match="gives no dense vector of 2 finite numbers a text"):
        mined(tmp_path, rows, model)


def test_a_corpus_is_not_written_over(tmp_path: Path) -> None:
    rows, model = six()
    with pytest.raises(HybridError, match="holds the corpus itself"):
        run(save(tmp_path / "own.parquet", rows), tmp_path, model)


def test_negatives_that_were_there_are_replaced(tmp_path: Path) -> None:
    rows, model = six()
    old = [row | {f"negative_{n}_{tag}": "x" for n in (1, 2, 3) for tag in ("de", "en")} for row in rows]
    found, _ = mined(tmp_path, old, model)
    assert negatives(found, "de") == texts(MONO, "de")


def test_no_file_and_no_corpus(tmp_path: Path) -> None:
    _, model = six()
    with pytest.raises(HybridError, match=r"cannot read .*gone.parquet"):
        run(tmp_path / "gone.parquet", tmp_path / "out", model)
    with pytest.raises(HybridError, match="no pair of a query and a passage"):
        run(save(tmp_path / "own.parquet", [{"id": "0"}]), tmp_path / "out", model)
    with pytest.raises(ValueError, match="range_max 3 leaves 1 ranks after range_min 2, too few for 2 negatives"):
        MiningSettings(model="m", negatives=2, range_min=2, range_max=3)
