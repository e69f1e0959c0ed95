"""What a training run noted, without the folders of the machine that it ran on."""

from __future__ import annotations

import re
from pathlib import PurePath, PureWindowsPath
from typing import Any

from mteb_hybrid.training.outcome import TrainingRecord
from mteb_hybrid.training.recipe import Recipe, SourceSettings

_FILE = re.compile(r".*\.(jsonl|parquet)", re.IGNORECASE)


def public_name(source: str) -> str:
    """A Hub id or a name as it is; of a path its last part."""
    windows = PureWindowsPath(source)
    if source.startswith(("/", "~", ".")) or windows.drive or "\\" in source or source.count("/") > 1:
        return windows.name or source.strip("./~") or "model"
    return PurePath(source).name if _FILE.fullmatch(source) else source


def public_record(record: TrainingRecord) -> TrainingRecord:
    """The record with paths cut to their last part."""
    data = [source.model_copy(update={"source": public_name(source.source)}) for source in record.data]
    names: dict[str, Any] = {"base": public_name(record.base), "data": data}
    if record.origin is not None:
        names["origin"] = public_name(record.origin)
    if record.merged_from is not None:
        names["merged_from"] = [
            part.model_copy(
                update={"source": public_name(part.source), "origin": part.origin and public_name(part.origin)}
            )
            for part in record.merged_from
        ]
    return record.model_copy(update=names)


def public_recipe(recipe: Recipe) -> Recipe:
    """The recipe with paths cut to their last part, and without the folder that it wrote to."""
    loss, validation = recipe.loss, recipe.validation
    for name in ("distillation", "distill", "score_distill"):
        settings = getattr(loss, name)
        if settings is not None and settings.teacher is not None:
            public = settings.model_copy(update={"teacher": public_name(settings.teacher)})
            loss = loss.model_copy(update={name: public})
    if validation is not None and validation.source is not None:
        validation = validation.model_copy(update={"source": _public_source(validation.source)})
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"base": public_name(recipe.model.base)}),
            "data": [_public_source(source) for source in recipe.data],
            "loss": loss,
            "validation": validation,
            "training": {name: _public_value(value) for name, value in recipe.training.items()},
            "output": None,
        }
    )


def _public_source(source: SourceSettings) -> SourceSettings:
    return source.model_copy(update={"source": public_name(source.source)})


def _public_value(value: Any) -> Any:
    return public_name(value) if isinstance(value, str) and value.startswith(("/", "~")) else value
