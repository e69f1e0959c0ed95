"""What a recipe may say, in words: for errors, and for ``mteb-hybrid train --explain``."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from mteb_hybrid.training.arguments import training_types
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.yaml_lines import Location, dotted

_Schema = dict[str, Any]
"""A part of the JSON schema of ``Recipe``."""

_LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def location_of(parts: Iterable[str | int]) -> Location:
    """The location of a setting, of pydantic's, which also names alternatives: ``batches, alpha, AlphaSchedule``."""
    schema, location = _schema(), []
    for part in parts:
        below = _below(schema, part)
        if below is not None:
            schema = below
            location.append(part)
    return tuple(location)


def possible_at(location: Location) -> str:
    """The values of a setting in words."""
    return _possible(_schema_at(location))


def suggestion(location: Location) -> str:
    """What may have been meant by a setting that does not exist."""
    name = str(location[-1])
    siblings = list((_section(_schema_at(location[:-1])) or _schema())["properties"])
    elsewhere = [path for path in _paths(_schema()) if path[-1] == name]
    if elsewhere:
        return f"did you mean {dotted(min(elsewhere, key=len))}?"
    near = difflib.get_close_matches(name, siblings, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if name in training_types():
        return f"did you mean training.{name}?"
    return f"possible: {', '.join(siblings)}"


def describe() -> Iterator[str]:
    """The lines of an annotated recipe with every setting; what is off by default is shown as comments."""
    return _describe(_schema(), "")


@functools.cache
def _schema() -> _Schema:
    return Recipe.model_json_schema()


def _options(schema: _Schema) -> list[_Schema]:
    """The alternatives of a value, references followed."""
    if "$ref" in schema:
        return [_schema()["$defs"][schema["$ref"].rpartition("/")[2]]]
    return [option for part in schema.get("anyOf", ()) for option in _options(part)] or [schema]


def _section(setting: _Schema) -> _Schema | None:
    """The settings inside a setting, or inside each item of it."""
    for option in _options(setting):
        inner = _options(option["items"])[0] if "items" in option else option
        if "properties" in inner:
            return inner
    return None


def _below(schema: _Schema, part: str | int) -> _Schema | None:
    for option in _options(schema):
        found = option.get("items") if isinstance(part, int) else option.get("properties", {}).get(part)
        if found is not None:
            return dict(found)
    return None


def _schema_at(location: Location) -> _Schema:
    return functools.reduce(lambda schema, part: _below(schema, part) or {}, location, _schema())


def _paths(settings: _Schema, above: Location = ()) -> Iterator[Location]:
    for name, setting in settings["properties"].items():
        yield (*above, name)
        section = _section(setting)
        if section is not None:
            yield from _paths(section, (*above, name))


def _possible(schema: _Schema) -> str:
    return ", or ".join(_possible_of(option) for option in _options(schema))


def _possible_of(option: _Schema) -> str:
    if "enum" in option:
        return f"one of {', '.join(option['enum'])}"
    match option["type"]:
        case "array":
            return f"a list{' of one or more' if option.get('minItems') else ''}, each {_possible(option['items'])}"
        case "object":
            names = ", ".join(option.get("properties", ()))
            return f"a mapping of {names}" if names else "a mapping"
        case "string":
            return "a non-empty text" if option.get("minLength") else "a text"
        case "integer" | "number" as kind:
            limits = " and ".join(f"{word} {option[key]}" for key, word in _LIMITS.items() if key in option)
            return f"a whole number {limits}".strip() if kind == "integer" else f"a number {limits}".strip()
    return {"boolean": "true or false", "null": "null"}[option["type"]]


def _describe(settings: _Schema, indent: str) -> Iterator[str]:
    for name, setting in settings["properties"].items():
        section = _section(setting)
        description = setting.get("description") or (section or {}).get("description", "")
        yield from (f"{indent}# {line}" for line in description.replace("``", "").splitlines())
        if name in settings.get("required", ()):
            yield f"{indent}{name}:  # required{'' if section else ': ' + _possible(setting)}"
        elif section is None or setting["default"] is None:
            default = setting["default"]
            shown = default if isinstance(default, str) else json.dumps(default)
            yield f"{indent}{name}: {shown}  # {_possible(setting)}"
            yield from (f"{indent}#   {line}" for line in (_describe(section, "") if section else ()))
            continue
        else:
            yield f"{indent}{name}:"
        if section is not None:
            is_list = "items" in setting
            yield from [f"{indent}  -"] * is_list
            yield from _describe(section, indent + "  " * (1 + is_list))
