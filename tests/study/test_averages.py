"""Averages of cells: which cells they are made of, and what cannot be averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.averages import Average
from mteb_hybrid.study.study_file import read_study

STUDY = {
    "recipe": {
        "model": {"base": "mteb-hybrid/tiny"},
        "data": [{"source": "ParallelWorld"}],
        "training": {"max_steps": 2},
    },
    "axes": {"start": {"tiny": {"batches.size": 8}, "other": {"model.base": "our/base", "batches.size": 8}}},
    "grids": [{"batches.alpha": [0.5, 0, 0.25], "seed": [1, 2]}, {"batches.alpha": 1, "seed": 1}],
    "tasks": ["ParallelWorld"],
}


def averages(folder: Path, *over: Any, **changes: Any) -> tuple[Average, ...]:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"averages": list(over)} | changes), encoding="utf-8")
    return read_study(path).averages


def made_of(average: Average) -> list[tuple[Any, int]]:
    return [(cell.recipe.batches.alpha, cell.recipe.seed) for cell in average.cells]


def test_cells_that_differ_in_nothing_else(tmp_path: Path) -> None:
    first, second = averages(tmp_path, {"batches.alpha": [0.25, 0.5]})
    assert [made_of(first), made_of(second)] == [[(0.25, 1), (0.5, 1)], [(0.25, 2), (0.5, 2)]]
    assert (first.strategy, first.alpha, first.seed) == ("hybrid averaged", None, 1)
    assert first.settings == {"batches.alpha": [0.25, 0.5], "seed": 1}
    assert first.name.startswith("mean-of-2-tiny-seed1-")
    assert first.name != second.name


def test_over_seeds(tmp_path: Path) -> None:
    """Alpha 1 has one seed: there is no such average of it, and that is no fault."""
    found = averages(tmp_path, {"seed": [1, 2]})
    assert [made_of(average) for average in found] == [[(alpha, 1), (alpha, 2)] for alpha in (0.5, 0, 0.25)]
    assert [(average.strategy, average.alpha, average.seed) for average in found] == [
        ("hybrid averaged", 0.5, None),
        ("cross averaged", 0, None),
        ("hybrid averaged", 0.25, None),
    ]
    assert found[0].name.startswith("mean-of-2-alpha0.5-tiny-")


def test_over_several_settings(tmp_path: Path) -> None:
    (found,) = averages(tmp_path, {"batches.alpha": [0, 0.5], "seed": [1, 2]})
    assert made_of(found) == [(0, 1), (0, 2), (0.5, 1), (0.5, 2)]
    assert (found.strategy, found.alpha, found.seed) == ("cross, hybrid averaged", None, None)


def test_one_average_said_twice_is_one(tmp_path: Path) -> None:
    once = averages(tmp_path, {"batches.alpha": [0.25, 0.5]})
    twice = averages(tmp_path, {"batches.alpha": [0.25, 0.5]}, {"batches.alpha": [0.5, 0.25]})
    assert [average.name for average in once] == [average.name for average in twice]


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"batches.alpa": [0, 1]}, r"averages\[0\].batches.alpa is in no grid; did you mean batches.alpha\?"),
        ({"loss.keep": [0, 1]}, r"loss.keep is in no grid; possible: batches.alpha, seed"),
        ({"batches.alpha": [0.5]}, "averages a cell with itself; give a setting two values or more"),
        ({}, "averages a cell with itself"),
        ({"batches.alpha": [0.5, 0.75]}, "no cells have all of these values and the same of all else"),
        ({"batches.alpha": [0.5, 0.5]}, "no cells have all of these values"),
        ({"batches.alpha": [0.5] * 2000, "seed": [1] * 2000}, "no cells have all of these values"),
        ({"batches.alpha": []}, r"line \d+: averages\[0\].batches.alpha is \[\]; it must be a list of one or more$"),
        ({"batches.alpha": 0.5}, r"averages\[0\].batches.alpha is 0.5; it must be a list of one or more$"),
        (3, r"line \d+: averages\[0\] is 3; it must be a mapping"),
    ],
)
def test_faults(tmp_path: Path, over: Any, told: str) -> None:
    with pytest.raises(HybridError, match=told):
        averages(tmp_path, over)


def test_models_that_began_with_different_ones(tmp_path: Path) -> None:
    grids = [{"start": ["tiny", "other"], "seed": 1}]
    with pytest.raises(HybridError, match="began with different ones"):
        averages(tmp_path, {"start": ["tiny", "other"]}, grids=grids)
