"""From a result folder to verdicts: what is compared, and what the tables hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from mteb_hybrid.comparing import compare
from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting import Format
from tests.comparing.folders import write

SEED = 5
QUERIES = 40


def world(folder: Path, model: str, *, english: float = 0.0, ranks: float = 0.0, noise: int = 0) -> None:
    """A model that is as good as any other, but in English, and in how far apart it ranks parallel answers."""
    random = np.random.default_rng(SEED)
    german, both, distances = random.uniform(0.2, 0.8, QUERIES), random.uniform(0.2, 0.8, QUERIES), np.full(QUERIES, 90)
    shaken = np.random.default_rng(noise).normal(0, 0.004, QUERIES) if noise else np.zeros(QUERIES)
    write(folder, model, "ToyMonolingual", {"de-de": german + shaken, "en-en": both + english + shaken})
    write(folder, model, "ToyMultilingual", {"de-all": german, "en-all": both})
    write(folder, model, "ToyLanguageBias", {"de-all": distances + shaken, "en-all": distances - ranks})


def rows(text: str, column: str) -> dict[tuple[str, str], str]:
    """A column of the comparisons in CSV: table and row to figure or words."""
    return {
        (table.removeprefix("Toy: ").partition(",")[0], row): value or words
        for table, row, name, value, *_, words in csv.reader(text.splitlines())
        if name == column
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    world(tmp_path, "local/a", noise=1)
    world(tmp_path, "org/b", english=0.1, ranks=30.0, noise=2)
    return tmp_path


def compared(folder: Path, a: Sequence[str] = ("a",), b: Sequence[str] = ("b",), tasks: Sequence[str] = ()) -> str:
    return compare(folder, a, b, tasks=tasks, format="csv")


def test_by_setting_and_by_language(folder: Path) -> None:
    text = compared(folder)
    differences = {key: round(float(value), 3) for key, value in rows(text, "B - A").items()}
    settings, bias = "Mean average precision (MAP) by setting", "Language bias in the multilingual setting"
    assert differences[settings, "Toy mono"] == pytest.approx(0.05, abs=0.003)
    assert differences[settings, "Toy multi"] == 0.0
    assert differences[bias, "Toy"] == pytest.approx(-15, abs=0.01)
    assert differences["monolingual MAP by query language", "en"] == pytest.approx(0.1, abs=0.003)
    assert differences["rank distance by query language", "en"] == pytest.approx(-30, abs=0.01)
    assert rows(text, "verdict on B") == {
        (settings, "Toy mono"): "better",
        (settings, "Toy multi"): "the same within 0.01",
        (bias, "Toy"): "better",
        ("monolingual MAP by query language", "de"): "the same within 0.01",
        ("monolingual MAP by query language", "en"): "better",
        ("multilingual MAP by query language", "de"): "the same within 0.01",
        ("multilingual MAP by query language", "en"): "the same within 0.01",
        ("rank distance by query language", "de"): "not decided",
        ("rank distance by query language", "en"): "better",
    }


def test_the_other_way_round_it_is_worse(folder: Path) -> None:
    there, back = (rows(compared(folder, *sides), "verdict on B") for sides in ((["a"], ["b"]), (["b"], ["a"])))
    assert [verdict.replace("better", "worse") for verdict in there.values()] == list(back.values())


def test_each_family_is_corrected_by_itself(folder: Path) -> None:
    text = compared(folder)
    p, adjusted = ({key: float(value) for key, value in rows(text, name).items()} for name in ("p", "p (Holm)"))
    by_language = {key for key in p if "language" in key[0] and "bias" not in key[0]}
    for family in (by_language, p.keys() - by_language):
        least = min(family, key=lambda key: p[key])
        assert p[least] == 1 / 10_000
        assert adjusted[least] == pytest.approx(p[least] * len(family))
    assert len(by_language) == 6
    notes = compare(folder, ["a"], ["b"])
    assert "for all 3 comparisons by setting (9,999 random swaps, seed 0)" in notes
    assert "for all 6 comparisons by query language (9,999 random swaps, seed 0)" in notes


def test_groups_are_swapped_and_not_queries(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    before, gains = random.random(120), np.repeat(random.normal(0.02, 0.08, 6), 20)
    groups = [f"g{number // 20}" for number in range(120)]
    write(tmp_path, "local/a", "ToyMonolingual", {"de-de": before}, groups=groups)
    write(tmp_path, "local/b", "ToyMonolingual", {"de-de": before + gains}, groups=groups)
    text = compared(tmp_path)
    (p,) = {float(value) for value in rows(text, "p").values()}
    assert (p * 32).is_integer()  # 6 groups can be swapped in 64 ways, which are pairs of opposites
    assert p >= 1 / 32
    assert "all 32 ways to swap" in compare(tmp_path, ["a"], ["b"])
    assert set(rows(text, "verdict on B").values()) == {"not decided"}


@pytest.mark.parametrize("names", [["Toy"], ["ToyMonolingual", "ToyMultilingual", "ToyLanguageBias"]])
def test_a_benchmark_is_all_its_tasks(folder: Path, names: list[str]) -> None:
    assert compared(folder, tasks=names) == compared(folder)


def test_one_task(folder: Path) -> None:
    text = compared(folder, tasks=["ToyLanguageBias"])
    assert {table for table, _ in rows(text, "p")} == {
        "Language bias in the multilingual setting",
        "rank distance by query language",
    }


def test_a_task_that_only_one_has(folder: Path) -> None:
    write(folder, "local/a", "ToyCrossLingual", {"de-en": [0.5] * QUERIES})
    text = compare(folder, ["a"], ["b"])
    assert "Not compared, as only some of the models have results of it: ToyCrossLingual." in text
    with pytest.raises(HybridError, match="not all of local/a, org/b have results of ToyCrossLingual; run it first"):
        compare(folder, ["a"], ["b"], tasks=["ToyCrossLingual"])


def test_names_that_are_not_there(folder: Path) -> None:
    with pytest.raises(HybridError, match="no results of model 'c'"):
        compare(folder, ["a"], ["c"])
    with pytest.raises(HybridError, match="no results of task 'ToyMono'; did you mean 'ToyMonolingual'"):
        compare(folder, ["a"], ["b"], tasks=["ToyMono"])
    with pytest.raises(HybridError, match="local/a stands on both sides"):
        compare(folder, ["a"], ["b", "local/a"])
    with pytest.raises(HybridError, match="name a model on each side"):
        compare(folder, ["a"], [])
    write(folder, "local/a", "ToyMonolingual", {"de-de": [0.5]}, revision="rev2")
    with pytest.raises(HybridError, match="a may be any of local/a@rev1, local/a@rev2; name one"):
        compare(folder, ["a"], ["b"])
    assert compare(folder, ["a@rev1"], ["b"])


def test_models_with_nothing_in_common(tmp_path: Path) -> None:
    write(tmp_path, "local/a", "ToyMonolingual", {"de-de": [0.5]})
    write(tmp_path, "local/b", "ToyMultilingual", {"de-all": [0.5]})
    with pytest.raises(HybridError, match="not all of local/a, local/b have results of one and the same task"):
        compare(tmp_path, ["a"], ["b"])


def test_a_partial_setting_is_marked(folder: Path) -> None:
    for model in ("local/a", "org/b"):
        write(folder, model, "ToyCrossLingual", {"de-en": [0.5] * QUERIES})
    text = compare(folder, ["a"], ["b"])
    assert re.search(r"Toy cross +0\.500\* +0\.500\*", text)
    assert "* Toy cross: A 1 of 2 subsets." in text


def test_seeds_have_columns_of_their_own(folder: Path) -> None:
    assert "over seeds" not in compare(folder, ["a"], ["b"])
    world(folder, "org/b2", english=0.06, ranks=30.0, noise=3)
    text = compared(folder, ["a"], ["b", "b2"])
    key = ("Mean average precision (MAP) by setting", "Toy mono")
    assert float(rows(text, "B - A")[key]) == pytest.approx(0.04, abs=0.003)
    deviation = float(rows(text, "sd over seeds B")[key])
    assert deviation == pytest.approx(0.02 / 2**0.5, abs=0.002)  # of figures 0.05 and 0.03 above
    assert rows(text, "sd over seeds A")[key] == ""
    assert float(rows(text, "se over seeds")[key]) == pytest.approx(deviation / 2**0.5)
    assert float(rows(text, "± with seeds")[key]) > 0.1  # Student's t of about one degree of freedom
    assert rows(text, "verdict on B")[key] == "better, seeds leave it open"
    shown = compare(folder, ["a"], ["b", "b2"])
    assert "A is local/a; B is the mean of org/b, org/b2." in shown
    assert "a side of one model counts as fixed" in shown


def test_only_what_is_significant_is_bold(folder: Path) -> None:
    text = compare(folder, ["a"], ["b"], format="markdown")
    for line in text.splitlines():
        if line.startswith("|") and "verdict" not in line and "---" not in line:
            assert ("**" in line) == ("better" in line), line
    assert "| Toy mono | " in text
    assert text.count("**") == 2 * 4
    assert r"\textbf{+0.0" in compare(folder, ["a"], ["b"], format="latex")


@pytest.mark.parametrize("format", get_args(Format))
def test_every_form(folder: Path, format: Format) -> None:
    text = compare(folder, ["a"], ["b"], format=format)
    assert "the same within 0.01" in text
    assert not text.endswith("\n")
    if format in {"terminal", "markdown"}:
        assert re.search(r"Toy mono\s.*\+0\.05\d ±0\.00\d", text)
        assert "<0.001" in text.replace("\\", "")


def test_the_margin_is_the_users(folder: Path) -> None:
    text = compare(folder, ["a"], ["b"], margin=0.2, format="csv")
    assert rows(text, "verdict on B")["Mean average precision (MAP) by setting", "Toy mono"] == "better, but within 0.2"


def test_the_same_input_gives_the_same_output(folder: Path) -> None:
    assert compared(folder) == compared(folder)
