"""What settings may be, in words taken from their model: for errors, and for ``--explain``."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from mteb_hybrid.settings.yaml_lines import Location, dotted

_Schema = dict[str, Any]
"""A part of a JSON schema."""

_LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


class SettingsWords:
    """The settings of a model, in words."""

    def __init__(self, model: type[BaseModel], elsewhere: Callable[[str], str | None] = lambda _: None) -> None:
        """Make words of a model.

        Args:
            model: of the settings, with docstrings for descriptions.
            elsewhere: where a name that the model has not is a setting, or None.
        """
        self._model, self._elsewhere = model, elsewhere

    def location_of(self, parts: Iterable[str | int]) -> Location:
        """The location that pydantic means, which also names alternatives: ``batches, alpha, AlphaSchedule``."""
        schema, location = self._schema, []
        for part in parts:
            below = self._below(schema, part)
            if below is not None:
                schema = below
                location.append(part)
        return tuple(location)

    def possible_at(self, location: Location) -> str:
        """The values of a setting in words."""
        return self._possible(self._at(location))

    def suggestion(self, location: Location) -> str:
        """What may have been meant by a setting that does not exist."""
        name = str(location[-1])
        siblings = list((self._section(self._at(location[:-1])) or self._schema)["properties"])
        elsewhere = [path for path in self._paths(self._schema) if path[-1] == name]
        if elsewhere:
            return f"did you mean {dotted(min(elsewhere, key=len))}?"
        near = difflib.get_close_matches(name, siblings, n=1)
        if near:
            return f"did you mean {near[0]}?"
        other = self._elsewhere(name)
        return f"did you mean {other}?" if other else f"possible: {', '.join(siblings)}"

    def describe(self) -> str:
        """An annotated file with every setting; what is off by default is shown as comments."""
        return "\n".join(self._describe(self._schema, "")) + "\n"

    @functools.cached_property
    def _schema(self) -> _Schema:
        return self._model.model_json_schema()

    def _options(self, schema: _Schema) -> list[_Schema]:
        """The alternatives of a value, references followed."""
        if "$ref" in schema:
            return [self._schema["$defs"][schema["$ref"].rpartition("/")[2]]]
        return [option for part in schema.get("anyOf", ()) for option in self._options(part)] or [schema]

    def _section(self, setting: _Schema) -> _Schema | None:
        """The settings inside a setting, or inside each item of it."""
        for option in self._options(setting):
            inner = self._options(option["items"])[0] if "items" in option else option
            if "properties" in inner:
                return inner
        return None

    def _below(self, schema: _Schema, part: str | int) -> _Schema | None:
        for option in self._options(schema):
            if isinstance(part, int):
                found = option.get("items")
            else:  # of a mapping with any keys, the one schema of all its values
                found = option.get("properties", {}).get(part, option.get("additionalProperties"))
            if isinstance(found, dict):
                return found
        return None

    def _at(self, location: Location) -> _Schema:
        return functools.reduce(lambda schema, part: self._below(schema, part) or {}, location, self._schema)

    def _paths(self, settings: _Schema, above: Location = ()) -> Iterator[Location]:
        for name, setting in settings["properties"].items():
            yield (*above, name)
            section = self._section(setting)
            if section is not None:
                yield from self._paths(section, (*above, name))

    def _describe(self, settings: _Schema, indent: str) -> Iterator[str]:
        for name, setting in settings["properties"].items():
            section = self._section(setting)
            description = setting.get("description") or (section or {}).get("description", "")
            yield from (f"{indent}# {line}" for line in description.replace("``", "").splitlines())
            if name in settings.get("required", ()):
                yield f"{indent}{name}:  # required{'' if section else ': ' + self._possible(setting)}"
            elif section is None or setting["default"] is None:
                default = setting["default"]
                shown = default if isinstance(default, str) else json.dumps(default)
                yield f"{indent}{name}: {shown}  # {self._possible(setting)}"
                yield from (f"{indent}#   {line}" for line in (self._describe(section, "") if section else ()))
                continue
            else:
                yield f"{indent}{name}:"
            if section is not None:
                is_list = "items" in setting
                yield from [f"{indent}  -"] * is_list
                yield from self._describe(section, indent + "  " * (1 + is_list))

    def _possible(self, schema: _Schema) -> str:
        return ", or ".join(self._possible_of(option) for option in self._options(schema))

    def _possible_of(self, option: _Schema) -> str:
        if "enum" in option:
            return f"one of {', '.join(option['enum'])}"
        match option["type"]:
            case "array":
                items = f", each {self._possible(option['items'])}" if option["items"] else ""
                return f"a list{' of one or more' if option.get('minItems') else ''}{items}"
            case "object":
                names = ", ".join(option.get("properties", ()))
                return f"a mapping of {names}" if names else "a mapping"
            case "string":
                return "a non-empty text" if option.get("minLength") else "a text"
            case "integer" | "number" as kind:
                limits = " and ".join(f"{word} {option[key]}" for key, word in _LIMITS.items() if key in option)
                return f"a whole number {limits}".strip() if kind == "integer" else f"a number {limits}".strip()
        return {"boolean": "true or false", "null": "null"}[option["type"]]
