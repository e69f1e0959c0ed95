"""From a result folder to the text that the command prints."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting import Format, report


def write(folder: Path, model: str, task: str, subsets: Mapping[str, Mapping[str, float]]) -> None:
    place = folder / "results" / model.replace("/", "__") / "rev1"
    place.mkdir(parents=True, exist_ok=True)
    entries = [{"hf_subset": subset, "main_score": 0.0, **scores} for subset, scores in subsets.items()]
    content = {"task_name": task, "dataset_revision": "abc", "scores": {"test": entries}}
    (place / f"{task}.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "local/ours", "ToyMonolingual", {"de-de": {"map": 0.8}, "en-en": {"map": 0.9}})
    write(tmp_path, "local/ours", "MLQARMonolingual", {"de-de": {"map": 0.25}})
    write(tmp_path, "org/base", "ToyMonolingual", {"de-de": {"map": 0.5}})
    write(tmp_path, "org/base", "ToyLanguageBias", {"el-all": {"rank_distance": 12.5}})
    return tmp_path


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def test_all_models_and_benchmarks_by_default(folder: Path) -> None:
    text = report(folder)
    assert "local/ours" in text and "org/base" in text
    assert "MLQA-R" in text and "Toy" in text
    assert "published" not in text


def test_languages_of_models_that_are_not_shown_count(folder: Path) -> None:
    table = rows(report(folder, ["ours"], format="csv", benchmarks=["Toy"]))
    assert table[1] == [
        "Mean average precision (MAP) by setting",
        "local/ours",
        "Toy mono",
        "0.8500000000000001",
        *[""] * 4,
        "2 of 3 subsets",
    ]


def test_only_benchmarks_of_the_chosen_models_are_shown(folder: Path) -> None:
    assert "MLQA-R" not in report(folder, ["base"])


@pytest.mark.parametrize("format", get_args(Format))
def test_every_form(folder: Path, format: Format) -> None:
    text = report(folder, ["local/ours"], against_published=True, by_language=True, format=format)
    assert "LaBSE, hybrid (published)" in text
    assert "monolingual MAP by query language" in text
    assert not text.endswith("\n")


def test_by_language_follows_the_summary(folder: Path) -> None:
    table = rows(report(folder, ["base"], by_language=True, format="csv"))
    assert list(dict.fromkeys(row[0] for row in table[1:])) == [
        "Mean average precision (MAP) by setting",
        "Language bias in the multilingual setting",
        "Toy: monolingual MAP by query language",
        "Toy: rank distance by query language",
    ]


def test_a_baseline_comes_first_and_others_show_how_far_they_are_from_it(folder: Path) -> None:
    write(
        folder, "org/base", "ToyMultilingual", {"de-all": {"map": 0.5}, "el-all": {"map": 0.3}, "en-all": {"map": 0.4}}
    )
    write(
        folder,
        "local/ours",
        "ToyMultilingual",
        {"de-all": {"map": 0.5}, "el-all": {"map": 0.3}, "en-all": {"map": 0.1}},
    )
    text = report(folder, ["ours"], baseline="base", benchmarks=["Toy"])
    assert text.index("org/base") < text.index("local/ours")
    assert "0.300 (-0.100)" in text
    with pytest.raises(HybridError, match="no results of model 'bas'; did you mean 'org/base'"):
        report(folder, baseline="bas")
    write(folder, "org/base", "ToyMonolingual", {"de-de": {"map": 0.5}})
    other = folder / "results" / "org__base" / "rev2"
    other.mkdir()
    (other / "ToyMonolingual.json").write_text((other.parent / "rev1" / "ToyMonolingual.json").read_text())
    with pytest.raises(HybridError, match="several revisions of base; name one"):
        report(folder, baseline="base")


def test_the_inner_folder_will_do(folder: Path) -> None:
    assert report(folder / "results") == report(folder)


def test_names_that_are_not_there(folder: Path) -> None:
    with pytest.raises(HybridError, match="no results of model 'our'; did you mean 'local/ours'"):
        report(folder, ["our"])
    with pytest.raises(HybridError, match="no results of benchmark 'toys'; did you mean 'Toy'"):
        report(folder, benchmarks=["toys"])
    with pytest.raises(HybridError, match="the chosen models have no figures on MLQA-R"):
        report(folder, ["base"], benchmarks=["MLQAR"])
