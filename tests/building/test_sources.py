"""Declared sources, read from small files of the upstream forms through the streams of ``datasets``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from mteb_hybrid.building.shards import schema_of
from mteb_hybrid.building.sources import SourceSettings, declarations, describe, read
from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError
from mteb_hybrid.licences import HUB_LICENSES
from tests.building import source_files

RELATIONS = tuple(declarations()["EntityQuestions"].layout.relations)  # type: ignore[attr-defined]
MKQA_LANGUAGES = declarations()["MKQA"].layout.languages  # type: ignore[attr-defined]
MARCO_LANGUAGES = declarations()["mMARCO"].layout.languages  # type: ignore[attr-defined]

MAKERS = {
    "mMARCO": lambda folder: source_files.mmarco(folder, MARCO_LANGUAGES),
    "NaturalQuestions": source_files.natural_questions,
    "EntityQuestions": lambda folder: source_files.entity_questions(folder, RELATIONS),
    "DuoRC": source_files.duorc,
    "NewsQA": source_files.newsqa,
    "WikiQA": source_files.wikiqa,
    "YahooAnswers": source_files.yahoo_answers,
    "MFAQ": source_files.mfaq,
    "MrTyDi": source_files.mr_tydi,
    "MKQA": lambda folder: source_files.mkqa(folder, MKQA_LANGUAGES),
    "Mintaka": source_files.mintaka,
    "SQuADShifts": source_files.squad_shifts,
}


def take(name: str, tmp_path: Path, **settings: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Make the files of a source, read it, and return its rows and what was skipped."""
    MAKERS[name](tmp_path)
    return take_made(name, tmp_path, **settings)


def take_made(name: str, tmp_path: Path, **settings: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    reading = read(SourceSettings(source=name, files=str(tmp_path), **settings), folder=tmp_path)
    tables = list(reading)
    assert all(table.schema == schema_of(reading.languages) for table in tables)
    return pyarrow.concat_tables(tables).to_pylist() if tables else [], dict(reading.skipped)


# ---- the declarations


def test_declarations_are_complete_and_sound():
    assert list(declarations()) == list(MAKERS)
    for name, declared in declarations().items():
        assert declared.name == name
        assert declared.revision is None or (len(declared.revision) == 40 and int(declared.revision, 16))
        assert declared.revision is not None or "revision" in declared.note
        assert declared.license in HUB_LICENSES
        assert len({language_and_script(tag) for tag in declared.languages}) >= len(declared.languages) - 1  # zh-HK, TW
        assert declared.note.endswith(".")


@pytest.mark.slow
def test_declared_tasks_are_mteb_tasks():
    import mteb

    known = {task.metadata.name for task in mteb.get_tasks(exclude_superseded=False)}
    declared = {task for declaration in declarations().values() for task in declaration.mteb_tasks}
    assert declared - known == set()


@pytest.mark.parametrize("name", MAKERS)
def test_every_source_reads_whole_and_the_same_twice(name, tmp_path):
    languages = list(declarations()[name].languages[:4])  # a stream for each of the others takes time
    rows, skipped = take(name, tmp_path, languages=languages)
    assert rows
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["group"] for row in rows)
    for row in rows:
        for language in languages:
            assert (row[f"query_{language}"] is None) == (row[f"passage_{language}"] is None)
    assert take_made(name, tmp_path, languages=languages) == (rows, skipped)


def test_all_languages_of_mkqa(tmp_path):
    rows, _ = take("MKQA", tmp_path)
    assert rows[0]["passage_vi"] == "A vi; B vi"
    assert len(rows[0]) == 2 + 2 * 26


# ---- tables


def test_rows_without_a_text_are_counted_and_equal_passages_share_a_group(tmp_path):
    rows, skipped = take("NaturalQuestions", tmp_path)
    assert [(row["id"], row["query_en"], row["passage_en"]) for row in rows] == [
        ("0", "who built it", "Ada Roth did."),
        ("2", "when was it built", "Ada Roth did."),
        ("4", "who owns it", "The town."),
    ]
    assert rows[0]["group"] == rows[1]["group"] != rows[2]["group"]
    assert skipped == {"empty query": 1, "empty passage": 1}


