"""Recipes as YAML files: read with presets and line numbers, and written as run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.settings.faults import fault_of, shown
from mteb_hybrid.settings.words import SettingsWords
from mteb_hybrid.settings.yaml_lines import Location, YamlFile, dotted, dump_yaml, parse_value, parse_yaml, read_yaml
from mteb_hybrid.training.arguments import training_faults, training_types
from mteb_hybrid.training.recipe import Recipe

WORDS = SettingsWords(Recipe, lambda name: f"training.{name}" if name in training_types() else None)
"""What a recipe may say, in words."""

# Settings that say the same in two ways: the one that is said later takes the place of the other.
_ALTERNATIVES = {"training": {"max_steps", "num_train_epochs"}, "validation": {"share", "source"}}

# In a recipe as run: its preset is a note, and adds nothing any more.
_RESOLVED = "resolved"


def read_recipe(path: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe and check all of it.

    What the file says goes before what its preset says: mappings are merged key by key, anything else replaces.

    Args:
        path: a YAML file (``describe_recipe`` tells what it may hold), or the name of a preset.
        settings: changes that go before the file, such as ``batches.alpha=0.3`` or ``data[0].rows=500``.

    Returns:
        The recipe, with the settings of its preset.

    Raises:
        HybridError: the file cannot be read, is not YAML, holds an unknown setting or an impossible value, or lacks
            a setting. The text names file, line and setting.
    """
    file = open_recipe(path)
    for setting in settings:
        file = with_change(file, setting)
    return check_recipe(file)


def open_recipe(path: str | Path) -> YamlFile:
    """Read what a recipe says over what its preset says, unchecked; else as ``read_recipe``."""
    return over_preset(_open(path))


def check_recipe(file: YamlFile) -> Recipe:
    """Take what ``open_recipe`` gave for a recipe, if it is one; else as ``read_recipe``."""
    try:
        recipe = Recipe.model_validate(file.values)
    except ValidationError as error:
        raise fault_of(error, file, WORDS) from None
    for key, problem in training_faults(recipe.training):
        raise file.fault(("training", key), f"training.{one_line(key, 60)} {problem}")
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe as YAML with every setting, also those of its preset and the defaults.

    Returns:
        Text that ``read_recipe`` reads as the same recipe, whatever becomes of the preset and the defaults.
    """
    values = recipe.model_dump()
    if recipe.preset is None:
        return dump_yaml(values)
    comment = f"# Every setting of the run is here. {_RESOLVED}: the preset is not applied again.\n"
    return comment + dump_yaml({"preset": recipe.preset, _RESOLVED: True} | values)


def describe_recipe() -> str:
    """All settings with their defaults and what they mean, as an annotated recipe."""
    return WORDS.describe()


def _open(path: str | Path) -> YamlFile:
    if str(path) in _presets() and not os.path.isfile(path):
        return parse_yaml(f"preset: {path}", f"preset {path}")
    return read_yaml(path)


def _presets() -> list[str]:
    folder = files("mteb_hybrid.training").joinpath("presets")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir())


def over_preset(file: YamlFile) -> YamlFile:
    """What a recipe says over what its preset says.

    Raises:
        HybridError: there is no such preset.
    """
    own = dict(file.values)
    resolved, name = own.pop(_RESOLVED, False), own.get("preset")
    if not isinstance(resolved, bool):
        raise file.fault((_RESOLVED,), f"{_RESOLVED} is {shown(resolved)}; it must be true or false")
    if name is None or resolved:
        return YamlFile(own, file.places)
    if name not in _presets():
        raise file.fault(("preset",), f"preset is {shown(name)}; it must be {WORDS.possible_at(('preset',))}")
    text = files("mteb_hybrid.training").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    return YamlFile(_laid_over(parse_yaml(text, f"preset {name}").values, own), file.places)


def with_change(file: YamlFile, setting: str) -> YamlFile:
    """The file with one setting changed; faults of it name the change.

    Args:
        file: of ``open_recipe``.
        setting: such as ``batches.alpha=0.3``.

    Raises:
        HybridError: it is not of that form, or in a part that is not there.
    """
    path, equals, text = setting.partition("=")
    place = f"--set {one_line(setting, 60)}"
    if not equals or not location_in(path):
        raise HybridError(f"{place}: write SETTING=VALUE, such as batches.alpha=0.3")
    return with_value(file, location_in(path), parse_value(text, place), place)


def location_in(path: str) -> Location:
    """The location that ``data[0].rows`` names; empty if it names none."""
    return tuple(int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", path))


def with_value(file: YamlFile, location: Location, value: Any, place: str) -> YamlFile:
    """The file with another value at a location.

    Args:
        file: of ``open_recipe``.
        location: of the setting, not empty.
        value: laid over what is there, as a file over its preset.
        place: what faults of it name.

    Raises:
        HybridError: the location is in a list that is not so long, or is the preset's.
    """
    if location == ("preset",):
        raise HybridError(f"{place}: a preset is named in the recipe, or in its place")
    layer = value
    for depth in range(len(location), 0, -1):
        part, around = location[depth - 1], _at(file.values, location[: depth - 1])
        if isinstance(part, int) and not (isinstance(around, list) and part < len(around)):
            raise HybridError(f"{place}: there is no {dotted(location[:depth])}")
        layer = {part: layer}
    places = {at: where for at, where in file.places.items() if at[: len(location)] != location}
    changed = {location[: depth + 1]: place for depth in range(len(location))}
    return YamlFile(_laid_over(file.values, layer), changed | places)


def _at(values: Any, location: Location) -> Any:
    for part in location:
        try:
            values = values[part]
        except (LookupError, TypeError):
            return None
    return values


def _laid_over(below: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What ``own`` says, and what ``below`` says beside it."""
    below = dict(below)
    for section, names in _ALTERNATIVES.items():
        said, before = own.get(section), below.get(section)
        if isinstance(said, dict) and isinstance(before, dict) and names & said.keys():
            below[section] = {key: value for key, value in before.items() if key not in names}
    merged: dict[str, Any] = _merged(below, own)
    return merged


def _merged(below: Any, own: Any) -> Any:
    if isinstance(below, dict) and isinstance(own, dict):
        return below | {key: _merged(below.get(key), value) for key, value in own.items()}
    if isinstance(below, list) and isinstance(own, dict) and any(isinstance(key, int) for key in own):
        return [_merged(value, own.get(position, value)) for position, value in enumerate(below)]
    return own
