"""Hostile results: files of mteb, descriptions of models, scores of single queries, rows of remedies."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mteb_hybrid.comparing import compare
from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.html_report.queries import read_queries
from mteb_hybrid.reporting import report
from mteb_hybrid.reporting.benchmarks import find_benchmarks
from mteb_hybrid.reporting.recommend import recommend
from mteb_hybrid.reporting.remedies import read_rows
from mteb_hybrid.reporting.results import read_results
from tests.comparing.folders import write
from tests.hostile.held import Cases, check_output
from tests.hostile.strategies import TEXTS, as_json, fuzzed, json_files, json_lines, spoiled, spoiled_table
from tests.html_report.made import rows as made_rows
from tests.html_report.made import write_results

MODELS = ("local/base", "local/better")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two models."""
    folder = tmp_path_factory.mktemp("whole")
    for number, model in enumerate(MODELS):
        for task, subsets in {
            "ToyMonolingual": ("de-de", "en-en"),
            "ToyMultilingual": ("de-all", "en-all"),
            "ToyLanguageBias": ("de-all", "en-all"),
        }.items():
            write(folder, model, task, {each: [0.5, 0.25 + 0.5 * number, 1.0] for each in subsets})
    return folder


def one_of(data: st.DataObject, folder: Path, pattern: str) -> Path:
    return data.draw(st.sampled_from(sorted(folder.rglob(pattern))))


def look_at(cases: Cases, folder: Path) -> None:
    """Print every table of a folder of results."""
    for form in ("terminal", "markdown", "csv", "latex"):
        text = cases.hold(
            f"table of results, {form}",
            partial(report, folder, against_published=True, by_language=True, format=form, confidence=True),
        )
        check_output(text or "")


@given(data=st.data())
@fuzzed(20)
def test_result_file(cases: Cases, whole: Path, data: st.DataObject) -> None:
    path = one_of(data, whole, "Toy*.json")
    before = path.read_bytes()
    values = json.loads(before)
    values["scores"]["test"][0]["language_share_at_10"] = {"de": 0.5, "en": 0.5}
    try:
        path.write_bytes(data.draw(json_files(values)))
        look_at(cases, whole)
        check_output(cases.hold("comparison", lambda: compare(whole, ["base"], ["better"])) or "")
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_every_place(cases: Cases, whole: Path, text: str) -> None:
    (path,) = whole.rglob("local__base/rev1/ToyMultilingual.json")
    before = path.read_bytes()
    meta = path.with_name("model_meta.json")
    try:
        values = json.loads(before)
        values["scores"]["test"][0]["hf_subset"] = f"{text}-all"
        path.write_bytes(as_json({**values, "dataset_revision": text}))
        meta.write_bytes(as_json({"name": text, "training_datasets": [text], "revision": text}))
        look_at(cases, whole)
    finally:
        path.write_bytes(before)
        meta.unlink()


@given(data=st.data())
@fuzzed(20)
def test_description_of_a_model(cases: Cases, whole: Path, data: st.DataObject) -> None:
    meta = one_of(data, whole, "ToyMonolingual.json").with_name("model_meta.json")
    valid = {"name": "ORG/base", "revision": "rev1", "training_datasets": ["Toy"], "languages": ["deu-Latn"]}
    try:
        meta.write_bytes(data.draw(json_files(valid)))
        text = cases.hold("description of a model", lambda: report(whole, against_published=True))
        check_output(text or "")
    finally:
        meta.unlink()


@given(data=st.data())
@fuzzed(20)
def test_scores_of_single_queries(cases: Cases, whole: Path, data: st.DataObject) -> None:
    path = one_of(data, whole, "*.queries.parquet")
    before = path.read_bytes()
    try:
        path.write_bytes(data.draw(spoiled_table(parquet.read_table(io.BytesIO(before)))))
        cases.hold("comparison of queries", lambda: compare(whole, ["base"], ["better"]))
        text = cases.hold("confidence", lambda: report(whole, baseline="base", confidence=True))
        check_output(text or "")
        runs = read_results(whole)
        for run in runs:
            for benchmark in find_benchmarks(runs).values():
                cases.hold("queries of a report", partial(read_queries, run, benchmark))
        scores = QueryScores()
        scores.add("ToyMonolingual", "de-de", ["q"], ["g"], {"map": [1.0]})  # type: ignore[dict-item]
        result = path.with_name(path.name.replace(".queries.parquet", ".json"))
        cases.hold("scores kept anew", lambda: scores.save("ToyMonolingual", result, "abc"))
    finally:
        path.write_bytes(before)


ROWS: list[dict[str, Any]] = [
    {"task": "Toy", "model": "base", "strategy": "untrained", "monolingual": 0.8, "multilingual": 0.3},
    {
        "task": "Toy",
        "model": "hybrid",
        "strategy": "hybrid",
        "alpha": 0.5,
        "seed": 1,
        "steps": 10,
        "seconds": 3.5,
        "pairs": 100,
        "monolingual": 0.8,
        "cross_lingual": 0.5,
        "multilingual": 0.5,
        "rank_distance": 10.0,
        "seen": {"monolingual": 0.7, "multilingual": 0.4},
        "unseen": {"monolingual": 0.7, "multilingual": 0.4},
        "seen_languages": ["de"],
    },
]


@given(data=st.data())
@fuzzed(50)
def test_rows_of_remedies(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "rows.json"
    path.write_bytes(data.draw(json_files(ROWS) | json_lines(ROWS)))
    rows = cases.hold("rows of remedies", lambda: read_rows(path))
    if rows is not None:
        for form in ("terminal", "markdown", "csv", "latex"):
            text = cases.hold("recommendation", partial(recommend, rows, None, margin=0.01, format=form))
            check_output(text or "")


@given(data=st.data())
@fuzzed(10)
def test_what_a_report_is_made_of(cases: Cases, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """All of a report but its pictures, whose data are made all the same."""
    from mteb_hybrid.html_report.build import build

    folder = write_results(tmp_path_factory.mktemp("report"))
    path = one_of(data, folder, "*Toy*")
    if path.suffix == ".json":
        path.write_bytes(as_json(data.draw(spoiled(json.loads(path.read_bytes())))))
    else:
        path.write_bytes(data.draw(spoiled_table(parquet.read_table(path))))
    rows = [row.model_dump(mode="json") for row in made_rows((1000,))]
    (folder / "rows.json").write_bytes(as_json(data.draw(spoiled(rows))))
    cases.hold("results for a report", lambda: build(folder))
