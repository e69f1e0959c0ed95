"""What a report holds, without form: tables, pictures with the data behind them, and names made fit to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Literal

from mteb_hybrid.errors import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from mteb_hybrid.html_report.explorer import Explorer
    from mteb_hybrid.reporting.tables import Table

Value = str | int | float | None
Form = Literal["text", "score", "distance", "share", "count", "number"]

NAME_LIMIT = 80
"""Characters of a name that are shown."""

LARGE_FROM = 40
"""Columns from which on a table is made only when it is looked at: 122 languages have 15,000 cells."""

_NUMBER: dict[Form, str] = {
    "score": "{:.3f}",
    "distance": "{:,.1f}",
    "share": "{:.1%}",
    "count": "{:,}",
    "number": "{:g}",
}
# Embeddings and overrides of the writing direction; marks (U+200E, U+200F, U+061C) are part of honest text and stay.
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, halves of characters, ends of lines
_DIRECTED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Data:
    """The figures behind a picture.

    Attributes:
        columns: the name of each column and how its values are shown.
        rows: the values; None where there is none.
    """

    columns: tuple[tuple[str, Form], ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def is_large(self) -> bool:
        """Whether the page holds the figures alone, and makes a table of them when it is asked for."""
        return len(self.columns) > LARGE_FROM


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
        name: unique in the report; fit for a file's name and an id.
        title: what it shows.
        description: what there is to see, in words.
        data: the figures behind it.
        draw: draws it, lines and letters in a colour that is given, on a ground of another.
    """

    name: str
    title: str
    description: str
    data: Data
    draw: Callable[[str, str], Plot]


@dataclass(frozen=True)
class OfModel:
    """The pictures of one model on one benchmark, and what is missing.

    Attributes:
        label: the model.
        pictures: its pictures.
        notes: what could not be drawn, and why.
    """

    label: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkPart:
    """The part of a report that is about one benchmark.

    Attributes:
        anchor: unique in the report; fit for an id.
        title: the benchmark.
        overview: all models beside the published figures; None if there is nothing to draw.
        models: the pictures of each model.
        explorer: questions one by one; None where no scores of single queries were kept.
        notes: what there is to say about all of it.
    """

    anchor: str
    title: str
    overview: Picture | None
    models: tuple[OfModel, ...]
    explorer: Explorer | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of a report.

    Attributes:
        models: the models' names.
        tables: the figures of the settings and of the bias.
        parts: a part for each benchmark.
        curves: pictures over remedies and amounts of data.
        curve_notes: what there is to say about these, or why there are none.
    """

    models: tuple[str, ...]
    tables: tuple[Table, ...]
    parts: tuple[BenchmarkPart, ...]
    curves: tuple[Picture, ...] = ()
    curve_notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[Picture]:
        """Every picture, in the order of the page."""
        of_parts = [
            picture
            for part in self.parts
            for picture in (
                *([part.overview] if part.overview else ()),
                *(each for model in part.models for each in model.pictures),
            )
        ]
        return [*of_parts, *self.curves]


def shown(value: Value, form: Form) -> str:
    """A value as the report shows it: scores with three decimals, distances and shares with one."""
    if value is None:
        return "–"
    if isinstance(value, str) or form == "text":
        return str(value)
    return _NUMBER[form].format(int(value) if form == "count" else value)


def name_to_show(text: object, limit: int = NAME_LIMIT) -> str:
    """A name on one line, without signs that cannot be seen, a long one without its middle; never empty.

    Names of models differ at their ends, by seeds and numbers, as often as at their beginnings.
    """
    line, end = one_line(text, 4 * limit), (limit - 1) // 2
    return (line if len(line) <= limit else f"{line[: limit - 1 - end]}…{line[len(line) - end :]}") or "(no name)"


def names_to_show(names: Iterable[object], limit: int = NAME_LIMIT) -> list[str]:
    """Names as ``name_to_show`` gives them, numbered where several have become equal."""
    taken: set[str] = set()
    return [not_taken(name_to_show(name, limit), taken, "{} ({})") for name in names]


def not_taken(name: str, taken: set[str], numbered: str = "{}-{}") -> str:
    """The name, or the first of it with a number that is not taken; it is taken then."""
    tries = chain([name], (numbered.format(name, number) for number in count(2)))
    found = next(each for each in tries if each not in taken)
    taken.add(found)
    return found


def text_to_show(text: str, limit: int) -> str:
    """A text of a data set as it is shown: cut to a length, without control characters and forced directions."""
    head = text[: 2 * limit]
    kept = "".join(" " if unicodedata.category(sign) in _BREAKING else sign for sign in head if sign not in _DIRECTED)
    line = " ".join(kept.split())
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def stem(*parts: str) -> str:
    """A name for a file or an id out of any texts: small letters, digits and hyphens, 100 at most."""
    plain = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
    return "-".join(part[:64].strip("-") for part in plain if part)[:100].strip("-") or "x"


def with_own_names(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """The pictures, numbered in their names where several have the same one."""
    taken: set[str] = set()
    for picture in pictures:
        yield replace(picture, name=not_taken(picture.name, taken))


def clipped(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes on one line each, cut where names in them are of any length."""
    return tuple(one_line(note, 2000) for note in notes)
