"""Which rows are duplicates, and which share a group."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mteb_hybrid.building.duplicates import duplicates, without_duplicates
from mteb_hybrid.building.normalise import comparable
from mteb_hybrid.building.shards import languages_of, read_shard, schema_of, write_shard
from mteb_hybrid.building.signatures import BANDS, DuplicateSettings, Shingles, Signatures, band_shape
from mteb_hybrid.errors import HybridError

pytest.importorskip("duckdb")
pytest.importorskip("rensa")

Row = dict[str, str | tuple[str, str]]
EXACT = DuplicateSettings(threshold=None)
WORDS = [f"w{number}" for number in range(1, 200)]
PASSAGE = " ".join(WORDS[:60])
QUESTION = "who was the first to cross the river by night in the year of the great flood"


def shard(*rows: Row, languages: str = "de en") -> pyarrow.Table:
    """Rows such as ``{"id": "a", "en": (query, passage)}``."""
    texts = []
    for row in rows:
        text: dict[str, str] = {name: str(row[name]) for name in ("id", "group") if name in row}
        for language in languages.split():
            if language in row:
                text[f"query_{language}"], text[f"passage_{language}"] = row[language]
        texts.append(text)
    return pyarrow.Table.from_pylist(texts, schema=schema_of(languages.split()))


def english(ident: str, query: str, passage: str, **more: str) -> Row:
    return {"id": ident, "en": (query, passage), **more}


def run(
    folder: Path, *sources: list[pyarrow.Table], settings: DuplicateSettings = EXACT
) -> tuple[list[list[pyarrow.Table]], dict[str, int]]:
    """The shards of each source without duplicates, and what went."""
    folder.mkdir(exist_ok=True)
    stage = pickle.loads(pickle.dumps(Signatures(settings)))
    paths = []
    for number, source in enumerate(sources):
        paths.append([folder / f"s{number}-{place}.parquet" for place in range(len(source))])
        for path, table in zip(paths[-1], source, strict=True):
            write_shard(stage(table), path)
    verdicts = folder / "verdicts"
    verdicts.mkdir(exist_ok=True)
    counts: dict[str, int] = {}
    kept = []
    for source, of_source in zip(sources, duplicates(paths, settings, verdicts), strict=True):
        outcomes = [without_duplicates(t, read_shard(v)) for t, v in zip(source, of_source, strict=True)]
        kept.append([outcome.table for outcome in outcomes])
        for outcome in outcomes:
            for reason, count in outcome.dropped.items():
                counts[reason] = counts.get(reason, 0) + count
    return kept, counts


def idents(kept: list[list[pyarrow.Table]]) -> str:
    return " ".join(ident for source in kept for table in source for ident in table["id"].to_pylist())


def groups(kept: list[list[pyarrow.Table]]) -> list[str | None]:
    return [group for source in kept for table in source for group in table["group"].to_pylist()]


# ---- exact


def test_the_later_of_two_rows_goes_whatever_the_writing(tmp_path: Path) -> None:
    first = [shard(english("a", "Who is he?", "A man."), english("b", "who is HE", "A  man!"))]
    second = [shard(english("c", "Who is she?", "A man.")), shard(english("d", "who is he", "a man"))]
    kept, counts = run(tmp_path, first, second)
    assert idents(kept) == "a c"
    assert counts == {"exact duplicate": 2}


def test_a_row_with_something_new_stays_whole(tmp_path: Path) -> None:
    pair, other = ("Who is he?", "A man."), ("Wer ist er?", "Ein Mann.")
    rows: list[Row] = [
        {"id": "english", "en": pair},
        {"id": "both", "en": pair, "de": other},
        {"id": "german", "de": other},
        {"id": "crossed", "de": other, "en": ("Who is she?", "A woman.")},
    ]
    kept, counts = run(tmp_path, [shard(*rows)])
    assert idents(kept) == "both crossed"  # parallel rows come before others
    assert counts == {"exact duplicate": 2}


def test_what_is_counted_is_pairs(tmp_path: Path) -> None:
    row: Row = {"id": "a", "en": ("Who is he?", "A man."), "de": ("Wer ist er?", "Ein Mann.")}
    assert run(tmp_path, [shard(row, row)])[1] == {"exact duplicate": 2}


def test_texts_of_another_language_are_others(tmp_path: Path) -> None:
    kept, counts = run(
        tmp_path, [shard({"id": "a", "en": ("Taxi?", "Hotel.")}, {"id": "b", "de": ("Taxi?", "Hotel.")})]
    )
    assert idents(kept) == "a b"
    assert not counts


def test_what_has_no_letters_is_compared_as_it_is(tmp_path: Path) -> None:
    rows = [english("a", "+", "plus"), english("b", "-", "plus"), english("c", "+", "plus")]
    assert idents(run(tmp_path, [shard(*rows)])[0]) == "a b"


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    rows = [english("a", "Who is he?", "A man."), english("b", "Who is he?", "A man.")]
    kept, counts = run(tmp_path, [shard(*rows)], settings=DuplicateSettings(exact=False, threshold=None))
    assert idents(kept) == "a b"
    assert not counts


def test_empty_shards(tmp_path: Path) -> None:
    for number, given_settings in enumerate((EXACT, DuplicateSettings())):
        kept, counts = run(tmp_path / str(number), [], [shard(), shard(languages="")], settings=given_settings)
        assert idents(kept) == ""
        assert not counts


# ---- groups


def test_rows_of_one_passage_share_a_group(tmp_path: Path) -> None:
    first = [
        shard(english("a", "Who?", "A man."), english("b", "Where?", "At home.")),
        shard(english("c", "What?", "a MAN"), english("d", "When?", "At noon.")),
    ]
    second = [shard(english("e", "Whom?", "A man."))]
    kept, counts = run(tmp_path, first, second)
    assert not counts
    group = groups(kept)
    assert group[0] == group[2] is not None
    assert (group[1], group[3], group[4]) == (None, None, None)


def test_groups_are_joined_through_any_language_and_their_own(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": "a", "en": ("1?", "one"), "de": ("1?", "eins")},
        {"id": "b", "en": ("2?", "one")},
        {"id": "c", "de": ("3?", "eins"), "group": "g"},
        {"id": "d", "en": ("4?", "four"), "group": "g"},
        {"id": "e", "en": ("5?", "five"), "group": "h"},
        {"id": "f", "en": ("6?", "six"), "group": "h"},
        {"id": "g", "en": ("7?", "five"), "group": "h"},
        {"id": "h", "en": ("8?", "eight"), "group": "alone"},
    ]
    group = groups(run(tmp_path, [shard(*rows)])[0])
    assert len(set(group[:4])) == 1
    assert group[0] not in (None, "g", "h")
    assert group[4:] == ["h", "h", "h", "alone"]


def test_a_row_that_goes_joins_no_groups(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": "a", "en": ("1?", "one"), "de": ("1?", "eins")},
        {"id": "b", "en": ("2?", "two"), "de": ("2?", "zwei")},
        {"id": "bridge", "en": ("1?", "one"), "de": ("2?", "zwei")},
    ]
    kept, _ = run(tmp_path, [shard(*rows)])
    assert idents(kept) == "a b"
    assert groups(kept) == [None, None]


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=20))
def test_groups_are_the_connected_rows(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[int, int]]) -> None:
    rows: list[Row] = [
        {"id": str(number), "en": (f"q {number}", f"p {one}"), "de": (f"q {number}", f"p {two}")}
        for number, (one, two) in enumerate(texts)
    ]
    kept, _ = run(tmp_path_factory.mktemp("groups"), [shard(*rows[:7]), shard(*rows[7:])])
    found = groups(kept)
    reached = [{number} for number in range(len(texts))]  # by brute force: whoever shares a passage joins
    for _ in texts:
        for a, one in enumerate(texts):
            for b, two in enumerate(texts):
                if one[0] == two[0] or one[1] == two[1]:
                    reached[a] |= reached[b]
    for a in range(len(texts)):
        together = {b for b in range(len(texts)) if b == a or (found[a] is not None and found[b] == found[a])}
        assert together == reached[a]


# ---- near


def jaccard(one: str, two: str, *lengths: int) -> float:
    """By definition: shingles are words in a row, at the end fewer."""

    def of(text: str) -> set[tuple[int, tuple[str, ...]]]:
        words = comparable(text).split()
        return {(n, tuple(words[start : start + n])) for n in lengths for start in range(len(words))}

    return len(of(one) & of(two)) / len(of(one) | of(two))


def test_near_duplicates_go_and_what_differs_stays(tmp_path: Path) -> None:
    changed = PASSAGE.replace("w30", "changed")
    much_changed = PASSAGE.replace("w10", "x").replace("w20", "x").replace("w30", "x").replace("w40", "x")
    other_question = "when did the second army leave the city by ship in the reign of the old king"
    assert jaccard(PASSAGE, changed, 3) > 0.8 > jaccard(PASSAGE, much_changed, 3)
    rows = [
        english("a", QUESTION, PASSAGE),
        english("near", QUESTION, changed),
        english("near too", QUESTION + " indeed", PASSAGE),
        english("another question", other_question, PASSAGE),
        english("another passage", QUESTION, much_changed),
        {"id": "another language", "de": (QUESTION, changed)},
    ]
    kept, counts = run(tmp_path, [shard(*rows)], settings=DuplicateSettings())
    assert idents(kept) == "a another question another passage another language"
    assert counts == {"near duplicate": 2}


def test_a_near_row_with_a_language_more_stays(tmp_path: Path) -> None:
    near = PASSAGE + " more"
    rows: list[Row] = [
        {"id": "english", "en": (QUESTION, near)},
        {"id": "both", "en": (QUESTION, PASSAGE), "de": ("Wer?", "Ein Mann.")},
        {"id": "french", "en": (QUESTION, near + " still"), "fr": ("Qui ?", "Un homme.")},
    ]
    kept, counts = run(tmp_path, [shard(*rows, languages="de en fr")], settings=DuplicateSettings())
    assert idents(kept) == "both french"
    assert counts == {"near duplicate": 1}


def test_near_duplicates_in_a_script_without_spaces(tmp_path: Path) -> None:
    passage = (
        "黑豹队以十五胜一负的战绩结束了常规赛四分卫卡姆牛顿被评为国家橄榄球联盟最有价值球员他们在季后赛中击败了红雀队"
    )
    query = "哪支球队在二零一五年的常规赛中取得了最好的成绩"
    rows: list[Row] = [
        {"id": "a", "zh": (query, passage)},
        {"id": "b", "zh": (query + "呢", passage + "等")},
        {"id": "c", "zh": (query, "".join(reversed(passage)))},
    ]
    assert idents(run(tmp_path, [shard(*rows, languages="zh")], settings=DuplicateSettings())[0]) == "a c"


@pytest.mark.parametrize("seed", range(3))
def test_what_stays_is_without_near_duplicates(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(60):
        words = list(WORDS[number % 3 :: 4][:40])
        for place in random.integers(40, size=random.integers(6)):
            words[place] = str(random.integers(3))
        rows.append(english(str(number), QUESTION, " ".join(words)))
    once, counts = run(tmp_path / "once", [shard(*rows)], settings=DuplicateSettings(threshold=0.7))
    again, none = run(tmp_path / "again", *once, settings=DuplicateSettings(threshold=0.7))
    assert not none
    assert idents(again) == idents(once)
    assert groups(again) == groups(once)
    left = once[0][0]["passage_en"].to_pylist()
    assert len(left) + sum(counts.values()) == len(rows)
    gone = [row["en"][1] for row in rows if row["en"][1] not in left]
    assert len(gone) > 10
    assert all(max(jaccard(text, other, 3) for other in left) >= 0.4 for text in gone)  # 0.7 at each of two steps


def test_all_differ_and_all_stay(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        english(str(number), " ".join(random.choice(WORDS, 8)), " ".join(random.choice(WORDS, 50)))
        for number in range(300)
    ]
    kept, counts = run(tmp_path, [shard(*rows[:100])], [shard(*rows[100:])], settings=DuplicateSettings())
    assert not counts
    assert idents(kept) == " ".join(map(str, range(300)))
    assert groups(kept) == [None] * 300


def test_how_rows_are_cut_into_shards_does_not_matter(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = []
    for number in range(60):
        words = list(WORDS[number % 7 * 20 : number % 7 * 20 + 40])
        words[random.integers(40)] = "changed"
        rows.append(english(str(number), QUESTION, " ".join(words)))
    whole, counts = run(tmp_path / "a", [shard(*rows)], settings=DuplicateSettings())
    cut, the_same = run(
        tmp_path / "b", [shard(*rows[:7]), shard(*rows[7:11]), shard(*rows[11:])], settings=DuplicateSettings()
    )
    assert idents(whole) == idents(cut)
    assert counts == the_same
    assert 0 < sum(counts.values()) < 60


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_pairs_at_the_threshold_have_a_band_in_common(threshold: float) -> None:
    of_passage, of_query = band_shape(threshold)
    assert of_passage - of_query in (0, 1)
    random = np.random.default_rng(2)
    found = 0
    for _ in range(100):
        rows = []
        for size in (24, 80):  # words of a query and a passage
            words = random.permutation(3_000)[: 2 * size]
            shared = round(2 * size * threshold / (1 + threshold)) // 1
            one, two = words[:size], np.concatenate([words[size - shared : size], words[size : 2 * size - shared]])
            rows.append([" ".join(f"w{word}" for word in text) for text in (one, two)])
        of = [
            Shingles.of(texts, 1).firsts(BANDS * count)
            for texts, count in zip(rows, (of_query, of_passage), strict=True)
        ]
        parts = zip(*(np.split(firsts[0] == firsts[1], BANDS) for firsts in of), strict=True)
        found += any(query.all() and passage.all() for query, passage in parts)
    assert found >= 94


def test_shingles_are_the_sets_of_the_definition() -> None:
    shingles = Shingles.of(["a b a b", "", "c", "a b"], 1, 2)
    assert shingles.sizes.tolist() == [5, 0, 2, 4]  # a, b, ab, ba, b at the end
    sets = [set(part) for part in shingles.column().to_pylist()]
    assert len(sets[0] & sets[3]) == 4
    assert not sets[0] & sets[2]


def test_signatures_do_not_depend_on_the_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mteb_hybrid.building import shards, signatures as s;"
        "table = s.Signatures(s.DuplicateSettings())(shards.read_shard(Path(sys.argv[1])));"
        "shards.write_shard(table, Path(sys.argv[2]))"
    )
    write_shard(
        shard(english("a", QUESTION, PASSAGE), {"id": "b", "de": ("Wer?", "Ein Mann."), "group": "g"}), tmp_path / "in"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "in", tmp_path / seed],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert languages_of(read_shard(tmp_path / "in")) == ("de", "en")


def test_rensa_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(HybridError, match=r"duplicates\.threshold needs rensa: .*, or set it to null"):
        Signatures(DuplicateSettings())(shard(english("a", "Who?", "A man.")))
