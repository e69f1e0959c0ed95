"""Build files: what a corpus is made of, as YAML, each fault with its line."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from mteb_hybrid.building.cleaning import CleaningSettings
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.building.signatures import DuplicateSettings
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.data.corpus_lock import LOCK, read_lock
from mteb_hybrid.settings.faults import fault_of
from mteb_hybrid.settings.model import Settings, Text
from mteb_hybrid.settings.words import SettingsWords
from mteb_hybrid.settings.yaml_lines import YamlFile, parse_yaml, read_yaml


class BuildSettings(Settings):
    """What a corpus is made of, and what is done to it, in this order."""

    name: Text | None = None
    """What to call the corpus; the name of its folder by default."""
    sources: Annotated[list[SourceSettings], Field(min_length=1)]
    """Where its pairs come from; each source becomes a file."""
    cleaning: CleaningSettings = CleaningSettings()
    """What no training should see goes."""
    duplicates: DuplicateSettings | None = DuplicateSettings()
    """What is there already goes, in all sources together; ``null`` keeps it."""
    translation: TranslationSettings | None = None
    """Translate what is in one language only; ``null`` for no translation."""
    decontamination: DecontaminationSettings | None = DecontaminationSettings()
    """What benchmarks hold goes; ``null`` keeps it, and training refuses the corpus unless told otherwise by name."""


_WORDS = SettingsWords(BuildSettings)


def read_build_file(path: str | Path) -> BuildSettings:
    """Read a build file and check all of it.

    Args:
        path: a YAML file (``describe_build_file`` tells what it may hold); the name of one that the package has,
            ``paper``; or the lock file of a corpus, to build that corpus again.

    Raises:
        HybridError: the file cannot be read, is not YAML, holds an unknown setting or an impossible value, or lacks
            a setting. The text names file, line and setting.
    """
    file = _open(path)
    try:
        return BuildSettings.model_validate(file.values)
    except ValidationError as error:
        raise fault_of(error, file, _WORDS) from None


def _open(path: str | Path) -> YamlFile:
    if Path(path).name == LOCK:
        return YamlFile(read_lock(Path(path)).settings, {(): str(path)})
    preset = files("mteb_hybrid.building").joinpath("presets", f"{path}.yaml")
    if Path(path).name == str(path) and os.path.isfile(str(preset)) and not os.path.isfile(path):
        return parse_yaml(preset.read_text(encoding="utf-8"), f"preset {path}")
    return read_yaml(path)


def describe_build_file() -> str:
    """All settings with their defaults and what they mean, as an annotated build file."""
    return _WORDS.describe()
