"""Whether the cells of a study that are trained began with the same models and the same texts, where they name such."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.study.cells import Cell
from mteb_hybrid.study.folder import StudyFolder
from mteb_hybrid.training.outcome import TrainingRecord
from mteb_hybrid.training.recipe import Recipe

_NO_TEXTS = {"mteb_tasks", "license"}
"""Settings of a source that change none of its texts."""


def check_same_inputs(cells: Iterable[Cell], folder: StudyFolder) -> None:
    """Check that no base model and no source has changed between two cells that are trained.

    Args:
        cells: of the study.
        folder: where their models are.

    Raises:
        HybridError: one has, and the cells cannot be compared; or a training record is damaged.
    """
    found: dict[Hashable, tuple[Cell, Hashable]] = {}
    for cell in cells:
        record = folder.record(cell)
        for named, told, was in _inputs(cell.recipe, record) if record is not None else ():
            other, before = found.setdefault(named, (cell, was))
            if was != before:
                raise HybridError(
                    f"{one_line(told, 120)} changed between the trainings of {other.name} and {cell.name}, which "
                    f"cannot be compared; delete the models that are out of date in {folder.path / 'models'}, and they "
                    "are trained again"
                )


def _inputs(recipe: Recipe, record: TrainingRecord) -> Iterator[tuple[Hashable, str, Hashable]]:
    """What a cell names, what to call it, and what it was when the cell was trained."""
    model = recipe.model
    yield (model.base, model.revision), model.base, record.base_revision
    prints = tuple(source.fingerprint for source in record.data)
    sources = [
        (source.model_dump_json(exclude=_NO_TEXTS), recipe.seed if source.sample else None) for source in recipe.data
    ]
    if len(prints) == len(sources):
        for source, named, was in zip(recipe.data, sources, prints, strict=True):
            yield named, source.source, was
    else:  # a built corpus has several files, and the record tells not whose they are
        yield tuple(sources), ", ".join(source.source for source in recipe.data), prints
