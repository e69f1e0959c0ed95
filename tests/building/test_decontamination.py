"""What is found in a training corpus of the texts of tasks, with what, and what is not."""

import hashlib
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mteb_hybrid.building.decontamination.index import build_index, distinctive_ids, open_index, write_index
from mteb_hybrid.building.decontamination.record import decontamination_record
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings, EmbeddingSettings
from mteb_hybrid.building.decontamination.stage import SAME_GROUP, Decontaminate, DropGroups, contaminated_groups
from mteb_hybrid.building.decontamination.texts import Row, task_texts
from mteb_hybrid.building.shards import Kept, pairs_of, schema_of
from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.collection_folder import write_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError

LANGUAGES = ("en", "de", "hi", "zh")
OFF: dict[str, Any] = {"ids": False, "exact": False, "ngram": None}


def world(facts: int, first: int = 0) -> dict[str, list[tuple[str, str]]]:
    """A question and a passage of three sentences of each row, by language."""
    told = generate_world(facts, first=first, languages=LANGUAGES)
    rows = {}
    for language in LANGUAGES:
        queries, passages = told.queries[language], told.passages[language]
        texts = [passages.texts[passages.rows_by_group[group][0]] for (group,) in queries.groups]
        rows[language] = [
            (queries.texts[row], " ".join(texts[row : row + 3])) for row in range(0, len(queries.texts) - 2, 3)
        ]
    return rows


def squad_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:24]


def collection(rows: dict[str, list[tuple[str, str]]]) -> ParallelCollection:
    ids = tuple(squad_id(number) for number in range(len(next(iter(rows.values())))))
    groups = tuple((id_,) for id_ in ids)
    return ParallelCollection(
        "Held",
        {tag: TextTable(ids, tuple(query for query, _ in rows[tag]), groups) for tag in rows},
        {tag: TextTable(tuple(f"{tag}-{i}" for i in ids), tuple(p for _, p in rows[tag]), groups) for tag in rows},
    )


def shard(*rows: dict[str, str], languages: tuple[str, ...] = LANGUAGES) -> pyarrow.Table:
    return pyarrow.Table.from_pylist(list(rows), schema=schema_of(languages))


def pair(id_: str, language: str, texts: tuple[str, str], group: str | None = None) -> dict[str, str]:
    row = {"id": id_, f"query_{language}": texts[0], f"passage_{language}": texts[1]}
    return row if group is None else {**row, "group": group}


def ids(kept: Kept) -> list[str]:
    found: list[str] = kept.table["id"].to_pylist()
    return found


def kinds(kept: Kept) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for hit in kept.found:
        found.setdefault(str(hit["id"]), set()).add(str(hit["kind"]))
    return found


HELD = world(90)
OTHER = world(90, first=414)  # no name is shared with those


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held") / "collection"
    write_collection(collection({tag: HELD[tag] for tag in ("en", "hi", "zh")}), folder, task="Held")
    return folder


def run(held: Path, folder: Path, table: pyarrow.Table, **options: Any) -> Kept:
    chosen = DecontaminationSettings(tasks=[], files=[str(held)], **options)
    build_index(chosen, folder)
    return Decontaminate(folder, chosen)(table)


def planted() -> pyarrow.Table:
    """Contamination in five forms, the two more that count, and rows that nothing is wrong with."""
    query, passage = HELD["en"][2]
    sentences = HELD["en"][5][1].split(". ")
    return shard(
        pair("clean", "en", OTHER["en"][0]),
        pair("verbatim", "en", (OTHER["en"][1][0], HELD["en"][1][1])),
        pair("recased", "en", (OTHER["en"][2][0], f"«{passage.upper().replace('. ', ' - ')}»!?")),
        pair(f"squad-{squad_id(3)}-de", "de", HELD["de"][3]),  # the tasks have no German
        pair("embedded", "en", (OTHER["en"][4][0], f"{OTHER['en'][5][1]} {HELD['en'][4][1]} {OTHER['en'][6][1]}")),
        pair("paraphrase", "en", (OTHER["en"][7][0], ". ".join([s.rstrip(".") for s in reversed(sentences)]))),
        pair("question", "en", (query, OTHER["en"][8][1])),
        pair("chinese", "zh", (OTHER["zh"][9][0], f"{OTHER['zh'][10][1]}{HELD['zh'][6][1]}{OTHER['zh'][11][1]}")),
        pair("hindi", "hi", (OTHER["hi"][12][0], HELD["hi"][7][1])),
        pair("clean too", "zh", OTHER["zh"][13]) | pair("", "hi", OTHER["hi"][13]) | {"id": "clean too"},
    )


