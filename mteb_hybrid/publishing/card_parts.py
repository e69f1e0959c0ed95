"""A card in parts: the keys of its front matter, its preamble and its sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from mteb_hybrid.errors import HybridError, one_line

# What the Hub takes for front matter; see REGEX_YAML_BLOCK in huggingface_hub/repocard.py.
_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\n(.*?)(?:(?<=\n)|\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
_DOCUMENT = re.compile(r"^(?:%|\.\.\.)", re.MULTILINE)

_WHERE = "the front matter of README.md in the repository"
_MEND = "mend it there, and publish again"
_ALIASES_AT_MOST = 10

Key = tuple[str, int]
"""A heading or a key, and how many of the same name go before it."""


@dataclass(frozen=True)
class Part:
    """A piece of a card.

    Attributes:
        text: as it is written, without blank lines around it.
        meaning: what must be equal for two pieces to say the same.
        has_content: whether there is more than a name.
        comment: the lines of comment above a key.
    """

    text: str
    meaning: str
    has_content: bool
    comment: str = ""


@dataclass(frozen=True)
class Card:
    """A card in parts.

    Attributes:
        keys: the top-level keys of the front matter.
        preamble: what goes before the first heading of the second level.
        sections: the headings of the second level, each with all up to the next.
    """

    keys: Mapping[Key, Part]
    preamble: Part
    sections: Mapping[Key, Part]


def normal(text: str) -> str:
    """Return text with line ends of one kind, and without blanks at the ends of lines and of the text."""
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def read_card(text: str) -> Card:
    """Part a card.

    Args:
        text: the whole README.md.

    Raises:
        HybridError: the front matter is not YAML, or no mapping.
    """
    plain, match = _parted(text)
    with _told():
        keys = _keys(match[1]) if match else {}
    preamble, sections = _sections(plain[match.end() :] if match else plain)
    return Card(keys, preamble, sections)


def front_matter(text: str) -> dict[Any, Any]:
    """The values in a card's front matter; none if it has none.

    Raises:
        HybridError: the front matter is not YAML, or no mapping.
    """
    _, match = _parted(text)
    with _told():
        return _parsed(match[1])[0] if match else {}


def card_text(keys: Iterable[Part], preamble: Part, sections: Iterable[Part]) -> str:
    """Return the text of a card made of parts, with one line end after the last line."""
    front = "\n".join(f"{part.comment}\n{part.text}" if part.comment else part.text for part in keys)
    body = [part.text for part in (preamble, *sections) if part.text]
    return "\n\n".join([*([f"---\n{front}\n---"] if front else []), *body]) + "\n"


def _parted(text: str) -> tuple[str, re.Match[str] | None]:
    """A card with line ends of one kind, and where its front matter is."""
    plain = "\n".join(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")))
    return plain, _FRONT_MATTER.match(plain)


@contextmanager
def _told() -> Iterator[None]:
    """Tell in one line what PyYAML cannot take in, or give out again."""
    try:
        yield
    except RecursionError:
        raise HybridError(f"{_WHERE} is nested too deep; {_MEND}") from None
    except (ValueError, yaml.YAMLError) as error:
        problem = one_line(getattr(error, "problem", None) or error, 120)
        raise HybridError(f"{_WHERE} cannot be read: {problem}; {_MEND}") from None


def _keys(front: str) -> dict[Key, Part]:
    """The top-level keys, with the lines that each is written in."""
    values, root = _parsed(front)
    if root is None:
        return {}
    names = [str(key.value) for key, _ in root.value]
    if not _keys_stand_alone(front, root):
        written = [_written_out({key: value}) for key, value in values.items()]
        return _numbered([(str(name), _key(text)) for name, text in zip(values, written, strict=True)])
    lines = front.split("\n")
    starts = [_with_comment(lines, key.start_mark.line) for key, _ in root.value]
    ends = [*starts[1:], len(lines)]
    starts[:1] = [0]
    parts = (_key("\n".join(lines[start:end])) for start, end in zip(starts, ends, strict=True))
    return _numbered(zip(names, parts, strict=True))


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out: the keys are taken apart, and each must be whole alone."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _written_out(values: dict[Any, Any]) -> str:
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _keys_stand_alone(front: str, root: yaml.MappingNode) -> bool:
    """Whether the lines of each key can be taken out, and put beside those of another card."""
    anchored = any(isinstance(event, yaml.NodeEvent) and event.anchor for event in yaml.parse(front))
    indented = any(key.start_mark.column for key, _ in root.value)
    return not (root.flow_style or anchored or indented or _DOCUMENT.search(front))


def _parsed(front: str) -> tuple[dict[Any, Any], yaml.MappingNode | None]:
    try:
        # A few lines of aliases of aliases are gigabytes once they are written out, and merged keys (<<) at once.
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(front, Loader=yaml.SafeLoader))
        if aliases > _ALIASES_AT_MOST:
            raise HybridError(f"{_WHERE} has more than {_ALIASES_AT_MOST} aliases (*); write them out there")
        root = yaml.compose(front, Loader=yaml.SafeLoader)
        values = yaml.safe_load(front)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 2})" if mark else ""
        problem = one_line(getattr(error, "problem", None) or error, 120)
        raise HybridError(f"{_WHERE} is not YAML{place}: {problem}; {_MEND}") from None
    if root is None or values is None:
        return {}, None
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise HybridError(f"{_WHERE} is no mapping of keys to values; {_MEND}")
    return values, root


def _with_comment(lines: list[str], start: int) -> int:
    """The first of the lines of comment right above a line."""
    while start and lines[start - 1].startswith("#"):
        start -= 1
    return start


def _key(text: str) -> Part:
    lines = text.strip("\n").split("\n")
    first = next(place for place, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    written = "\n".join(lines[first:]).rstrip()
    ((_, value),) = yaml.safe_load(written).items()
    return Part(
        written,
        yaml.safe_dump(value, sort_keys=False),
        value not in (None, "", [], {}),
        "\n".join(lines[:first]).strip(),
    )


def _sections(body: str) -> tuple[Part, dict[Key, Part]]:
    """What goes before the first heading of the second level, and each of them with what follows."""
    from markdown_it import MarkdownIt

    lines = body.split("\n")
    tokens = MarkdownIt("commonmark").parse(body)
    headings = [
        (token.map[0], token.map[1], " ".join(tokens[place + 1].content.split()).casefold())
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and token.level == 0 and token.map
    ]
    starts = [start for start, _, _ in headings]
    ends = [*starts, len(lines)][1:]
    preamble = _section(lines[: starts[0]] if starts else lines, 0)
    sections = (
        (name, _section(lines[start:end], text - start))
        for (start, text, name), end in zip(headings, ends, strict=True)
    )
    return preamble, _numbered(sections)


def _section(lines: list[str], heading: int) -> Part:
    """A section; ``heading`` is how many of its lines are its heading."""
    text = "\n".join(lines).strip("\n")
    return Part(text.rstrip(), normal(text), any(line.strip() for line in lines[heading:]))


def _numbered(parts: Iterable[tuple[str, Part]]) -> dict[Key, Part]:
    found: dict[Key, Part] = {}
    for name, part in parts:
        number = 0
        while (name, number) in found:
            number += 1
        found[name, number] = part
    return found
