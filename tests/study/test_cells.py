"""Cells: one for one training, however it is spelled, and another for another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.models import check_name
from mteb_hybrid.settings.yaml_lines import YamlFile, dump_yaml, parse_yaml
from mteb_hybrid.study.cells import Cell, strategy_of
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.recipe_file import check_recipe, dump_recipe

BASE: dict[str, Any] = {"model": {"base": "org/a-base"}, "data": [{"source": "MLQA-R"}]}


def cell(**sections: Any) -> Cell:
    return Cell(Recipe.model_validate(BASE | sections))


def shuffled(values: Any, draw: Any) -> Any:
    """The same mapping, its keys in any order, some whole numbers as floats."""
    if isinstance(values, dict):
        return {key: shuffled(values[key], draw) for key in draw(st.permutations(list(values)))}
    return values


@given(st.data())
def test_no_spelling_changes_a_digest(data: st.DataObject) -> None:
    """The order of keys, defaults said or left out, the whole recipe as a run writes it down."""
    alpha = data.draw(st.none() | st.sampled_from([0, 0.0, 0.25, 0.5, 1, 1.0]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    own = cell(batches={"alpha": alpha, "size": 8}, seed=seed, training={"max_steps": 5, "learning_rate": 1.0})
    written = YamlFile(parse_yaml(dump_recipe(own.recipe), "recipe").values, {(): "recipe"})
    dense = own.recipe.model_dump(exclude_defaults=True)
    other = parse_yaml(dump_yaml(shuffled(dense, data.draw)), "recipe")
    for again in (check_recipe(written), check_recipe(other)):
        assert Cell(again).digest == own.digest
        assert Cell(again).name == own.name


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 0.25, 0.5, 1]), st.sampled_from([8, 16])), max_size=8))
def test_different_trainings_have_different_names(trainings: list[tuple[int, float, int]]) -> None:
    cells = [cell(seed=seed, batches={"alpha": alpha, "size": size}) for seed, alpha, size in trainings]
    assert len({each.name for each in cells}) == len({*trainings})


def test_the_digest_stays_what_it_was() -> None:
    """A study goes on with a later version of the package: what changes this number forgets what users have trained."""
    assert cell(batches={"strategy": "mono"}, seed=1).name == "mono-a-base-seed1-1251cb2f"


def test_two_spellings_of_one_strategy_are_one_cell() -> None:
    assert cell(batches={"strategy": "mono"}).digest == cell(batches={"alpha": 1}).digest
    assert cell(batches={"strategy": "cross"}).digest == cell(batches={"alpha": 0}).digest
    assert cell().digest == cell(batches={"strategy": "hybrid", "alpha": 0.5}).digest
    assert cell(batches={"strategy": "bilingual"}).digest == cell(batches={"strategy": "bilingual", "alpha": 0}).digest
    assert cell(batches={"strategy": "bilingual"}).digest != cell(batches={"strategy": "cross"}).digest
    assert cell(training={"learning_rate": 1}).digest == cell(training={"learning_rate": 1.0}).digest
    assert cell(training={"bf16": True}).digest != cell(training={"bf16": 1}).digest


def test_where_a_model_is_written_makes_no_other_cell() -> None:
    assert cell(output="elsewhere").digest == cell().digest


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"batches": {"strategy": "mono"}}, ("mono", 1.0)),
        ({"batches": {"alpha": 1}}, ("mono", 1.0)),
        ({"batches": {"strategy": "cross"}}, ("cross", 0.0)),
        ({}, ("hybrid", 0.5)),
        ({"batches": {"alpha": 0.25}}, ("hybrid", 0.25)),
        ({"batches": {"alpha": {"start": 0, "end": 1}}}, ("hybrid 0 to 1", None)),
        ({"batches": {"strategy": "mixed"}}, ("mixed", None)),
        ({"batches": {"strategy": "bilingual"}}, ("bilingual", 0.0)),
        ({"loss": {"keep": 1}}, ("hybrid + keep", 0.5)),
        ({"loss": {"distill": {}, "keep": 0.5}}, ("hybrid + distill + keep", 0.5)),
        ({"loss": {"distill": {"weight": 0}, "score_distill": {}}}, ("hybrid + score-distill", 0.5)),
        ({"loss": {"distillation": {}}}, ("hybrid + distillation", 0.5)),
    ],
)
def test_what_a_row_calls_a_strategy(sections: dict[str, Any], expected: tuple[str, float | None]) -> None:
    assert strategy_of(cell(**sections).recipe) == expected


def test_names_are_readable_and_possible() -> None:
    assert cell(seed=3).name.startswith("hybrid-alpha0.5-a-base-seed3-")
    assert cell(batches={"strategy": "mono"}, loss={"keep": 1}).name.startswith("mono-keep-a-base-seed42-")
    sampled = cell(data=[{"source": "MLQA-R", "sample": 1000}])
    assert sampled.name.startswith("hybrid-alpha0.5-a-base-1000rows-seed42-")
    for base in ("/a/path with blanks/mödel!", "x" * 300, "///", "C:\\models\\mine"):
        name = cell(
            model={"base": base},
            batches={"alpha": {"start": 0, "end": 1}},
            loss={"distill": {}, "keep": 1, "translate_align": 1},
            seed=2**32 - 1,
        ).name
        check_name(name)
