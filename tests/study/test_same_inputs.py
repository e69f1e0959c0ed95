"""Cells that are trained, of which the base model, the data or nothing at all changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.cells import Cell
from mteb_hybrid.study.folder import StudyFolder
from mteb_hybrid.study.same_inputs import check_same_inputs
from mteb_hybrid.training.outcome import RECORD, SourceRecord, TrainingRecord, record_text
from mteb_hybrid.training.recipe import Recipe


def cell(folder: Path, seed: int, sources: list[dict[str, Any]], prints: str, revision: str = "r") -> Cell:
    """A cell that was trained on texts with these fingerprints, of a letter each."""
    recipe = Recipe.model_validate({"model": {"base": "our/base"}, "data": sources, "seed": seed})
    data = [
        SourceRecord(
            name=each, source="s", revision=None, languages=["en"], rows=1, pairs=1, fingerprint=each, mteb_tasks=[]
        )
        for each in prints
    ]
    record = TrainingRecord(
        base="our/base",
        base_revision=revision,
        base_mteb_tasks=[],
        data=data,
        steps=1,
        best_step=None,
        batch_size=1,
        processes=1,
        batches_digest="",
        seconds=1.0,
        hardware="",
        versions={},
        curve=[],
    )
    made = Cell(recipe)
    model = StudyFolder(folder).model(made)
    model.mkdir(parents=True)
    (model / RECORD).write_text(record_text(record))
    return made


ONE: list[dict[str, Any]] = [{"source": "one.jsonl"}]
TWO = [*ONE, {"source": "two.jsonl"}]


def test_cells_of_the_same(tmp_path: Path) -> None:
    """What a seed samples, other rows, and other sources have other texts; what a source is licensed as has not."""
    cells = [
        cell(tmp_path, 1, ONE, "a"),
        cell(tmp_path, 2, TWO, "ab"),
        cell(tmp_path, 3, [{"source": "one.jsonl", "rows": 5}], "c"),
        cell(tmp_path, 4, [{"source": "one.jsonl", "sample": 5}], "d"),
        cell(tmp_path, 5, [{"source": "one.jsonl", "sample": 5}], "e"),
        cell(tmp_path, 6, [{"source": "one.jsonl", "license": "mit"}], "a"),
        cell(tmp_path, 7, [{"source": "corpus"}], "xy"),  # of several files
        cell(tmp_path, 8, [{"source": "corpus"}], "xy"),
    ]
    untrained = Cell(cells[0].recipe.model_copy(update={"seed": 9}))
    check_same_inputs([*cells, untrained], StudyFolder(tmp_path))


@pytest.mark.parametrize(
    ("sources", "prints", "revision", "told"),
    [
        (ONE, "b", "r", "one.jsonl"),
        (TWO, "ac", "r", "two.jsonl"),
        ([{"source": "corpus"}], "xz", "r", "corpus"),
        (ONE, "a", "other", "our/base"),
    ],
)
def test_what_changed_is_told_with_the_cells(
    sources: list[dict[str, Any]], prints: str, revision: str, told: str, tmp_path: Path
) -> None:
    before = [cell(tmp_path, 1, TWO, "ab"), cell(tmp_path, 2, [{"source": "corpus"}], "xy")]
    now = cell(tmp_path, 3, sources, prints, revision)
    with pytest.raises(HybridError, match=rf"^{told} changed between the trainings of .* and {now.name}, .*models"):
        check_same_inputs([*before, now], StudyFolder(tmp_path))
