"""Tables as data: means, what is incomplete, published rows beside, and what stands below."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.footnotes import NO_MARGINS
from mteb_hybrid.reporting.published import published_models
from mteb_hybrid.reporting.render import render
from mteb_hybrid.reporting.resampling import EXPLANATION
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.reporting.tables import (
    Table,
    language_tables,
    row_labels,
    summary_tables,
    with_changes,
    with_margins,
)
from mteb_hybrid.subsets import Setting

Tasks = Mapping[str, Mapping[str, Mapping[str, float]]]

# Two languages; each setting's mean is plain to see.
TOY: Tasks = {
    "ToyMonolingual": {"de-de": {"map": 0.8}, "en-en": {"map": 0.9}},
    "ToyCrossLingual": {"de-en": {"map": 0.6}, "en-de": {"map": 0.7}},
    "ToyMultilingual": {"de-all": {"map": 0.4}, "en-all": {"map": 0.5}},
    "ToyLanguageBias": {
        "de-all": {"rank_distance": 100.0, "top1_query_language": 0.5},
        "en-all": {"rank_distance": 50.0, "top1_query_language": 1.0},
    },
}
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "published_figures.json"


def model(
    name: str = "local/toy", tasks: Tasks = TOY, revision: str = "rev1", data: str = "abc", **more: Any
) -> ModelResults:
    return ModelResults(name, revision, tasks, dict.fromkeys(tasks, data), **more)


def benchmarks(*results: ModelResults) -> list[Benchmark]:
    return list(find_benchmarks(results).values())


def by_language(ours: ModelResults, against_published: bool = False) -> list[Table]:
    (benchmark,) = benchmarks(ours)
    return language_tables([ours], benchmark, against_published)


def summary(*results: ModelResults, against_published: bool = False) -> list[Table]:
    return summary_tables(results, benchmarks(*results), against_published)


def figures(table: Table) -> list[float | None]:
    """The first row's figures, without what binary fractions add."""
    return [cell.value if cell.value is None else round(cell.value, 12) for cell in table.rows[0].cells]


def changes(table: Table, label: str) -> list[float | None]:
    (found,) = (each for each in table.rows if each.label == label)
    return [cell.change if cell.change is None else round(cell.change, 12) for cell in found.cells]


def test_changes_from_a_baseline() -> None:
    better = TOY | {"ToyMonolingual": {"de-de": {"map": 0.9}, "en-en": {"map": 1.0}}}
    part = {"ToyMonolingual": {"de-de": {"map": 0.9}}, "ToyMultilingual": TOY["ToyMultilingual"]}
    table = summary(model(), model("local/better", better), model("local/part", part))[0]
    compared = with_changes(table, "local/toy")
    assert changes(compared, "local/toy") == [None, None, None, None]
    assert changes(compared, "local/better")[:3] == [0.1, 0.0, 0.0]
    assert changes(compared, "local/part") == [None, None, 0.0, None]  # half of the first setting is no comparison
    assert with_changes(table, "local/other") == table


def row(table: Table, label: str) -> Sequence[float | None]:
    (found,) = (each for each in table.rows if each.label == label)
    return [cell.value for cell in found.cells]


def test_map_by_setting_and_its_mean() -> None:
    table, _ = summary(model())
    assert [column.title for column in table.columns] == ["Toy mono", "Toy cross", "Toy multi", "Toy mean"]
    assert [each.label for each in table.rows] == ["local/toy"]
    assert figures(table) == [0.85, 0.65, 0.45, 0.65]
    assert {column.measure.better for column in table.columns} == {"higher"}


def test_language_bias() -> None:
    _, table = summary(model())
    assert [column.title for column in table.columns] == ["Toy rank distance", "Toy top 1 in query language"]
    assert figures(table) == [75.0, 0.75]
    assert [column.measure.better for column in table.columns] == ["lower", None]


def test_language_bias_may_stand_in_either_task() -> None:
    multilingual = {
        "de-all": {"map": 0.4, "rank_distance": 10.0},
        "en-all": {"map": 0.5, "rank_distance": 30.0},
    }
    assert figures(summary(model(tasks={"ToyMultilingual": multilingual}))[1]) == [20.0, None]
    both = {"ToyMultilingual": multilingual, "ToyLanguageBias": {"de-all": {"rank_distance": 50.0}}}
    assert figures(summary(model(tasks=both))[1]) == [40.0, None]