TWIN = f"squad-{squad_id(3)}-de"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ids": True}, {TWIN}),
        ({"exact": True}, {"verbatim", "recased", "question", "hindi"}),
        ({"ngram": 13}, {"verbatim", "recased", "embedded", "chinese", "hindi"}),
        (
            {"ids": True, "exact": True, "ngram": 13},
            {"verbatim", "recased", TWIN, "embedded", "question", "chinese", "hindi"},
        ),
    ],
    ids=["id", "exact", "ngram", "all"],
)
def test_what_is_found_with_what(held: Path, tmp_path: Path, options: dict[str, Any], expected: set[str]) -> None:
    table = planted()
    kept = run(held, tmp_path / "index", table, **OFF | options)
    assert set(kinds(kept)) == expected
    assert ids(kept) == [id_ for id_ in table["id"].to_pylist() if id_ not in expected]
    assert sum(kept.dropped.values()) == len(expected)  # of one pair each
    assert kept.table.schema == table.schema


def test_a_hit_names_the_row_and_the_text_that_the_task_has(held: Path, tmp_path: Path) -> None:
    kept = run(held, tmp_path / "index", planted())
    of_row = {hit["id"]: hit for hit in kept.found}
    assert of_row["verbatim"] == {
        "id": "verbatim",
        "language": "en",
        "role": "passage",
        "kind": "exact",
        "task": "Held",
        "task_role": "passage",
        "task_language": "en",
        "task_id": f"en-{squad_id(1)}",
    }
    assert of_row["question"]["task_role"] == of_row["question"]["role"] == "query"
    assert of_row[TWIN]["task_id"] == squad_id(3)
    assert (of_row[TWIN]["language"], of_row[TWIN]["role"], of_row[TWIN]["kind"]) == ("*", "row", "id")
    assert of_row["chinese"]["task_id"] == f"zh-{squad_id(6)}"
    assert 0 < float(of_row["embedded"]["score"]) < 1  # the share of its runs of words that the task has
    assert kept.dropped == {"text of a task (id)": 1, "text of a task (exact)": 4, "text of a task (ngram)": 2}


def test_of_other_texts_only_a_long_form_of_question_is_found(held: Path, tmp_path: Path) -> None:
    rows: list[dict[str, str]] = []
    for number in range(len(OTHER["en"])):
        rows.append({})
        for language in LANGUAGES:
            rows[-1] |= pair(str(number), language, OTHER[language][number])
    table = shard(*rows)
    kept = run(held, tmp_path / "13", table)
    (hit,) = kept.found  # 13 words in a row that say nothing: what so many words as default cannot tell apart
    assert rows[int(str(hit["id"]))]["query_en"] == "What can be seen on the coat of arms of the town of Zokomizi?"
    assert run(held, tmp_path / "14", table, ngram=14) == Kept(table)


def test_a_row_goes_in_all_its_languages(held: Path, tmp_path: Path) -> None:
    row = pair("row", "en", HELD["en"][1]) | pair("row", "de", OTHER["de"][1]) | pair("row", "zh", HELD["zh"][1])
    kept = run(held, tmp_path / "index", shard(row, pair("b", "de", OTHER["de"][2])))
    assert ids(kept) == ["b"]
    assert kept.dropped == {"text of a task (exact)": 3}
    assert [(hit["language"], hit["role"]) for hit in kept.found if hit["role"] == "passage"] == [
        ("en", "passage"),
        ("zh", "passage"),
    ]


