"""What a study's file may hold, as data. ``mteb_hybrid.study.study_file`` reads it and makes its cells."""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.settings.yaml_lines import Location, YamlFile, dotted

_Text = Annotated[str, Field(min_length=1)]
_Changes = dict[str, Any]


class StudySettings(BaseModel):
    """The file of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    question: _Text | None = None
    """What the study is to answer."""
    recipe: _Text | dict[str, Any]
    """The settings that all cells share, as in a recipe's file; or such a file, beside this one, or a preset's name."""
    axes: dict[str, dict[str, _Changes]] = {}
    """Names for settings that change together: axis, then value, then the settings, such as ``model.base``."""
    grids: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Each a mapping of settings (``batches.alpha``, as for ``train --set``) or axes to one value or a list of values;
    every combination is a cell. A cell that several grids have is one."""
    baselines: list[_Text] = []
    """Models that are evaluated as they are: Hub ids, short names, folders, ``mteb-hybrid/tiny``."""
    tasks: Annotated[list[_Text], Field(min_length=1)]
    """What every model is evaluated on: names of mteb tasks, ours and others."""


_POSSIBLE = {
    "question": "a text",
    "recipe": "a mapping of a recipe's settings, or the name of a recipe's file or preset",
    "axes": "a mapping of a name to values, each a mapping of settings",
    "grids": "a list of one or more mappings, each of settings to values",
    "baselines": "a list of models",
    "tasks": "a list of one or more names of tasks",
}


def check_study(file: YamlFile) -> StudySettings:
    """Take what a study's file says for a study, if it is one.

    Raises:
        HybridError: something is unknown, missing or impossible. The text names file, line and setting.
    """
    try:
        return StudySettings.model_validate(file.values)
    except ValidationError as error:
        raise _fault(error.errors(include_url=False), file) from None


def _fault(faults: list[ErrorDetails], file: YamlFile) -> HybridError:
    """The first fault of the file; an unknown key before all, as it may be why another is missing."""
    first = min(faults, key=lambda details: details["type"] != "extra_forbidden")
    location = _location(first["loc"], file)
    key = str(location[0])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _POSSIBLE, n=1)
        hint = f"did you mean {near[0]}?" if near else f"possible: {', '.join(_POSSIBLE)}"
        return file.fault(location, f"{one_line(key, 60)} is no part of a study; {hint}")
    if first["type"] == "missing":
        return file.fault((), f"{key} is missing; it must be {_POSSIBLE[key]}")
    value = one_line(json.dumps(first["input"], ensure_ascii=False, default=str), 60)
    return file.fault(location, f"{dotted(location)} is {value}; {key} must be {_POSSIBLE[key]}")


def _location(parts: tuple[int | str, ...], file: YamlFile) -> Location:
    """Pydantic's location without what names alternatives, which is in no file."""
    location: Location = parts[:1]
    for part in parts[1:]:
        if (*location, part) in file.places:
            location = (*location, part)
    return location