def test_a_partial_setting_is_marked_with_its_number_of_subsets() -> None:
    partial = model("local/partial", {"ToyCrossLingual": {"de-en": {"map": 0.6}}, **only("ToyMonolingual")})
    table = summary_tables([partial], benchmarks(partial, model()))[0]
    assert [cell.note for cell in table.rows[0].cells] == ["", "1 of 2 subsets", "", ""]
    assert "* local/partial: Toy cross 1 of 2 subsets." in table.notes


def test_a_mean_over_a_partial_setting_is_marked_too() -> None:
    partial = model(tasks={**TOY, "ToyMonolingual": {"de-de": {"map": 0.8}}})
    mean = summary(partial)[0].rows[0].cells[-1]
    assert mean.value == pytest.approx((0.8 + 0.65 + 0.45) / 3)
    assert mean.note == "of incomplete settings"


def test_how_many_subsets_a_whole_run_has() -> None:
    languages = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    one = {"ar-de": {"map": 0.5}}
    table = summary(model(tasks={"XQuADRCrossLingual": one, "MLQARCrossLingual": one}))[0]
    assert [table.rows[0].cells[at].note for at in (1, 5)] == ["1 of 110 subsets", "1 of 42 subsets"]
    whole = {f"{a}-{b}": {"map": 0.5} for a in languages for b in languages if a != b}
    assert summary(model(tasks={"XQuADRCrossLingual": whole}))[0].rows[0].cells[1].note == ""


def test_a_subset_without_the_score_counts_as_missing() -> None:
    odd = {"de-de": {"map": 0.8}, "en-en": {"ndcg_at_10": 0.9}}
    cell = summary(model(tasks={"ToyMonolingual": odd}))[0].rows[0].cells[0]
    assert (cell.value, cell.note) == (0.8, "1 of 2 subsets")


def test_there_is_no_mean_without_all_settings() -> None:
    assert figures(summary(model(tasks=only("ToyMonolingual")))[0]) == [0.85, None, None, None]


def test_a_table_without_a_figure_of_any_model_is_left_out() -> None:
    assert [table.title for table in summary(model(tasks=only("ToyMonolingual")), against_published=True)] == [
        "Mean average precision (MAP) by setting"
    ]
    assert summary_tables([model(tasks={})], benchmarks(model())) == []


def test_published_rows_stand_beside_known_benchmarks() -> None:
    ours = model(
        tasks={
            "MLQARMonolingual": {"de-de": {"map": 0.5}},
            "MLQARLanguageBias": {"de-all": {"rank_distance": 1.0}},
        }
    )
    by_setting, bias = summary(ours, against_published=True)
    assert row(by_setting, "LaBSE, hybrid (published)")[:3] == [0.686, 0.681, 0.579]
    assert row(by_setting, "LaBSE, hybrid (published)")[3] == pytest.approx((0.686 + 0.681 + 0.579) / 3)
    assert row(by_setting, "mBERT, X-Y (published)") == [None, None, 0.49, None]
    assert row(bias, "XLM-R, X-X-mono (published)") == [287.5, None]
    assert not any(each.label.startswith("mBERT") for each in bias.rows)
    assert by_setting.rows[0].label == "local/toy"
    assert "Published figures: Elmahdy, Lin, Ahmad 2024, arXiv 2408.10536v1." in bias.notes
    assert "arXiv 2004.05484" in by_setting.notes[-1]


def test_no_published_rows_beside_other_benchmarks_or_unasked() -> None:
    assert [len(table.rows) for table in summary(model(), against_published=True)] == [1, 1]
    known = model(tasks={"XQuADRMonolingual": {"de-de": {"map": 0.5}}})
    assert len(summary(known)[0].rows) == 1


def test_by_query_language() -> None:
    tasks = {
        **TOY,
        "ToyCrossLingual": {
            "de-en": {"map": 0.6},
            "de-el": {"map": 0.2},
            "en-de": {"map": 0.7},
            "en-el": {"map": 0.5},
            "el-de": {"map": 0.3},
        },
    }
    ours = model(tasks=tasks)
    mono, cross, multi, bias = by_language(ours)
    assert [column.name for column in cross.columns] == ["de", "el", "en", "mean"]
    assert figures(mono) == [0.8, None, 0.9, 0.85]
    assert figures(cross) == [0.4, 0.3, 0.6, 0.46]
    assert [cell.note for cell in cross.rows[0].cells] == ["", "1 of 2 subsets", "", "5 of 6 subsets"]
    assert figures(multi) == [0.4, None, 0.5, 0.45]
    assert figures(bias) == [100.0, None, 50.0, 75.0]
    assert [table.title for table in (mono, bias)] == [
        "Toy: monolingual MAP by query language",
        "Toy: rank distance by query language",
    ]
    assert {column.measure.better for column in bias.columns} == {"lower"}


