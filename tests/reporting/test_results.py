"""Reading result folders: every layout, partial runs, damaged files, and choosing models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.benchmarks import choose_benchmarks, find_benchmarks
from mteb_hybrid.reporting.results import ModelResults, read_results, select_models

Scores = Mapping[str, Mapping[str, object]]
Figures = Mapping[str, Mapping[str, float]]
MONO: Scores = {"de-de": {"map": 0.5, "ndcg_at_10": 0.6}, "en-en": {"map": 0.7, "ndcg_at_10": 0.8}}


def write_task(place: Path, task: str, subsets: Scores = MONO, **other: object) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "hf_subset": subset,
            "languages": ["deu-Latn"],
            "mteb_version": "2.26.0",
            "main_score": 0.1,
            **scores,
        }
        for subset, scores in subsets.items()
    ]
    content = {"task_name": task, "dataset_revision": "abc", "scores": {"test": entries}, **other}
    file = place / f"{task}.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def write_meta(place: Path, **meta: object) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "model_meta.json").write_text(json.dumps(meta), encoding="utf-8")


def run(model: str, revision: str = "rev1", tasks: Mapping[str, Figures] | None = None) -> ModelResults:
    return ModelResults(model, revision, tasks or {}, {})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of one revision, in a whole output folder."""
    return tmp_path / "results" / "local__toy" / "rev1"


def test_reads_scores_revision_and_declared_training_data(tmp_path: Path, place: Path) -> None:
    write_task(place, "ToyMonolingual")
    write_meta(place, name="local/toy", training_datasets=["MLQAR"])
    (found,) = read_results(tmp_path)
    assert (found.model, found.revision) == ("local/toy", "rev1")
    assert found.subsets["ToyMonolingual"]["de-de"] == {"main_score": 0.1, "map": 0.5, "ndcg_at_10": 0.6}
    assert found.dataset_revisions == {"ToyMonolingual": "abc"}
    assert found.training_datasets == frozenset({"MLQAR"})


@pytest.mark.parametrize("inner", [".", "results", "results/local__toy", "results/local__toy/rev1"])
def test_any_level_of_the_layout_can_be_given(tmp_path: Path, place: Path, inner: str) -> None:
    write_task(place, "ToyMonolingual")
    assert [(found.model, found.revision) for found in read_results(tmp_path / inner)] == [("local/toy", "rev1")]


def test_the_folder_in_hand_can_be_given_as_a_dot(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_task(place, "ToyMonolingual")
    monkeypatch.chdir(place)
    assert read_results(Path("."))[0].model == "local/toy"


def test_the_models_own_name_counts_before_the_folders(tmp_path: Path) -> None:
    place = tmp_path / "results" / "org__two__underscores" / "rev1"
    write_task(place, "ToyMonolingual")
    assert read_results(tmp_path)[0].model == "org/two__underscores"
    write_meta(place, name="org/two_-_underscores")
    assert read_results(tmp_path)[0].model == "org/two_-_underscores"


@pytest.mark.parametrize("meta", ["", "[]", '{"name": null}', '{"name": ""}', "[" * 100_000])
def test_a_damaged_model_description_is_no_fault(tmp_path: Path, place: Path, meta: str) -> None:
    write_task(place, "ToyMonolingual")
    (place / "model_meta.json").write_text(meta)
    (found,) = read_results(tmp_path)
    assert (found.model, found.training_datasets) == ("local/toy", None)


def test_experiments_and_other_files_are_passed_over(tmp_path: Path, place: Path) -> None:
    write_task(place, "ToyMonolingual")
    write_task(place / "experiments" / "dim_64", "ToyMonolingual", {"de-de": {"map": 0.1}})
    write_task(place, "Toy")
    (place / "run_settings.jsonl").write_text("{")
    (place / "Banking77Classification.json").write_text("{")
    for folder in (tmp_path, place, place.parent):
        (found,) = read_results(folder)
        assert list(found.subsets) == ["ToyMonolingual"]
        assert found.subsets["ToyMonolingual"]["de-de"]["map"] == 0.5


@pytest.mark.parametrize(
    ("task", "subsets"),
    [
        ("WikipediaRetrievalMultilingual", {"bg": {"map_at_1000": 0.5}, "de": {"map_at_1000": 0.5}}),
        ("VisualSTS17Multilingual", {"en-de": {"cosine_spearman": 0.5}}),
        ("mFollowIRCrossLingual", {"eng-fas": {"p-MRR": 0.5}}),
    ],
)
def test_tasks_of_others_with_such_names_are_passed_over(
    tmp_path: Path, place: Path, task: str, subsets: Scores
) -> None:
    write_task(place, task, subsets)
    with pytest.raises(HybridError, match="holds no results that there are tables for"):
        read_results(tmp_path)


def test_values_no_mean_can_be_taken_of_are_left_out(tmp_path: Path, place: Path) -> None:
    odd = {
        "map": 0.5,
        "a": float("nan"),
        "b": float("inf"),
        "c": True,
        "d": "0.5",
        "e": {"de": 1},
        "f": 10**400,
    }
    write_task(place, "ToyMonolingual", {"de-de": odd})
    (found,) = read_results(tmp_path)
    assert found.subsets["ToyMonolingual"]["de-de"] == {"main_score": 0.1, "map": 0.5}


def test_whole_numbers_are_figures_too(tmp_path: Path, place: Path) -> None:
    write_task(place, "ToyLanguageBias", {"de-all": {"rank_distance": 320}})
    (found,) = read_results(tmp_path)
    assert found.subsets["ToyLanguageBias"]["de-all"]["rank_distance"] == 320.0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": {"test": [{"hf_su',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"task_name": "ToyMonolingual"}',
        b'{"task_name": 3, "dataset_revision": "abc", "scores": {}}',
        b'{"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": []}',
        b'{"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": {"test": {}}}',
        b'{"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": {"test": [1]}}',
        b'{"task_name": "ToyMonolingual", "dataset_revision": "abc", "scores": {"test": [{"map": 1}]}}',
        b'{"task_name": "XQuADRMonolingual", "dataset_revision": "abc", "scores": {"test": []}}',
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, place: Path, content: bytes) -> None:
    write_task(place, "ToyCrossLingual", {"de-en": {"map": 0.5}})
    (place / "ToyMonolingual.json").write_bytes(content)
    with pytest.raises(HybridError) as raised:
        read_results(tmp_path)
    text = str(raised.value)
    assert str(place / "ToyMonolingual.json") in text
    assert "delete it and run the same mteb command again" in text
    assert "\n" not in text


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, place: Path) -> None:
    (place / "ToyMonolingual.json").mkdir(parents=True)
    with pytest.raises(HybridError, match=r"cannot read .*ToyMonolingual.json .*make it readable"):
        read_results(tmp_path)


