"""What a training run noted, without the folders of the machine that it ran on."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePath, PureWindowsPath
from typing import Any

from mteb_hybrid.licences import BUILT_IN_LICENSES
from mteb_hybrid.training.outcome import SourceRecord, TrainingRecord
from mteb_hybrid.training.recipe import Recipe, SourceSettings

_ABSOLUTE = re.compile(r"[/~]|\\\\|[A-Za-z]:[/\\]")
_FILE = re.compile(r".*\.(jsonl|parquet)", re.IGNORECASE)


def public_name(source: str) -> str:
    """A Hub id or a name as it is; of a path, and of what is on disk here, its last part."""
    path = is_absolute(source) or source.startswith(".") or "\\" in source or source.count("/") > 1
    if path or ("/" in source and os.path.exists(source)):
        return PureWindowsPath(source).name or source.strip("./~") or "model"
    return PurePath(source).name if _FILE.fullmatch(source) else source


def is_absolute(text: str) -> bool:
    """Whether a text is a path from the root, a home or a drive on, on any system."""
    return _ABSOLUTE.match(text) is not None


def public_record(record: TrainingRecord) -> TrainingRecord:
    """The record with paths cut to their last part, and with the licences that the package knows."""
    names: dict[str, Any] = {
        "base": public_name(record.base),
        "base_data": [_public_source_record(source) for source in record.base_data],
        "data": [_public_source_record(source) for source in record.data],
    }
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


def _public_source_record(source: SourceRecord) -> SourceRecord:
    name = public_name(source.source)
    license = source.license or BUILT_IN_LICENSES.get(name) or BUILT_IN_LICENSES.get(source.name)
    return source.model_copy(update={"source": name, "license": license})


def public_recipe(recipe: Recipe, record: TrainingRecord) -> Recipe:
    """The recipe with paths cut to their last part, and without the folder that it wrote to.

    Args:
        recipe: as it was run.
        record: of that run, with its paths: it tells which names were those of files and folders.
    """
    loss, validation = recipe.loss, recipe.validation
    on_disk = [PurePath(place) for place in (record.base, *(source.source for source in record.data))]
    for name in ("distillation", "distill", "score_distill"):
        settings = getattr(loss, name)
        if settings is not None and settings.teacher is not None:
            public = settings.model_copy(update={"teacher": public_name(settings.teacher)})
            loss = loss.model_copy(update={name: public})
    if validation is not None and validation.source is not None:
        validation = validation.model_copy(update={"source": _public_source(validation.source, on_disk)})
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"base": _public_place(recipe.model.base, on_disk)}),
            "data": [_public_source(source, on_disk) for source in recipe.data],
            "loss": loss,
            "validation": validation,
            "training": {name: _public_value(value) for name, value in recipe.training.items()},
            "output": None,
        }
    )


def _public_source(source: SourceSettings, on_disk: Sequence[PurePath]) -> SourceSettings:
    return source.model_copy(update={"source": _public_place(source.source, on_disk)})


def _public_place(name: str, on_disk: Sequence[PurePath]) -> str:
    """The public form of a name that the recipe gives in full, or from the folder on that it was run in."""
    parts = PurePath(name).parts
    place = next((path for path in on_disk if path.is_absolute() and path.parts[-len(parts) :] == parts), None)
    return public_name(name if place is None else str(place))


def _public_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _public_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_public_value(inner) for inner in value]
    return public_name(value) if isinstance(value, str) and is_absolute(value) else value