def test_a_passage_takes_the_rows_of_its_group_along_and_a_question_does_not(held: Path, tmp_path: Path) -> None:
    first = shard(
        pair("a", "en", (OTHER["en"][0][0], HELD["en"][1][1]), group="shared passage"),
        pair("b", "en", (HELD["en"][2][0], OTHER["en"][1][1]), group="shared question"),
    )
    second = shard(
        pair("c", "de", OTHER["de"][0], group="shared passage"),  # the passage, translated
        pair("d", "en", OTHER["en"][1], group="shared question"),
        pair("e", "en", OTHER["en"][2]),
    )
    one, two = run(held, tmp_path / "index", first), run(held, tmp_path / "index", second)
    assert (ids(one), ids(two)) == ([], ["c", "d", "e"])
    groups = contaminated_groups((*one.found, *two.found))
    assert groups == {"shared passage"}
    rest = DropGroups(groups)(two.table)
    assert ids(rest) == ["d", "e"]
    assert rest.dropped == {SAME_GROUP: 1}
    assert DropGroups(frozenset())(second).table == second


def index_of(folder: Path, rows: list[Row], **options: Any) -> Decontaminate:
    chosen = DecontaminationSettings(tasks=["T"], **options)
    write_index(chosen, [task_texts("T", "t", "1", rows)], folder)
    return Decontaminate(folder, chosen)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Vienna", False),
        ("The Great Hall of Kyoto", True),  # 5 words
        ("THE GREAT HALL, of Kyoto!", True),
        ("the great hall of", False),  # 4 of the task's words
        ("the old town hall", False),  # 4 words, and the task has them
        ("Near the Great Hall of Kyoto it snows.", False),  # fewer than 13 words are not looked for inside others
        ("北京大学校", False),  # 5 characters: as 2 words and a half
        ("北京大学图书馆的历史", True),  # 10 characters: as 5 words
        ("", False),
        ("?!", False),
    ],
)
def test_short_texts_count_only_as_a_whole_and_not_below_five_words(tmp_path: Path, text: str, gone: bool) -> None:
    task = ["Vienna", "The Great Hall of Kyoto", "the old town hall", "北京大学校", "北京大学图书馆的历史", "", "…"]
    stage = index_of(tmp_path / "i", [("passage", "en", str(n), None, text) for n, text in enumerate(task)])
    kept = stage(shard(pair("a", "en", ("Who was it that built what we see?", text))))
    assert (len(kept.table) == 0) is gone