def test_duorc_leaves_out_what_has_no_answer_and_keeps_the_ids_of_two_folders_apart(tmp_path):
    rows, skipped = take("DuoRC", tmp_path)
    assert [row["id"] for row in rows] == ["SelfRC-q1", "SelfRC-q3", "ParaphraseRC-q1", "ParaphraseRC-q3"]
    assert rows[2]["passage_en"] == "A ParaphraseRC bridge."
    assert skipped == {"no answer": 2}


def test_the_second_row_of_an_id_is_numbered(tmp_path):
    rows, _ = take("NewsQA", tmp_path)
    assert [row["id"] for row in rows] == ["k1", "k1#2"]
    assert rows[0]["group"] == rows[1]["group"]


def test_wikiqa_takes_right_sentences_alone(tmp_path):
    rows, skipped = take("WikiQA", tmp_path)
    assert [(row["id"], row["passage_en"]) for row in rows] == [("Q1", "With stone."), ("Q1#2", "With wood.")]
    assert skipped == {"no answer": 1}


def test_several_files_are_read_by_name(tmp_path):
    rows, _ = take("YahooAnswers", tmp_path)
    assert [(row["id"], row["query_en"]) for row in rows] == [("0", "Why is it red?"), ("1", "Is it old?")]


# ---- JSON


def test_pages_of_pairs(tmp_path):
    rows, skipped = take("MFAQ", tmp_path)
    assert [(row["query_en"], row["passage_en"]) for row in rows] == [("Do you ship to Ürümqi?", "We do.\u2028Ask us.")]
    assert skipped == {"empty passage": 1}


def test_relevant_passages_by_id(tmp_path):
    rows, skipped = take("MrTyDi", tmp_path)
    assert [(row["id"], row["group"], row["passage_en"]) for row in rows] == [
        ("1-7#0", "7#0", "Passage 0."),
        ("1-7#1", "7#1", "Passage 1."),
    ]
    assert skipped == {"no answer": 1}


def test_answers_stand_for_a_passage(tmp_path):
    rows, _ = take("EntityQuestions", tmp_path, rows=3)
    assert [(row["id"], row["query_en"], row["passage_en"]) for row in rows] == [
        ("P106-0", "Who is P106?", "Ada"),
        ("P106-1", "What is P106?", "a bridge; a span"),
        ("P112-0", "Who is P112?", "Ada"),
    ]
    assert rows[0]["group"] == rows[2]["group"] != rows[1]["group"]


def test_questions_of_a_paragraph_share_a_group(tmp_path):
    rows, _ = take("SQuADShifts", tmp_path)
    assert [row["id"] for row in rows[:3]] == ["new_wiki-0", "new_wiki-1", "nyt-0"]
    assert rows[0]["group"] == rows[1]["group"] != rows[2]["group"]
    assert rows[2]["passage_en"] == "A paragraph of nyt."


def test_parallel_questions_with_their_answers(tmp_path):
    rows, skipped = take("MKQA", tmp_path, languages=["ar", "zh", "zh-HK"])
    assert [row["id"] for row in rows] == ["563260143484355911", "3"]
    assert (rows[0]["query_ar"], rows[0]["passage_ar"]) == (source_files.ARABIC, "A ar; B ar")
    assert rows[0]["passage_zh"] == "A zh_cn; B zh_cn"
    assert rows[0]["query_zh-HK"] == "question 563260143484355911 in zh_hk"
    assert (rows[1]["query_ar"], rows[1]["passage_ar"], rows[1]["passage_zh"]) == (None, None, "7.0")
    assert skipped == {"no answer": 1, "empty passage": 1}