def test_a_missing_folder_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match="is not a folder; give the one"):
        read_results(tmp_path / "nowhere")
    with pytest.raises(HybridError, match=r"holds no results .* mteb run"):
        read_results(tmp_path)


def test_a_task_without_any_subset_yet_is_no_result(tmp_path: Path, place: Path) -> None:
    write_task(place, "ToyMonolingual", {})
    with pytest.raises(HybridError, match="holds no results"):
        read_results(tmp_path)


def test_models_come_by_name_and_revision(tmp_path: Path) -> None:
    for folder in ("b__m/r2", "b__m/r1", "a__z/r9"):
        write_task(tmp_path / "results" / folder, "ToyMonolingual")
    assert [(found.model, found.revision) for found in read_results(tmp_path)] == [
        ("a/z", "r9"),
        ("b/m", "r1"),
        ("b/m", "r2"),
    ]


RUNS = (run("local/ours", "abc123"), run("local/ours", "def456"), run("org/ours", "abc999"), run("org/base"))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], [0, 1, 2, 3]),
        (["base"], [3]),
        (["org/base", "local/ours"], [3, 0, 1]),
        (["ours"], [0, 1, 2]),
        (["ours@abc"], [0, 2]),
        (["local/ours@def4"], [1]),
        (["org/ours", "ours"], [2, 0, 1]),
    ],
)
def test_models_are_chosen_by_name(names: list[str], chosen: list[int]) -> None:
    assert select_models(RUNS, names) == tuple(RUNS[index] for index in chosen)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("local/our", "did you mean 'local/ours'?"),
        ("BASE", "did you mean 'org/base'?"),
        ("other/base", "there are: local/ours, org/base, org/ours"),
        ("local/ours@0123456", "local/ours@abc123, local/ours@def456"),
        ("zzzzzzzz\n", "no results of model 'zzzzzzzz'; there are: local/ours, org/base, org/ours"),
    ],
)
def test_an_unknown_model_is_told_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(HybridError) as raised:
        select_models(RUNS, [name])
    assert hint in str(raised.value)


def test_a_long_list_of_what_there_is_is_cut() -> None:
    with pytest.raises(HybridError, match=r"m0, .*m7 and 1 more$"):
        select_models([run(f"m{number}") for number in range(9)], ["x"])


def test_languages_are_those_that_any_run_names() -> None:
    runs = [
        run("a", tasks={"ToyMonolingual": {"pt_br-pt_br": {"map": 0.5}}}),
        run("b", tasks={"ToyCrossLingual": {"pt_br-de": {"map": 0.5}, "de-el": {"map": 0.5}}}),
        run("c", tasks={"ToyLanguageBias": {"hi-all": {"rank_distance": 5}}}),
    ]
    found = find_benchmarks(runs)
    assert found["Toy"].languages == ("de", "el", "hi", "pt-br")


def test_a_known_benchmark_has_all_its_languages_however_little_was_run() -> None:
    tasks = {name: {"de-de": {"map": 0.5}} for name in ("AMonolingual", "MLQARMonolingual", "XQuADRMonolingual")}
    found = find_benchmarks([run("m", tasks=tasks)])
    assert {name: len(each.languages) for name, each in found.items()} == {"XQuADR": 11, "MLQAR": 7, "A": 1}
    assert list(found) == ["XQuADR", "MLQAR", "A"]


def test_benchmarks_are_called_by_name_or_title() -> None:
    tasks = {name: {"de-de": {"map": 0.5}} for name in ("XQuADRMonolingual", "ToyMonolingual")}
    found = find_benchmarks([run("m", tasks=tasks)])
    assert [each.name for each in choose_benchmarks(found, ["Toy", "XQuAD-R", "XQuADR"])] == ["Toy", "XQuADR"]
    with pytest.raises(HybridError, match="no results of benchmark 'xquadr'; did you mean 'XQuADR'"):
        choose_benchmarks(found, ["xquadr"])


def test_reading_imports_neither_mteb_nor_torch() -> None:
    code = (
        "import sys, mteb_hybrid.reporting;"
        "sys.exit(', '.join({'mteb', 'torch', 'numpy', 'pydantic', 'rich'} & set(sys.modules)) or 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