@pytest.mark.parametrize(
    ("language", "shared", "before", "after"),
    [
        ("zh", "科吉尼菲市的市民推选达马诺尼为他们的新市长并且庆祝了三天", "昨天早上", "后来下了雨"),
        ("th", "ชาวเมืองโคจินิฟีเลือกดามาโนนีเป็นนายกเทศมนตรีคนใหม่", "เมื่อวานนี้", "แล้วฝนก็ตก"),
        ("ja", "コジニフィ市の市民はダマノニを新しい市長に選びました", "昨日、", "そして雨が降った"),
    ],
)
def test_scripts_without_spaces_share_26_characters(
    tmp_path: Path, language: str, shared: str, before: str, after: str
) -> None:
    stage = index_of(tmp_path / "i", [("passage", language, "1", None, f"{after}{shared}{before}")], exact=False)
    cut = shared[: len(shared) // 2]
    texts = {"whole": f"{before}{shared}{after}", "half": f"{before}{cut}{after}"}
    table = shard(*(pair(name, language, ("?", text)) for name, text in texts.items()), languages=(language,))
    assert ids(stage(table)) == ["half"]


def test_ids_that_chance_gives_are_not_looked_for() -> None:
    assert distinctive_ids("q7") == distinctive_ids("1234567") == distinctive_ids("en-0012-003") == []
    assert distinctive_ids("de_56BEB4343aeaaa14008c925b") == ["56beb4343aeaaa14008c925b"]
    assert distinctive_ids("nq/5632601434843559111#en") == ["5632601434843559111"]
    assert distinctive_ids("x-123e4567-e89b-12d3-a456-426614174000") == ["123e4567e89b12d3a456426614174000"]


def test_a_group_that_is_named_after_a_question_counts_as_an_id(tmp_path: Path) -> None:
    stage = index_of(tmp_path / "i", [("query", "en", "q1", squad_id(1), "Who governs the town of Kojinifi now?")])
    table = shard(pair("a", "de", OTHER["de"][0], group=squad_id(1)), pair("b", "de", OTHER["de"][0], group="q1"))
    kept = stage(table)
    assert ids(kept) == ["b"]
    assert kept.found[0]["task_id"] == "q1"


TEXTS = [*OTHER["en"][:3], *HELD["en"][:4], *HELD["zh"][:3]]
TASK_ROWS: list[Row] = [
    row
    for number in range(4)
    for tag in ("en", "zh")
    for row in (
        ("query", tag, squad_id(number), squad_id(number), HELD[tag][number][0]),
        ("passage", tag, f"{tag}-{number}", None, HELD[tag][number][1]),
        ("paragraph", tag, "p", None, f"{HELD[tag][number][1]} {HELD[tag][number + 1][1]}"),
    )
]


@settings(max_examples=10)
@given(st.permutations(TASK_ROWS), st.integers(0, len(TASK_ROWS)), st.booleans())
def test_the_order_of_the_texts_does_not_matter(rows: list[Row], cut: int, turned: bool) -> None:
    """Nor in what order tasks come, and whether a text comes twice."""
    chosen = DecontaminationSettings(tasks=["A", "B"])
    outcomes = []
    for order in (TASK_ROWS, rows):
        # what is of task A is decided by the text, not by its place
        tasks = [
            task_texts(name, "t", "1", [row for row in (*order, order[cut - 1]) if (row[1] == "en") is (name == "A")])
            for name in ("A", "B")
        ]
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "index"
            manifest = write_index(chosen, tasks[::-1] if turned else tasks, place)
            files = {path.name: path.read_bytes() for path in sorted(place.iterdir())}
            table = shard(*(pair(str(n), "en", texts) for n, texts in enumerate(TEXTS)))
            kept = Decontaminate(place, chosen)(table)
        outcomes.append((manifest.fingerprint, files, ids(kept), kept.dropped, kept.found))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] == ["0", "1", "2"]


def test_a_stage_can_be_sent_to_another_process(held: Path, tmp_path: Path) -> None:
    chosen = DecontaminationSettings(tasks=[], files=[str(held)])
    build_index(chosen, tmp_path / "index")
    stage = Decontaminate(tmp_path / "index", chosen)
    here, there = stage(planted()), pickle.loads(pickle.dumps(stage))(planted())
    assert (here.table, here.dropped, here.found) == (there.table, there.dropped, there.found)
    assert json.loads(json.dumps(here.found)) == list(here.found)


def test_rows_are_found_however_the_shard_is_cut(held: Path, tmp_path: Path) -> None:
    table = planted()
    whole = run(held, tmp_path / "index", table)
    parts = [run(held, tmp_path / "index", table.slice(start, 3)) for start in range(0, len(table), 3)]
    assert [id_ for part in parts for id_ in ids(part)] == ids(whole)
    assert tuple(hit for part in parts for hit in part.found) == whole.found
    chunked = pyarrow.concat_tables([table.slice(0, 4), table.slice(4)])
    assert run(held, tmp_path / "index", chunked).found == whole.found
    assert len(run(held, tmp_path / "index", table.slice(0, 0)).table) == 0