def test_translated_questions_with_labels(tmp_path):
    rows, skipped = take("Mintaka", tmp_path, languages=["en", "hi"])
    found = {row["id"]: (row["passage_en"], row["passage_hi"]) for row in rows}
    assert found == {
        "a1": ("Lucania", "Lucania (hi)"),
        "a2": ("6", "6"),
        "a3": ("Yes", None),
        "a4": ("2008-11-04", "2008-11-04"),
        "a5": ("nobody knows", None),
        "a6": ("X; Y", None),
    }
    assert rows[0]["query_hi"] == source_files.HINDI
    assert rows[2]["query_hi"] is None
    assert skipped == {"empty passage": 3}


def test_labels_of_the_first_version_are_english(tmp_path):
    source_files.mintaka(tmp_path)
    path = tmp_path / "data/mintaka_train.json"
    row = json.loads(path.read_text())[0]
    row["answer"]["answer"][0]["label"] = "Mount Lucania"
    path.write_text(json.dumps([row]))
    rows, _ = take_made("Mintaka", tmp_path, languages=["en", "hi"])
    assert (rows[0]["passage_en"], rows[0]["passage_hi"]) == ("Mount Lucania", None)


def test_half_a_surrogate_pair_is_no_text(tmp_path):
    pair = {"question": "Why \ud83d?", "answer": "So.", "language": "en"}
    path = tmp_path / "data/en/train.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"qa_pairs": [pair, {**pair, "question": "Why?"}]}))
    rows, skipped = take_made("MFAQ", tmp_path)
    assert [row["query_en"] for row in rows] == ["Why?"]
    assert skipped == {"query is not Unicode": 1}


# ---- mMARCO


def test_mmarco_joins_each_pair_once_in_the_order_of_the_triples(tmp_path):
    rows, skipped = take("mMARCO", tmp_path, languages=["en", "zh", "ru"])
    assert [(row["id"], row["group"]) for row in rows] == [("20-7", "7"), ("10-8", "8"), ("20-9", "9")]
    assert rows[0]["query_en"] == 'a "quoted query'
    assert rows[0]["passage_en"] == "7 in en,\rwith a return"
    assert rows[0]["query_zh"] == source_files.CHINESE
    assert (rows[1]["query_en"], rows[1]["passage_en"]) == ("null in en", "'8' in en")
    assert (rows[1]["query_zh"], rows[1]["query_ru"]) == (None, None)
    assert rows[2]["passage_ru"] == "NA"
    assert skipped == {"empty passage": 1, "empty query": 1}


def test_mmarco_with_a_limit_takes_the_first_pairs(tmp_path):
    rows, _ = take("mMARCO", tmp_path, languages=["de"], rows=2)
    assert [row["id"] for row in rows] == ["20-7", "10-8"]
    assert not list(tmp_path.glob("mmarco-*"))


def test_mmarco_lines_of_another_form(tmp_path):
    source_files.mmarco(tmp_path, MARCO_LANGUAGES)
    (tmp_path / "data/triples.train.ids.small.tsv").write_text("20\tseven\t1\n")
    with pytest.raises(
        HybridError, match=r"mMARCO: data/triples.train.ids.small.tsv is not lines of query TAB passage"
    ):
        take_made("mMARCO", tmp_path, languages=["en"])


# ---- what has changed upstream


def test_a_missing_column_is_named(tmp_path):
    source_files.write_parquet(tmp_path / "pair/train-0.parquet", {"question": ["q"], "answer": ["a"]})
    with pytest.raises(
        HybridError, match=r"NaturalQuestions: .* no column 'query' \(found: question, answer\); .*f9e894"
    ):
        take_made("NaturalQuestions", tmp_path)


def test_a_column_of_another_type_is_named(tmp_path):
    source_files.write_parquet(tmp_path / "pair/train-0.parquet", {"query": ["q"], "answer": [["a"]]})
    with pytest.raises(HybridError, match=r"NaturalQuestions: .*column 'answer' holds list<.*, not text; .*`revision`"):
        take_made("NaturalQuestions", tmp_path)