def test_by_query_language_beside_published_rows() -> None:
    ours = model(tasks={"XQuADRMultilingual": {"de-all": {"map": 0.5}}})
    (table,) = by_language(ours, against_published=True)
    published = row(table, "LaBSE, X-Y (published)")
    assert [column.name for column in table.columns][:2] == ["ar", "de"]
    assert (published[:2], published[-1]) == ([0.6481, 0.6916], 0.679)
    assert not any(each.label.startswith("mBERT") for each in table.rows)


def test_whole_settings_and_languages_agree() -> None:
    ours = model()
    by_setting, bias = summary(ours)
    means = [table.rows[0].cells[-1].value for table in by_language(ours)]
    assert means == [cell.value for cell in (*by_setting.rows[0].cells[:3], bias.rows[0].cells[0])]


@pytest.mark.parametrize(
    ("revisions", "labels"),
    [
        ([("a", "1234567890")], ["a"]),
        ([("a", "1234567890"), ("b", "1234567890")], ["a", "b"]),
        ([("a", "1234567890"), ("a", "abcdefghij")], ["a@12345678", "a@abcdefgh"]),
        ([("a", "12345678-x"), ("a", "12345678-y")], ["a@12345678-x", "a@12345678-y"]),
    ],
)
def test_several_revisions_of_a_model_are_told_apart(revisions: list[tuple[str, str]], labels: list[str]) -> None:
    assert row_labels([model(name, revision=revision) for name, revision in revisions]) == labels


def test_zero_shot_is_told_as_far_as_training_data_is_declared() -> None:
    tasks = {"MLQARMonolingual": {"de-de": {"map": 0.5}}, "XQuADRMonolingual": {"de-de": {"map": 0.5}}}
    trained = model("trained", tasks, training_datasets=frozenset({"MLQAR"}))
    relative = model("relative", tasks, training_datasets=frozenset({"XQuADRetrieval"}))
    clean = model("clean", tasks, training_datasets=frozenset())
    notes = summary(trained, relative, clean, model("silent", tasks))[0].notes
    assert [note for note in notes if "ero-shot" in note] == [
        "Not zero-shot, as declared training data holds the texts: trained on MLQA-R, relative on XQuAD-R.",
        "Zero-shot by declared training data: trained on XQuAD-R, relative on MLQA-R, clean on XQuAD-R, "
        "clean on MLQA-R.",
        "Training data not declared, so zero-shot is not known: silent.",
    ]


def test_differing_data_is_told() -> None:
    table = summary(model("a", data="v1"), model("b", data="v2"))[0]
    assert "ToyMonolingual was run on different revisions of its data, which do not compare: v1, v2." in table.notes


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference figures are not beside the repository")
@pytest.mark.parametrize(("name", "title"), [("XQuADR", "XQuAD-R"), ("MLQAR", "MLQA-R")])
def test_published_figures_are_those_of_the_reference(name: str, title: str) -> None:
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    strategies = {"X-X-mono": "mono", "X-Y": "cross", "hybrid": "hybrid"}
    settings = {
        Setting.MONOLINGUAL: "monolingual",
        Setting.CROSS_LINGUAL: "cross_lingual",
        Setting.MULTILINGUAL: "multilingual",
    }
    hybrid = [each for each in published_models() if "2408.10536v1" in each.source]
    assert len(hybrid) == 6
    for each in hybrid:
        base, strategy, found = each.base_model, strategies[each.strategy], each.figures[name]
        means = [found[setting].mean for setting in settings]
        assert means == reference["table1_map"][title][base][strategy]
        for setting, key in settings.items():
            by_language = reference["map_by_query_language"][title][base][f"{key}.{strategy}"]
            assert found[setting].by_language == by_language
        bias = found[Setting.LANGUAGE_BIAS]
        assert bias.mean == reference["table2_rank_distance"][title][base][strategy]
        assert bias.by_language == reference["rank_distance_by_query_language"][title][f"{base}.{strategy}"]
    lareqa = {
        each.strategy: each.figures[name][Setting.MULTILINGUAL].mean
        for each in published_models()
        if "2004.05484" in each.source
    }
    assert lareqa == reference["lareqa_mbert_map"][title]