def test_the_index_is_kept_and_made_for_its_settings_alone(held: Path, tmp_path: Path) -> None:
    chosen = DecontaminationSettings(tasks=[], files=[str(held)])
    first = build_index(chosen, tmp_path / "index")
    written = (tmp_path / "index" / "index.json").stat().st_mtime_ns
    assert build_index(chosen, tmp_path / "index") == first
    assert (tmp_path / "index" / "index.json").stat().st_mtime_ns == written
    other = DecontaminationSettings(tasks=[], files=[str(held)], ngram=8)
    with pytest.raises(HybridError, match="other settings of decontamination; delete it and build again"):
        open_index(tmp_path / "index", other)
    (tmp_path / "index" / "index.json").write_text("{}")
    with pytest.raises(HybridError, match=r"index.json describes no index \(settings: Field required\)"):
        open_index(tmp_path / "index", chosen)


def test_the_index_holds_no_text(held: Path, tmp_path: Path) -> None:
    run(held, tmp_path / "index", planted())
    tables = [f"{name}_{part}.npy" for name in ("exact", "id", "ngram") for part in ("hashes", "texts")]
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == sorted(
        [*tables, "index.json", "texts.parquet"]
    )
    columns = parquet.read_schema(tmp_path / "index" / "texts.parquet").names
    assert columns == ["task", "role", "language", "id"]


def test_the_record_says_what_was_done(held: Path, tmp_path: Path) -> None:
    kept = run(held, tmp_path / "index", planted())
    hits: dict[str, int] = {}
    for hit in kept.found:
        hits[str(hit["kind"])] = hits.get(str(hit["kind"]), 0) + 1
    record = decontamination_record(tmp_path / "index", hits)
    (task,) = record.tasks
    assert (task.name, task.languages, task.queries, task.passages) == ("Held", ("en", "hi", "zh"), 90, 90)
    assert task.revision == collection({tag: HELD[tag] for tag in ("en", "hi", "zh")}).revision
    assert record.hits == {"exact": 4, "id": 1, "ngram": 2}
    assert type(record).model_validate_json(record.model_dump_json()) == record


def test_pairs_are_counted_as_they_were_dropped(held: Path, tmp_path: Path) -> None:
    table = planted()
    kept = run(held, tmp_path / "index", table)
    assert pairs_of(table).total() - pairs_of(kept.table).total() == sum(kept.dropped.values())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"tasks": []}, "no tasks and no files"),
        ({**OFF}, "are all off"),
        ({"ngram": 1}, "greater than or equal to 2"),
        ({"embedding": {"model": "m", "threshold": 0.0}}, "greater than 0"),
    ],
)
def test_settings_that_do_nothing_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        DecontaminationSettings(**options)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    chosen = DecontaminationSettings(tasks=[], files=[str(tmp_path)])
    with pytest.raises(HybridError, match=r"decontamination.files: .* holds no .jsonl or .parquet file"):
        build_index(chosen, tmp_path / "index")


# ---- by an encoder


@pytest.mark.slow
def test_an_encoder_finds_a_paraphrase_and_what_it_has_not_read_it_does_not(held: Path, tmp_path: Path) -> None:
    embedding = EmbeddingSettings(model="mteb-hybrid/tiny", threshold=0.95)
    kept = run(held, tmp_path / "index", planted(), **OFF, embedding=embedding)
    assert set(kinds(kept)) == {"verbatim", "recased", "paraphrase", "question", "hindi"}
    (hit,) = [hit for hit in kept.found if hit["id"] == "paraphrase"]
    assert hit["task_id"] == f"en-{squad_id(5)}"
    assert 0.95 <= float(hit["score"]) <= 1
    together = run(held, tmp_path / "all", planted(), embedding=embedding)
    assert kinds(together)["verbatim"] == {"exact"}  # what is found already is not encoded
    assert kinds(together)["paraphrase"] == {"embedding"}
    english = EmbeddingSettings(model="mteb-hybrid/tiny", threshold=0.95, languages=["en"])
    assert "hindi" not in kinds(run(held, tmp_path / "english", planted(), **OFF, embedding=english))
    record = decontamination_record(tmp_path / "index", {"embedding": 5})
    assert (record.model, record.settings.embedding) == ("mteb-hybrid/tiny", embedding)
