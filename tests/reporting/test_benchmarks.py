"""What a whole run of a benchmark has: told by what there are results of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting


def run(*subsets: str, benchmark: str = "Toy", folder: Path = Path("nowhere")) -> ModelResults:
    """Results of some subsets, each in the task of its setting."""
    tasks: dict[str, dict[str, dict[str, float]]] = {}
    for subset in subsets:
        one, other = subset.split("-")
        setting = "Multilingual" if other == "all" else "Monolingual" if one == other else "CrossLingual"
        tasks.setdefault(benchmark + setting, {})[subset] = {"map": 0.5}
    return ModelResults("local/m", "r", tasks, dict.fromkeys(tasks, "d"), folder=folder)


def counts(benchmark: Benchmark, language: str | None = None) -> list[int]:
    return [benchmark.subset_count(setting, language) for setting in Setting]


def test_every_language_asks_and_answers_unless_results_say_otherwise() -> None:
    assert counts(Benchmark("Toy", ("de", "en", "zh-Hans"))) == [3, 6, 3, 3]
    assert counts(Benchmark("Toy", ("de", "en", "zh-Hans")), "zh-Hans") == [1, 2, 1, 1]


def test_what_one_run_has_another_lacks() -> None:
    found = find_benchmarks([run("en-en"), run("de-de", "fr-all")])["Toy"]
    assert found.languages == ("de", "en", "fr")
    assert counts(found) == [3, 6, 3, 3]


def test_languages_without_queries_are_not_missed_once_a_run_came_to_the_mean(tmp_path: Path) -> None:
    # English questions, answered in English, German and French
    subsets = ("en-en", "en-de", "en-fr", "en-all")
    assert counts(find_benchmarks([run(*subsets)])["Toy"]) == [3, 6, 3, 3]
    (tmp_path / "Toy.json").write_text("{}")
    whole = run(*subsets, folder=tmp_path)
    assert counts(find_benchmarks([whole])["Toy"]) == [1, 2, 1, 1]
    assert counts(find_benchmarks([whole])["Toy"], "en") == [1, 2, 1, 1]
    # another has more: its data are newer
    assert counts(find_benchmarks([run("de-de", "fr-fr"), whole])["Toy"]) == [3, 2, 1, 1]


def test_a_benchmark_with_published_figures_has_the_languages_of_these(tmp_path: Path) -> None:
    (tmp_path / "XQuADR.json").write_text("{}")
    partial = replace(run("de-de", "de-en", benchmark="XQuADR"), folder=tmp_path)
    assert counts(find_benchmarks([partial])["XQuADR"]) == [11, 110, 11, 11]


def test_xtreme_rs_task_holds_the_texts_of_xquad_r() -> None:
    assert "XQuADRXtremeR" in Benchmark("XQuADR", ("de", "en")).data_names


def test_a_subset_of_another_form_is_of_no_language() -> None:
    odd = replace(Benchmark("Toy", ("de",)), subsets={Setting.MONOLINGUAL: frozenset({"de-de", "default"})})
    assert counts(odd) == [2, 0, 1, 1]
    assert counts(odd, "de") == [1, 0, 1, 1]
