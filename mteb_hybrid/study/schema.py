"""What a study's file may hold, as data. ``mteb_hybrid.study.study_file`` reads it and makes its cells."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from mteb_hybrid.settings.faults import fault_of
from mteb_hybrid.settings.model import Settings, Text
from mteb_hybrid.settings.words import SettingsWords
from mteb_hybrid.settings.yaml_lines import YamlFile

_Changes = dict[str, Any]


class StudySettings(Settings):
    """The file of a study."""

    question: Text | None = None
    """What the study is to answer."""
    recipe: Text | dict[str, Any]
    """The settings that all cells share, as in a recipe's file; or such a file, beside this one, or a preset's name."""
    axes: dict[str, dict[str, _Changes]] = Field(default={})
    """Names for settings that change together: axis, then value, then the settings, such as ``model.base``."""
    grids: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Each a mapping of settings (``batches.alpha``, as for ``train --set``) or axes to one value or a list of values;
    every combination is a cell. A cell that several grids have is one."""
    averages: list[dict[str, Annotated[list[Any], Field(min_length=1)]]] = Field(default=[])
    """Models whose weights are the mean of cells', evaluated beside these: each a mapping of settings or axes of the
    grids to values. Cells that have these values and differ in nothing else of their grid are averaged."""
    baselines: list[Text] = Field(default=[])
    """Models that are evaluated as they are: Hub ids, short names, folders, ``mteb-hybrid/tiny``."""
    tasks: Annotated[list[Text], Field(min_length=1)]
    """What every model is evaluated on: names of mteb tasks, ours and others; or collections of your own (.jsonl,
    .parquet), as for ``evaluate --data``."""


WORDS = SettingsWords(StudySettings)
"""What a study's file may say, in words."""


def check_study(file: YamlFile) -> StudySettings:
    """Take what a study's file says for a study, if it is one.

    Raises:
        HybridError: something is unknown, missing or impossible. The text names file, line and setting.
    """
    try:
        return StudySettings.model_validate(file.values)
    except ValidationError as error:
        raise fault_of(error, file, WORDS) from None
