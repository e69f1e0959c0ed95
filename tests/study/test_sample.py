"""Samples of training pairs: of one seed a larger one holds the smaller, of another seed they differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.sources import load_data
from tests.training.small_runs import rows, write


def sampled(path: Path, count: int | None, seed: int) -> list[str]:
    """The ids of the rows that a recipe trains on."""
    source = {"source": str(path)} | ({"sample": count} if count else {})
    recipe = Recipe.model_validate({"model": {"base": "mteb-hybrid/tiny"}, "data": [source], "seed": seed})
    (corpus,) = load_data(recipe).corpora
    return list(corpus.table["id"].to_pylist())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows."""
    return write(tmp_path_factory.mktemp("data") / "pairs.jsonl", rows())


@settings(max_examples=20)
@given(one=st.integers(1, 45), other=st.integers(1, 45), seed=st.integers(0, 2**32 - 1))
def test_samples_nest(path: Path, one: int, other: int, seed: int) -> None:
    small, large = (sampled(path, count, seed) for count in sorted((one, other)))
    assert (len(small), len(large)) == (min(one, other, 40), min(max(one, other), 40))
    assert {*small} <= {*large} <= {*sampled(path, None, seed)}
    assert large == sorted(large, key=int)


def test_another_seed_draws_other_rows_and_not_the_first(path: Path) -> None:
    drawn = {tuple(sampled(path, 10, seed)) for seed in range(5)}
    assert len(drawn) == 5
    assert tuple(map(str, range(10))) not in drawn
    assert tuple(sampled(path, 10, 0)) in drawn  # the same again