def test_text_that_is_no_utf8_is_told(tmp_path):
    damaged = pyarrow.array([b"\x80"]).cast(pyarrow.string(), safe=False)
    assert damaged.type == pyarrow.string()
    source_files.write_parquet(tmp_path / "pair/train-0.parquet", {"query": damaged, "answer": ["a"]})
    with pytest.raises(HybridError, match=r"NaturalQuestions cannot be read: .*UTF8.*; fetch it again"):
        take_made("NaturalQuestions", tmp_path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda row: row.pop("queries"), r"line 1 has no column 'queries' \(found: query, example_id, answers\)"),
        (lambda row: row["queries"].pop("ar"), r"has no column 'queries.ar'"),
        (lambda row: row.update(queries="x"), r"queries is a text, not an object"),
        (lambda row: row["answers"].update(ar={}), r"column 'answers.ar' holds an object, not a list"),
        (lambda row: row["queries"].update(ar=[]), r"column 'queries.ar' holds a list, not a text"),
        (lambda row: row.update(example_id=None), r"column 'example_id' holds null, not a text or a number"),
    ],
)
def test_a_field_that_has_changed_is_named(tmp_path, change, fault):
    row = {"query": "q", "example_id": 1, "queries": {}, "answers": {}}
    for name in MKQA_LANGUAGES.values():
        row["queries"][name], row["answers"][name] = "q", [{"text": "a"}]  # type: ignore[index]
    change(row)
    source_files.write_lines(tmp_path / "dataset/mkqa.jsonl.gz", [row])
    with pytest.raises(HybridError, match=fault) as caught:
        take_made("MKQA", tmp_path)
    assert str(caught.value).startswith("MKQA: dataset/mkqa.jsonl.gz, line 1")
    assert "set `revision`" in str(caught.value)


def test_broken_json_is_named(tmp_path):
    source_files.write_text(tmp_path / "data/en/train.jsonl", '{"qa_pairs": []}\n{"qa\n')
    with pytest.raises(HybridError, match=r"MFAQ: data/en/train.jsonl, line 2 is not JSON"):
        take_made("MFAQ", tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HybridError, match=r"^WikiQA has no file data/train-\*.*`files`") as caught:
        take_made("WikiQA", tmp_path)
    assert "\n" not in str(caught.value)


# ---- not more than asked for


def test_rows_stop_the_stream(tmp_path):
    count = 20_000
    source_files.write_parquet(
        tmp_path / "pair/train-0.parquet",
        {"query": [f"q{n}" for n in range(count)], "answer": [f"a{n}" for n in range(count)]},
        row_group_size=1_000,
    )
    broken = tmp_path / "pair/train-1.parquet"
    broken.write_bytes((tmp_path / "pair/train-0.parquet").read_bytes())
    with broken.open("r+b") as file:  # the footer stands, the data do not: reading on would fail
        file.seek(4)
        file.write(b"\0" * 5_000)
    rows, _ = take_made("NaturalQuestions", tmp_path, rows=7)
    assert [row["query_en"] for row in rows] == [f"q{n}" for n in range(7)]
    with pytest.raises(HybridError, match=r"^NaturalQuestions cannot be read"):
        take_made("NaturalQuestions", tmp_path)


def test_rows_count_what_is_kept(tmp_path):
    rows, skipped = take("NaturalQuestions", tmp_path, rows=2)
    assert [row["id"] for row in rows] == ["0", "2"]
    assert skipped == {"empty query": 1}


# ---- settings


