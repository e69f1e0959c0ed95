"""Batches shown without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.preview import preview
from mteb_hybrid.training.recipe import AlphaSchedule, Recipe
from tests.training.small_runs import recipe, rows, write

TINY = "mteb-hybrid/tiny"


def shown(asked: Recipe, number: int = 99, epoch: int = 0) -> dict[str, list[str]]:
    """The lines of each batch, by its head."""
    batches: dict[str, list[str]] = {}
    for line in preview(asked, number, epoch=epoch):
        if line.startswith("batch "):
            pairs = batches.setdefault(line, [])
        else:
            pairs.append(line)
    return batches


def test_a_batch_to_the_letter(tmp_path: Path) -> None:
    """Two rows in one language are one batch, in one of two orders."""
    path = write(tmp_path / "small.jsonl", rows(2, ("zh-Hant",)))
    ((head, pairs),) = shown(recipe(TINY, path, batches={"size": 2, "strategy": "mono"})).items()
    assert head == "batch 0: mono, zh-Hant, 2 pairs of small"
    assert sorted(pairs) == [f"  zh-Hant-zh-Hant {row:24}  zhHantq{row}  |  zhHantp{row}" for row in ("0", "1")]


@pytest.mark.parametrize(
    ("strategy", "kinds"), [("hybrid", {"mono", "cross"}), ("mixed", {"mixed"}), ("cross", {"cross"})]
)
def test_what_is_said_of_pairs_is_true(strategy: str, kinds: set[str], tmp_path: Path) -> None:
    path = write(tmp_path / "small.jsonl", rows(40, ("de", "en", "fr"), ragged=True))
    batches = shown(recipe(TINY, path, batches={"size": 8, "strategy": strategy}))
    assert [head.split(":")[0] for head in batches] == [f"batch {step}" for step in range(5)]
    assert {head.split(": ")[1].split(",")[0] for head in batches} == kinds
    for head, pairs in batches.items():
        assert head.endswith("8 pairs of small")
        identifiers = set()
        for pair in pairs:
            languages, identifier, query, _, passage = pair.split()
            (a, b), kind = languages.split("-"), head.split(": ")[1].split(",")[0]
            assert (query, passage) == (f"{a}q{identifier}", f"{b}p{identifier}")
            assert (a != b) == (kind == "cross")
            if kind == "mono":
                assert f"mono, {a}," in head
            identifiers.add(identifier)
        assert len(identifiers) == 8


def test_several_sources_and_epochs(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.jsonl", rows(20, ("de", "en"), name=name)) for name in ("left", "right")]
    asked = recipe(TINY, *paths, batches={"size": 4})
    batches = shown(asked)
    assert len(batches) == 10
    assert {head.rpartition(" ")[2] for head in batches} == {"left", "right"}
    assert all(head.rpartition(" ")[2] in pair for head, pairs in batches.items() for pair in pairs)
    assert shown(asked, 3) == dict(list(batches.items())[:3])
    assert shown(asked, epoch=1) != batches
    assert shown(asked, 0) == {}


def test_a_schedule_of_alpha_is_that_of_the_training(tmp_path: Path) -> None:
    """Forty batches are an epoch, and the training goes on for 4000: at first nearly all are of one language."""
    path = write(tmp_path / "small.jsonl", rows(40, ("de", "en")))
    settings: dict[str, Any] = {"size": 1, "alpha": AlphaSchedule(start=1, end=0)}
    asked = recipe(TINY, path, batches=settings, training={"max_steps": 4000})
    assert sum("mono" in head for head in shown(asked)) >= 38


def test_long_texts_and_control_characters_are_cut(tmp_path: Path) -> None:
    row = {"id": "a\x1b[2J" + "b" * 99, "query_de": "line\none\t" + "w" * 99, "passage_de": "x" * 60}
    path = write(tmp_path / "small.jsonl", [row])
    _, pair = preview(recipe(TINY, path, batches={"size": 1, "strategy": "mono"}), 1)
    assert pair.isprintable()
    assert pair == f"  de-de    a [2J{'b' * 18}…  line one {'w' * 50}…  |  {'x' * 60}"


def test_batches_that_cannot_be_filled(tmp_path: Path) -> None:
    path = write(tmp_path / "small.jsonl", rows(4))
    with pytest.raises(HybridError, match="need 8 different passages, there are 4"):
        list(preview(recipe(TINY, path), 1))
    with pytest.raises(HybridError, match="validation share"):
        list(preview(recipe(TINY, path, batches={"size": 2}, validation={"share": 0.1}), 1))
