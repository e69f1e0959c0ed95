"""Which questions are held, in an order that the page finds again, and their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mteb_hybrid.html_report.explorer import Explorer, explore
from mteb_hybrid.html_report.queries import Queries, read_queries
from mteb_hybrid.reporting.benchmarks import find_benchmarks
from mteb_hybrid.reporting.results import read_results
from tests.html_report.made import LANGUAGES, collection, write_results

NOT_AT_HAND = "no texts"


def queries(precision: list[float], distance: list[float], **ranks: list[float]) -> Queries:
    count = len(precision)
    ids = [f"q{number}" for number in range(count)]
    return Queries(
        languages=["de"] * count,
        ids=ids,
        groups=[f"g{number}" for number in range(count)],
        precision=np.array(precision),
        distance=np.array(distance),
        ranks={tag: np.array(values) for tag, values in ranks.items()},
    )


def held(found: Explorer | None) -> list[str]:
    assert found is not None
    return [question.id for question in found.questions]


def test_the_first_of_every_order_are_held() -> None:
    one = queries([0.9, 0.1, 0.5, 0.5, 0.5], [5, 5, 9, 1, 5])
    found = explore({"a": one}, ["de"], NOT_AT_HAND, room=1)
    # lowest and highest precision, farthest and nearest; q4 is first in nothing
    assert held(found) == ["q0", "q1", "q2", "q3"]
    assert found is not None and found.depth == 1 and found.asked == 5


def test_where_models_differ_most_is_held() -> None:
    same = [0.5, 0.9, 0.1, 0.5]
    one, other = queries(same, [5, 9, 1, 5]), queries([0.6, 0.9, 0.1, 0.2], [5, 9, 1, 5])
    found = explore({"a": one, "b": other}, ["de"], NOT_AT_HAND, room=1)
    # q0 gains, q3 loses; the others are first and last for both
    assert held(found) == ["q0", "q1", "q2", "q3"]
    assert held(explore({"a": one}, ["de"], NOT_AT_HAND, room=1)) == ["q1", "q2"]


def test_the_bound_is_kept_and_each_order_is_as_deep() -> None:
    values = np.random.default_rng(0).random((4, 500))
    models = {name: queries(list(values[row]), list(values[row + 1] * 100)) for name, row in (("a", 0), ("b", 2))}
    found = explore(models, ["de"], NOT_AT_HAND, room=60)
    assert found is not None
    assert 40 < len(found.questions) <= 60
    for place, (name, each) in enumerate(models.items()):
        scores = [question.scores[place] for question in found.questions]
        shown = sorted(score.precision for score in scores if score)[: found.depth]
        assert shown == pytest.approx(sorted(models[name].precision)[: found.depth], abs=1e-5), each


def test_questions_asked_of_one_model_alone() -> None:
    one = queries([0.5, 0.4], [1, 2])
    found = explore({"a": one, "b": queries([0.5], [1])}, ["de"], NOT_AT_HAND)
    assert found is not None
    assert [[score is not None for score in question.scores] for question in found.questions] == [
        [True, True],
        [True, False],
    ]


def test_texts_and_ranks(tmp_path: Path) -> None:
    runs = read_results(write_results(tmp_path))
    benchmark = find_benchmarks(runs)["Toy"]
    of = {run.model: found for run in runs if (found := read_queries(run, benchmark))}
    found = explore(of, benchmark.languages, collection(extra=" \u202e<b>"))
    assert found is not None and not found.notes
    assert found.languages == LANGUAGES
    question = next(each for each in found.questions if (each.language, each.id) == ("de", "q2"))
    assert question.text == "Frage 2 <b>"
    assert found.answers[question.group] == (("جواب 2 <b>",), ("Antwort 2 <b>",), ("answer 2 <b>",))
    base, better = question.scores
    # the other answers of question 2 stand at 2 + 3 * 3 + the language's place
    assert base is not None and base.ranks == (11, 1, 13) and base.distance == 12
    assert better is not None and better.ranks == (8, 1, 10)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    runs = read_results(write_results(tmp_path, [f"local/m{number}" for number in range(7)], ranks=False))
    benchmark = find_benchmarks(runs)["Toy"]
    of = {run.model: found for run in runs if (found := read_queries(run, benchmark))}
    found = explore(of, benchmark.languages, NOT_AT_HAND)
    assert found is not None
    assert found.notes[0] == NOT_AT_HAND
    assert "No ranks by language" in found.notes[1] and "the first 6" in found.notes[2]
    assert found.questions[0].text == "" and set(found.answers) == {()}
    assert explore({}, ["de"], NOT_AT_HAND) is None


def test_damaged_and_foreign_files_are_no_scores(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    runs = read_results(write_results(tmp_path, ["local/base"]))
    benchmark = find_benchmarks(runs)["Toy"]
    for path in tmp_path.rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    assert read_queries(runs[0], benchmark) is None
    for path in tmp_path.rglob("*.parquet"):
        pq.write_table(pa.table({"a": [1]}), path)
    assert read_queries(runs[0], benchmark) is None