def test_describe_says_what_is_declared_and_what_the_settings_change():
    facts = describe(SourceSettings(source="WikiQA"))
    assert (facts.name, facts.license, facts.languages) == ("WikiQA", "other", ("en",))
    assert facts.revision == declarations()["WikiQA"].revision
    assert facts.url == "https://huggingface.co/datasets/microsoft/wiki_qa"
    settings = SourceSettings(
        source="MKQA", name="mine", revision="main", languages=["de", "ar"], mteb_tasks=["X"], license="cc-by-3.0"
    )
    facts = describe(settings)
    assert (facts.name, facts.revision, facts.languages, facts.license) == ("mine", "main", ("de", "ar"), "cc-by-3.0")
    assert facts.mteb_tasks[0] == "MKQARetrieval"
    assert facts.mteb_tasks[-1] == "X"
    assert facts.url == "https://github.com/apple/ml-mkqa"


def test_files_of_a_folder_are_of_no_known_revision(tmp_path):
    assert describe(SourceSettings(source="WikiQA", files=str(tmp_path))).revision is None


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"source": "MKQR"}, "unknown source 'MKQR': did you mean MKQA"),
        ({"source": "mmarco"}, "did you mean mMARCO"),
        ({"source": "xquad-r"}, "did you mean XQuAD-R"),
        ({"source": "zzz"}, "it is none of mMARCO, NaturalQuestions"),
        ({"source": "WikiQA", "languages": ["de"]}, "language 'de' of WikiQA is not in it; it has en"),
        ({"source": "MKQA", "languages": ["de", "de"]}, "asked for twice"),
        ({"source": "MKQA", "languages": []}, "no language of MKQA asked for"),
        ({"source": "MKQA", "files": "/nowhere/at/all"}, "there is no folder /nowhere/at/all"),
        ({"source": "no.jsonl"}, "there is no file no.jsonl"),
        ({"source": "XQuAD-R", "revision": "main"}, "XQuAD-R has no revision 'main'"),
        ({"source": "XQuAD-R", "files": "."}, "`files` is for declared sources"),
    ],
)
def test_a_setting_that_does_not_suit_is_told(settings, fault):
    with pytest.raises(HybridError, match=fault):
        describe(SourceSettings(**settings))


def test_nothing_is_fetched_in_offline_mode(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("WikiQA", "MKQA", "mMARCO"):
        with pytest.raises(HybridError, match=f"^{name} cannot be fetched, for HF_HUB_OFFLINE is set.*`files`"):
            list(read(SourceSettings(source=name), folder=tmp_path))


def test_files_on_github_are_fetched_at_their_commit_and_only_as_many_as_needed(tmp_path, monkeypatch):
    source_files.entity_questions(tmp_path, RELATIONS)
    asked = []

    def download(url: str, *, sha256: None, folder: str, instead: str) -> Path:
        asked.append((url, folder))
        return tmp_path / "dataset/train" / url.rpartition("/")[2]

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("mteb_hybrid.data.download.download", download)
    tables = list(read(SourceSettings(source="EntityQuestions", rows=3), folder=tmp_path))
    revision = declarations()["EntityQuestions"].revision
    root = f"https://raw.githubusercontent.com/princeton-nlp/EntityQuestions/{revision}/dataset/train"
    assert sum(map(len, tables)) == 3
    assert asked == [(f"{root}/{name}.train.json", f"sources/EntityQuestions/{revision}") for name in ("P106", "P112")]


def test_files_of_no_known_revision_are_fetched_anew(tmp_path, monkeypatch):
    source_files.squad_shifts(tmp_path)
    asked = []

    def download(url: str, *, sha256: None, folder: str, instead: str) -> Path:
        asked.append((url, folder))
        return tmp_path / "datasets" / url.rpartition("/")[2]

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("mteb_hybrid.data.download.download", download)
    list(read(SourceSettings(source="SQuADShifts", rows=1), folder=tmp_path))
    address = "https://raw.githubusercontent.com/modestyachts/squadshifts-website/master/datasets/new_wiki_v1.0.json"
    assert asked == [(address, str(tmp_path / "SQuADShifts"))]


def test_the_folder_may_have_any_name(tmp_path):
    rows, _ = take("NaturalQuestions", tmp_path / "a[1] *b")
    assert len(rows) == 3
