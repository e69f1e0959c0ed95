"""YAML in which every value knows its line, and in which nothing surprises.

Scalars are read as YAML 1.2 reads them: ``1e-5`` is a number, ``no`` is the language Norwegian and not false,
``0123456`` is a revision and not octal. Anchors, aliases, tags and repeated keys are refused: a settings file needs
none of them, and they can hide what it says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mteb_hybrid.errors import HybridError, one_line

Location = tuple[str | int, ...]
"""Keys and list positions that lead to a value: ``("data", 0, "source")``."""

_BYTES_AT_MOST = 100_000
_LEVELS_AT_MOST = 20
_TOO_DEEP = "nested too deeply; settings have a few levels"

_SCALARS = {
    "null": r"(?:~|null|Null|NULL|)\Z",
    "bool": r"(?:true|True|TRUE|false|False|FALSE)\Z",
    "int": r"[-+]?(?:0|[1-9][0-9]{0,17})\Z",
    "float": r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)\Z",
}


@dataclass(frozen=True)
class YamlFile:
    """The mapping in a YAML file, and where its parts are.

    Attributes:
        values: plain Python values.
        places: where each key and list item is (``recipe.yaml, line 7``), in the order of the file; ``()`` is where
            the file begins.
    """

    values: dict[str, Any]
    places: Mapping[Location, str]

    def nearest(self, location: Location) -> Location:
        """The location itself, or the nearest around it that has a place."""
        while location and location not in self.places:
            location = location[:-1]
        return location

    def fault(self, location: Location, text: str) -> HybridError:
        """An error that tells the place."""
        return HybridError(f"{self.places[self.nearest(location)]}: {text}")


def dotted(location: Location) -> str:
    """A location in words: ``data[0].source``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{one_line(part, 60)}" for part in location).lstrip(".")


def read_yaml(path: str | Path) -> YamlFile:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: the file, UTF-8, of at most 100 kB.

    Returns:
        Its values, with their lines.

    Raises:
        HybridError: it cannot be read, or is not of that form. The text names the line where there is one.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_BYTES_AT_MOST + 1)
    except (OSError, ValueError) as error:  # ValueError: the path holds a null character
        raise HybridError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _BYTES_AT_MOST:
        raise HybridError(f"{path} is larger than {_BYTES_AT_MOST // 1000} kB; settings are a short text, no data")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise HybridError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> YamlFile:
    """Parse YAML text; ``name`` is what errors call it. Else as ``read_yaml``."""
    try:
        root = _compose(text)
        if root is None:
            raise HybridError(f"{name} is empty; write settings in it, such as data:")
        lines: dict[Location, int] = {(): root.start_mark.line + 1}
        if not isinstance(root, yaml.MappingNode):
            raise _refusal("the top level must be settings, such as 'seed: 42'", root)
        values = _plain(root, (), lines)
        return YamlFile(values, {location: f"{name}, line {line}" for location, line in lines.items()})
    except _Refusal as error:
        raise HybridError(f"{name}, line {_line(error)}: {error.problem}") from None
    except yaml.MarkedYAMLError as error:
        problem = one_line(error.problem, 120)
        raise HybridError(f"{name}, line {_line(error)}: not YAML ({problem}); check indents, colons, quotes") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise HybridError(f"{name}, line {line}: not YAML (a control character); delete it") from None
    except RecursionError:
        raise HybridError(f"{name}: {_TOO_DEEP}") from None


def parse_value(text: str, name: str) -> Any:
    """Parse one value as of ``key: VALUE``; unless it begins a list, a mapping or quotes, it needs no quotes itself."""
    if text[:1] in {"[", "{", '"', "'"}:
        return parse_yaml(f"value: {text}", name).values["value"]
    return _scalar(next((kind for kind, pattern in _SCALARS.items() if re.match(pattern, text)), "str"), text)


def dump_yaml(values: Mapping[str, Any]) -> str:
    """Write plain values as YAML that ``parse_yaml`` and readers of YAML 1.1 read back alike, in the order given."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)


class _Refusal(yaml.MarkedYAMLError):
    """YAML, but of a kind that is not allowed here."""


def _refusal(problem: str, at: yaml.Node | yaml.Event) -> _Refusal:
    mark: Any = at.start_mark
    return _Refusal(problem=problem, problem_mark=mark)


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # a class attribute of PyYAML's

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refusal(
                "anchors (&) and aliases (*) are not allowed; write it out, or put the text in quotes", event
            )
        if getattr(event, "tag", None) is not None:
            raise _refusal("tags (!) are not allowed; leave it out, or quote the text", event)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_list(dumper: _Dumper, values: list[Any]) -> yaml.Node:
    flat = not any(isinstance(value, (dict, list)) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    # PyYAML loses line breaks such as U+0085 in any other style.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


# The dumper keeps the resolvers of YAML 1.1 as well, so that a text which either version takes for something else
# is written in quotes.
for _kind, _pattern in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), None)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _plain(node: yaml.Node, at: Location, lines: dict[Location, int]) -> Any:
    """The value of a node; the lines of what it holds are added to ``lines``."""
    if len(at) > _LEVELS_AT_MOST:
        raise _refusal(_TOO_DEEP, node)
    if isinstance(node, yaml.SequenceNode):
        items = [(position, item, item) for position, item in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        items = [(key.value, key, value) for key, value in node.value]
    else:
        return _scalar(node.tag.rpartition(":")[2], str(node.value))
    values: dict[str | int, Any] = {}
    for key, marked, value in items:
        if not isinstance(key, (str, int)):
            raise _refusal("a key must be a name", marked)
        if key in values:
            first = lines[*at, key]
            raise _refusal(f"{dotted((*at, key))} is given twice, first in line {first}; keep one", marked)
        lines[*at, key] = marked.start_mark.line + 1
        values[key] = _plain(value, (*at, key), lines)
    return values if isinstance(node, yaml.MappingNode) else [*values.values()]


def _scalar(kind: str, text: str) -> str | float | bool | None:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text)
    if kind == "float" and math.isfinite(float(text)):  # not 12e4567, which is a revision
        return float(text)
    return text
