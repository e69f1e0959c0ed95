"""Studies as YAML files: read with their presets, and made into cells, each fault with its line."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.settings.yaml_lines import Location, YamlFile, dotted, parse_yaml, read_yaml
from mteb_hybrid.study.averages import Average, Trained, averages_of
from mteb_hybrid.study.cells import Cell
from mteb_hybrid.study.inputs import check_collection, check_inputs
from mteb_hybrid.study.schema import StudySettings, check_study
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.recipe_file import (
    check_recipe,
    location_in,
    open_recipe,
    over_preset,
    with_change,
    with_value,
)

_CELLS_AT_MOST = 10_000


@dataclass(frozen=True)
class Study:
    """What is to be done.

    Attributes:
        name: of the file or the preset.
        question: what it is to answer, if it says so.
        cells: what is trained and evaluated, each once, in the order of the grids.
        averages: what is made of cells that are trained, and evaluated.
        baselines: what is evaluated as it is: Hub ids, short names, folders, ``mteb-hybrid/tiny``.
        tasks: what every model is evaluated on: names of mteb tasks, and files of parallel collections.
    """

    name: str
    question: str | None
    cells: tuple[Cell, ...]
    averages: tuple[Average, ...]
    baselines: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class _Change:
    """What a cell says over the recipe of all cells."""

    location: Location
    value: Any
    place: str


@dataclass(frozen=True)
class _Choice:
    """One value of one line of a grid, and what it changes."""

    key: str
    value: Any
    changes: tuple[_Change, ...]


def read_study(path: str | Path, settings: Iterable[str] = ()) -> Study:
    """Read a study and check all of it: the recipe of every cell, and that models and data named by path are there.

    Args:
        path: a YAML file (``mteb_hybrid.study.schema`` tells what it may hold), or the name of a preset.
        settings: changes that go before the file: of the recipe of all cells, such as ``training.max_steps=100``, or
            of the study, such as ``tasks=[XQuADR]``.

    Returns:
        The study. Names of tasks are not looked up here.

    Raises:
        HybridError: the file cannot be read, or something in it is unknown, missing or impossible. The text names
            file, line and setting.
    """
    file = _open(path)
    of_recipe = []
    for setting in settings:
        if (location_in(setting.partition("=")[0]) or ("",))[0] in Recipe.model_fields:
            of_recipe.append(setting)
        else:
            file = with_change(file, setting)
    study = check_study(file)
    shared = _shared_recipe(study, file, Path(path).parent)
    for setting in of_recipe:
        shared = with_change(shared, setting)
    _check_axes(study, file)
    cells = _cells(study, file, shared)
    averages = _averages(study, file, cells)
    for number, baseline in enumerate(study.baselines):
        _check_baseline(baseline, number, [*cells, *averages], file)
    for number, task in enumerate(study.tasks):
        check_collection(task, number, file)
    baselines, tasks = dict.fromkeys(study.baselines), dict.fromkeys(study.tasks)
    return Study(Path(path).stem, study.question, cells, averages, tuple(baselines), tuple(tasks))


def preset_names() -> list[str]:
    """The studies that are ready made."""
    folder = files("mteb_hybrid.study").joinpath("presets")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir())


def _open(path: str | Path) -> YamlFile:
    if str(path) in preset_names() and not os.path.isfile(path):
        text = files("mteb_hybrid.study").joinpath("presets", f"{path}.yaml").read_text(encoding="utf-8")
        return parse_yaml(text, f"preset {path}")
    near = difflib.get_close_matches(str(path), preset_names(), n=1)
    if near and not os.path.exists(path):
        raise HybridError(
            f"there is no file {one_line(path, 120)}, and no preset of that name; did you mean {near[0]}?"
        )
    return read_yaml(path)


def _shared_recipe(study: StudySettings, file: YamlFile, folder: Path) -> YamlFile:
    """What all cells share, with the places where it stands."""
    if isinstance(study.recipe, str):
        beside = folder / study.recipe
        try:
            return open_recipe(beside if os.path.isfile(beside) else study.recipe)
        except HybridError as error:
            raise file.fault(("recipe",), f"recipe: {error}") from None
    places = {location[1:]: place for location, place in file.places.items() if location[:1] == ("recipe",)}
    return over_preset(YamlFile(study.recipe, places))


def _check_axes(study: StudySettings, file: YamlFile) -> None:
    for axis, values in study.axes.items():
        if (location_in(axis) or (axis,))[0] in Recipe.model_fields:
            raise file.fault(("axes", axis), f"axes.{one_line(axis, 60)} has the name of a setting; choose another")
        if not values:
            raise file.fault(("axes", axis), f"axes.{one_line(axis, 60)} has no values")


def _cells(study: StudySettings, file: YamlFile, shared: YamlFile) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {}
    checked: set[Any] = set()
    for number, grid in enumerate(study.grids):
        choices = [_choices(study, file, ("grids", number, key), value) for key, value in grid.items()]
        if prod(map(len, choices)) > _CELLS_AT_MOST:
            raise file.fault(("grids", number), f"grids[{number}] has more than {_CELLS_AT_MOST:,} cells; part it")
        for combination in itertools.product(*choices):
            whole = shared
            for change in itertools.chain.from_iterable(choice.changes for choice in combination):
                whole = with_value(whole, change.location, change.value, change.place)
            cell = Cell(check_recipe(whole), {choice.key: choice.value for choice in combination})
            check_inputs(cell.recipe, whole, checked)
            same = cells.setdefault(cell.name, cell)
            if same.digest != cell.digest:  # of 32 bits of it: one in a million for a hundred cells
                raise file.fault(("grids", number), f"two cells are called {cell.name}; change a seed")
    return tuple(cells.values())


def _choices(study: StudySettings, file: YamlFile, location: Location, value: Any) -> list[_Choice]:
    """What each value of one line of a grid changes."""
    key = str(location[-1])
    values = value if isinstance(value, list) else [value]
    if not values:
        raise file.fault(location, f"{dotted(location)} has no values; leave it out, or give it some")
    setting = location_in(key)
    if key not in study.axes:
        _check_setting(setting, study, file, location)
        if setting[0] in {"preset", "output"}:
            raise file.fault(location, f"{dotted(location)} cannot be varied; the study decides where models are kept")
        place = file.places[file.nearest(location)]
        return [_Choice(key, each, (_Change(setting, each, place),)) for each in values]
    return [_Choice(key, each, tuple(_axis_changes(study, file, location, key, str(each)))) for each in values]


def _axis_changes(study: StudySettings, file: YamlFile, at: Location, axis: str, value: str) -> Iterator[_Change]:
    known = study.axes[axis]
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"possible: {', '.join(known)}"
        raise file.fault(at, f"{one_line(value, 60)} is no value of axes.{axis}; {hint}")
    for setting, own in known[value].items():
        location = ("axes", axis, value, setting)
        changed = location_in(setting)
        _check_setting(changed, study, file, location)
        yield _Change(changed, own, file.places[file.nearest(location)])


def _check_setting(setting: Location, study: StudySettings, file: YamlFile, at: Location) -> None:
    """Raise a HybridError if a recipe has no part that a setting could be in; the rest is checked with the recipe."""
    first = str(setting[0]) if setting else ""
    if first not in Recipe.model_fields:
        near = difflib.get_close_matches(first, [*study.axes, *Recipe.model_fields], n=1)
        hint = f"did you mean {near[0]}?" if near else "name a setting as for train --set, or one of axes"
        raise file.fault(at, f"{dotted(at)} is no setting of a recipe; {hint}")


def _averages(study: StudySettings, file: YamlFile, cells: tuple[Cell, ...]) -> tuple[Average, ...]:
    found: dict[str, Average] = {}
    for number, over in enumerate(study.averages):
        for average in averages_of(over, cells, file, ("averages", number)):
            found.setdefault(average.name, average)
    return tuple(found.values())


def _check_baseline(baseline: str, number: int, trained: Sequence[Trained], file: YamlFile) -> None:
    """Raise a HybridError for a folder that holds no model, or a short name that a cell or an average has."""
    from mteb_hybrid.models import check_model_folder

    place = ("baselines", number)
    if baseline in {model.name for model in trained}:
        raise file.fault(place, f"baselines[{number}] has the name of a model of the study; choose another short name")
    folder = Path(os.path.expanduser(baseline))
    if os.path.isdir(folder):
        try:
            check_model_folder(folder)
        except HybridError as error:
            raise file.fault(place, f"baselines[{number}]: {error}") from None
