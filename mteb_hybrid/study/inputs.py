"""What a recipe needs that is on this machine: looked for before anything starts, so that no cell fails by a typo."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import LOCAL_ORGANISATION, NamedModel, known_models
from mteb_hybrid.settings.yaml_lines import Location, YamlFile
from mteb_hybrid.training.recipe import ModelSettings, Recipe

_HUB_DATA = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def check_inputs(recipe: Recipe, file: YamlFile, checked: set[Any]) -> None:
    """Check that the base model and the data are there, unless they are to be downloaded.

    Args:
        recipe: of a cell.
        file: what it was read from.
        checked: what was found before; added to.

    Raises:
        HybridError: a model or a file is not there. The text names the place.
    """
    sources: list[tuple[Location, str]] = [
        (("data", number, "source"), source.source) for number, source in enumerate(recipe.data)
    ]
    if recipe.validation is not None and recipe.validation.source is not None:
        sources.append((("validation", "source", "source"), recipe.validation.source.source))
    for location, source in sources:
        if source not in checked:
            _told(_check_source, source, file, location)
            checked.add(source)
    base = (recipe.model.base, recipe.model.revision)
    if base not in checked:
        _told(_check_base, recipe.model, file, ("model", "base"))
        checked.add(base)


def is_remote_source(source: str) -> bool:
    """Whether a source is a data set on the Hub, by its form and as no file of its name is here."""
    local = os.path.exists(os.path.expanduser(source)) or Path(source).suffix in {".jsonl", ".parquet"}
    return not local and _HUB_DATA.fullmatch(source) is not None


def is_collection(task: str) -> bool:
    """Whether a task of a study is a file of a parallel collection, by its name."""
    return Path(task).suffix in {".jsonl", ".parquet"}


def check_collection(task: str, number: int, file: YamlFile) -> None:
    """Check that a collection is there, where a study names one among its tasks.

    Args:
        task: the name of a task, or a file.
        number: its place among them.
        file: what it was read from.

    Raises:
        HybridError: it is not there. The text names the place.
    """
    if is_collection(task) and not os.path.isfile(task):
        raise file.fault(("tasks", number), f"there is no file {one_line(task, 120)}")


def _told(check: Any, value: Any, file: YamlFile, location: Location) -> None:
    try:
        check(value)
    except HybridError as error:
        raise file.fault(location, str(error)) from None


def _check_source(source: str) -> None:
    from mteb_hybrid.data.built_corpus import find_built
    from mteb_hybrid.data.corpus_files import BUILT_IN_SOURCES, load_corpus

    if (
        source not in BUILT_IN_SOURCES
        and find_built(source) is None
        and not is_remote_source(source)
        and not os.path.isfile(os.path.expanduser(source))
    ):
        load_corpus(source)  # tells what is wrong


def _check_base(model: ModelSettings) -> None:
    """Look for what ``find_base`` finds on this machine; the Hub is asked when the cell is trained."""
    from mteb_hybrid.training.base_model import TINY, find_base

    named = known_models().get(model.base.removeprefix(f"{LOCAL_ORGANISATION}/"))
    source = named.source if named else model.base
    is_folder = named is None and os.path.isdir(os.path.expanduser(source))
    on_hub = not NamedModel(source, source).is_local and not is_folder
    if source == TINY or not on_hub:
        find_base(model)
