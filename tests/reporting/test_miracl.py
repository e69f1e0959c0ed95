"""MIRACL's tables, from result files that mteb's own classes write."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import mteb
import pytest
from mteb.results import TaskResult

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting import report
from mteb_hybrid.reporting.miracl import miracl_tables, published_miracl
from mteb_hybrid.reporting.results import ModelResults, read_results
from mteb_hybrid.reporting.tables import Row, Table

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "published_figures.json"
PAPER = ["ar", "bn", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "zh"]
WHOLE, HARD = "MIRACLRetrieval", "MIRACLRetrievalHardNegatives"
NDCG, RECALL = "MIRACL: nDCG@10 by language", "MIRACL: Recall@100 by language"


def write(folder: Path, model: str, figures: Mapping[str, float], task: str = WHOLE) -> None:
    """Write what mteb writes of a run whose recall is twice its nDCG."""
    scores = {
        language: {"ndcg_at_10": value, "recall_at_100": 2 * value, "main_score": value}
        for language, value in figures.items()
    }
    place = folder / "results" / model.replace("/", "__") / "rev1"
    place.mkdir(parents=True, exist_ok=True)
    result = TaskResult.from_task_results(mteb.get_task(task), {"dev": scores}, evaluation_time=1.0)
    result.to_disk(place / f"{task}.json")


def tables(folder: Path, against_published: bool = False) -> dict[str, Table]:
    return {table.title: table for table in miracl_tables(read_results(folder), against_published)}


def figures(table: Table, label: str) -> dict[str, float | None]:
    row = row_of(table, label)
    return {column.name: cell.value for column, cell in zip(table.columns, row.cells, strict=True)}


def row_of(table: Table, label: str) -> Row:
    return next(row for row in table.rows if row.label == label)


def notes(table: Table, label: str, columns: Sequence[str]) -> set[str]:
    row = row_of(table, label)
    return {cell.note for column, cell in zip(table.columns, row.cells, strict=True) if column.name in columns}


def test_a_whole_run_is_a_row_of_each_metric(tmp_path: Path) -> None:
    write(tmp_path, "org/one", {language: 0.1 + 0.01 * number for number, language in enumerate(PAPER)})
    found = tables(tmp_path)
    assert list(found) == [NDCG, RECALL]
    assert [column.name for column in found[NDCG].columns] == [*PAPER, "mean of 15"]
    assert figures(found[NDCG], "org/one")["bn"] == 0.11
    assert figures(found[NDCG], "org/one")["mean of 15"] == pytest.approx(0.17)  # 0.1 + 0.01 · 7
    assert figures(found[RECALL], "org/one")["mean of 15"] == pytest.approx(0.34)
    assert {column.measure.better for column in found[NDCG].columns} == {"higher"}


def test_languages_that_the_paper_lacks_have_a_mean_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "org/one", dict.fromkeys(PAPER, 0.25) | dict.fromkeys(["de", "en", "yo"], 0.55))
    table = tables(tmp_path, against_published=True)[NDCG]
    assert [column.name for column in table.columns] == [
        *sorted([*PAPER, "de", "en", "yo"]),
        "mean of 15",
        "mean of 18",
    ]
    own, paper = figures(table, "org/one"), figures(table, "LaBSE, hybrid (published)")
    assert own["mean of 15"] == pytest.approx(0.25)
    assert own["mean of 18"] == pytest.approx(0.3)
    assert paper["yo"] is None
    assert paper["mean of 18"] is None
    assert paper["mean of 15"] is not None
    assert "*" not in "".join(table.notes)


def test_a_run_of_some_languages_says_so(tmp_path: Path) -> None:
    write(tmp_path, "org/one", {"ar": 0.2, "sw": 0.4})
    table = tables(tmp_path)[NDCG]
    assert figures(table, "org/one")["mean of 15"] == pytest.approx(0.3)
    assert "* org/one: mean of 15 2 of 15 languages." in table.notes


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no reference figures here")
def test_published_figures_are_those_of_the_reference() -> None:
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))["miracl_dev"]
    strategies = {"mono": "X-X-mono", "cross": "X-Y", "hybrid": "hybrid"}
    expected = {
        (f"{model}, {strategies[key.partition('.')[2]]} (published)", key.partition(".")[0]): dict(by_language)
        for model, by_key in reference.items()
        for key, by_language in by_key.items()
    }
    found = {(row.label, metric): dict(values) for row in published_miracl() for metric, values in row.figures.items()}
    assert len(found) == 12
    assert found == expected


def test_published_rows_follow_in_the_table_of_the_whole_corpus(tmp_path: Path) -> None:
    write(tmp_path, "org/one", dict.fromkeys(PAPER, 0.25))
    plain, beside = tables(tmp_path)[RECALL], tables(tmp_path, against_published=True)[RECALL]
    assert [row.label for row in plain.rows] == ["org/one"]
    assert [row.label for row in beside.rows] == ["org/one", *(row.label for row in published_miracl())]
    values = [0.8733, 0.9048, 0.6821, 0.8189, 0.8303, 0.7448, 0.7959, 0.6656]  # Table 13, LaBSE with hybrid batches
    values += [0.7884, 0.7903, 0.7132, 0.8265, 0.8458, 0.8585, 0.7925]
    found = figures(beside, "LaBSE, hybrid (published)")
    assert [found[language] for language in PAPER] == values
    assert found["mean of 15"] == pytest.approx(sum(values) / 15)
    assert notes(beside, "LaBSE, hybrid (published)", [*PAPER, "mean of 15"]) == {""}
    assert any(note.startswith("Published figures: Elmahdy") for note in beside.notes)
    assert not any(note.startswith("Published figures") for note in plain.notes)


def test_hard_negatives_do_not_compare_with_published_figures(tmp_path: Path) -> None:
    write(tmp_path, "org/whole", dict.fromkeys(PAPER, 0.25))
    write(tmp_path, "org/hard", dict.fromkeys(PAPER, 0.5), HARD)
    write(tmp_path, "org/hard", dict.fromkeys(PAPER, 0.5), f"{HARD}.v2")
    found = tables(tmp_path, against_published=True)
    kinds = ["MIRACL", "MIRACL with hard negatives", "MIRACL with hard negatives, v2"]
    assert list(found) == [f"{kind}: {metric} by language" for kind in kinds for metric in ("nDCG@10", "Recall@100")]
    for title, table in found.items():
        hard = "hard" in title
        assert table.rows[0].label == ("org/hard" if hard else "org/whole")
        assert any("do not compare" in note for note in table.notes) == hard
        for row in published_miracl():
            assert notes(table, row.label, [*PAPER, "mean of 15"]) == {"of the whole corpus" if hard else ""}
    assert not any("do not compare" in note for table in tables(tmp_path).values() for note in table.notes)


def test_what_is_known_of_training_data_and_of_revisions() -> None:
    def run(name: str, data: frozenset[str] | None, revision: str) -> ModelResults:
        return ModelResults(name, "1", {WHOLE: {"ar": {"ndcg_at_10": 0.5}}}, {WHOLE: revision}, data)

    trained = run("org/trained", frozenset({"MIRACLRetrievalHardNegatives"}), "abc")
    fresh, silent = run("org/fresh", frozenset({"MLQAR"}), "abc"), run("org/silent", None, "def")
    lines = miracl_tables([trained, fresh, silent])[0].notes
    assert "Not zero-shot, as declared training data holds the texts: org/trained." in lines
    assert "Zero-shot by declared training data: org/fresh." in lines
    assert "Training data not declared, so zero-shot is not known: org/silent." in lines
    assert f"{WHOLE} was run on different revisions of its data, which do not compare: abc, def." in lines
    assert not any("revisions" in line for line in miracl_tables([trained, fresh])[0].notes)


def test_another_split_and_other_tasks_of_mteb_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "org/one", {"ar": 0.2})
    file = tmp_path / "results" / "org__one" / "rev1" / f"{WHOLE}.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | {"scores": {"test": content["scores"]["dev"]}}), encoding="utf-8")
    with pytest.raises(HybridError, match="no results"):
        read_results(tmp_path)


# ---- in the report


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_the_report_of_a_folder_with_miracl_alone(tmp_path: Path) -> None:
    write(tmp_path, "org/one", dict.fromkeys(PAPER, 0.25))
    text = report(tmp_path, against_published=True)
    assert text.startswith(NDCG)
    assert "LaBSE, hybrid (published)" in text
    assert {row["table"] for row in csv_rows(report(tmp_path, benchmarks=["MIRACL"], format="csv"))} == {NDCG, RECALL}
    assert "±" not in report(tmp_path, confidence=True)


def test_the_report_adds_miracl_to_our_own_tables_and_can_leave_it_out(tmp_path: Path) -> None:
    write(tmp_path, "org/one", dict.fromkeys(PAPER, 0.25))
    write(tmp_path, "org/two", dict.fromkeys(PAPER, 0.5))
    entry = {"hf_subset": "de-de", "main_score": 0.5, "map": 0.5}
    content = {"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": {"test": [entry]}}
    (tmp_path / "results" / "org__one" / "rev1" / "ToyMonolingual.json").write_text(json.dumps(content))
    titles = list(dict.fromkeys(row["table"] for row in csv_rows(report(tmp_path, format="csv"))))
    assert titles[1:] == [NDCG, RECALL]
    assert "MIRACL" not in report(tmp_path, benchmarks=["Toy"])
    assert "0.500 (+0.250)" in report(tmp_path, baseline="org/one", benchmarks=["MIRACL"])
    write(tmp_path, "org/three", {}, HARD)
    with pytest.raises(HybridError, match="no results of model 'three'"):
        report(tmp_path, ["three"])