def test_published_means_are_those_of_their_languages() -> None:
    for each in published_models():
        for settings in each.figures.values():
            for setting, figure in settings.items():
                if figure.by_language:
                    mean = sum(figure.by_language.values()) / len(figure.by_language)
                    assert figure.mean == pytest.approx(mean, abs=0.06 if setting is Setting.LANGUAGE_BIAS else 0.0015)


def only(task: str) -> Tasks:
    return {task: TOY[task]}


def with_query_scores(folder: Path, name: str, **values: Sequence[float]) -> ModelResults:
    """A model whose monolingual results have scores of single queries, by subset."""
    scores, place = QueryScores(), folder / name
    place.mkdir()
    subsets = {subset.replace("_", "-"): list(each) for subset, each in values.items()}
    for subset, each in subsets.items():
        ids = [f"q{number}" for number in range(len(each))]
        scores.add("ToyMonolingual", subset, ids, ids, {"map": np.array(each)})
    scores.save("ToyMonolingual", place / "ToyMonolingual.json", "abc")
    means = {subset: {"map": sum(each) / len(each)} for subset, each in subsets.items()}
    return model(f"local/{name}", {"ToyMonolingual": means}, folder=place)


def test_margins_of_figures_and_of_changes(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random(300)
    base = with_query_scores(tmp_path, "base", de_de=values, en_en=values)
    better = with_query_scores(tmp_path, "better", de_de=values + 0.1, en_en=values + 0.1)
    without = model("local/without", {"ToyMonolingual": {"de-de": {"map": 0.5}, "en-en": {"map": 0.5}}})
    table = with_margins(with_changes(summary(base, better, without)[0], "local/base"), "local/base")
    first, second, third = (row.cells[0] for row in table.rows)
    expected = 1.96 * values.std(ddof=1) / np.sqrt(300)
    assert first.margin == pytest.approx(expected, rel=0.1)
    assert second.margin == pytest.approx(expected, rel=0.1)
    assert second.change == pytest.approx(0.1)
    assert second.change_margin == pytest.approx(0.0, abs=1e-6)  # every question gains the same
    assert (first.change_margin, third.margin, third.change_margin) == (None, None, None)
    assert table.notes[0] == EXPLANATION
    plain = render([replace(table, rows=table.rows[:2])], "markdown")
    assert re.search(r"0\.\d{3} ±0\.03\d \(\+0\.100 ±0\.000\)", plain)


def test_with_margins_what_is_significant_is_marked(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random(300)
    base = with_query_scores(tmp_path, "base", de_de=values, en_en=values)
    better = with_query_scores(tmp_path, "better", de_de=values + 0.1, en_en=values + 0.1)
    same = with_query_scores(tmp_path, "same", de_de=values, en_en=values)
    table = with_margins(with_changes(summary(base, better, same)[0], "local/base"), "local/base")
    assert [row.label for row in table.rows if row.significant == {0}] == ["local/better"]
    assert [row.label for row in table.rows if row.bold == {0}] == ["local/better"]
    assert table.notes[0] == EXPLANATION
    assert table.notes[1].startswith("† significant")
    fewer = with_query_scores(tmp_path, "fewer", de_de=values[:200], en_en=values)
    table = with_margins(with_changes(summary(base, fewer)[0], "local/base"), "local/base")
    assert not any(row.significant or row.bold for row in table.rows)  # of other queries


def test_the_mean_of_settings_has_a_margin_if_all_have_one(tmp_path: Path) -> None:
    ours = with_query_scores(tmp_path, "ours", de_de=[0.0, 1.0] * 5, en_en=[1.0, 0.5] * 5)
    ours = replace(ours, subsets=TOY)
    table = with_margins(summary(ours)[0])
    assert table.rows[0].cells[0].margin is not None
    assert table.rows[0].cells[-1].margin is None


def test_a_few_questions_have_no_margins_and_the_note_says_why(tmp_path: Path) -> None:
    table = with_margins(summary(with_query_scores(tmp_path, "few", de_de=[0.0, 1.0] * 5, en_en=[1.0, 0.0]))[0])
    assert table.rows[0].cells[0].value == pytest.approx(0.5)
    assert table.rows[0].cells[0].margin is None
    assert NO_MARGINS not in table.notes
    assert "none is given where a subset has fewer than 10 groups" in table.notes[0]


def test_without_scores_of_single_queries_it_is_said() -> None:
    table = with_margins(summary(model())[0])
    assert all(cell.margin is None for cell in table.rows[0].cells)
    assert NO_MARGINS in table.notes
