"""Heat maps as SVG."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from mteb_hybrid.reporting.heat_map import heat_map

NS = "{http://www.w3.org/2000/svg}"
SMALL: dict[str, Any] = {"form": "score", "row_axis": "query", "column_axis": "passages"}


def drawn(values: list[list[float | None]], **options: Any) -> ElementTree.Element:
    rows = [f"r{place}" for place in range(len(values))]
    columns = [f"c{place}" for place in range(len(values[0]))]
    return ElementTree.fromstring(heat_map("Title", rows, columns, values, **(SMALL | options)))


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{NS}text")]


def cells(picture: ElementTree.Element) -> dict[tuple[float, float], str]:
    """The colour at the corner of each cell."""
    return {
        (float(x), float(y)): path.get("fill", "")
        for path in picture.iter(f"{NS}path")
        for x, y in re.findall(r"M([\d.]+) ([\d.]+)h", path.get("d", ""))
    }


def darkness(colour: str) -> int:
    return -sum(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def test_names_axes_and_figures() -> None:
    picture = drawn([[0.5, 0.25, None], [1.0, 0.754, math.nan]])
    assert texts(picture)[:8] == ["Title", "passages", "query", "r0", "r1", "c0", "c1", "c2"]
    assert texts(picture)[8:14] == ["0.50", "0.25", "–", "1.00", "0.75", "–"]
    assert texts(picture)[14:] == ["0.25", "1.00"]  # what the lightest and the darkest colour stand for
    assert picture.findtext(f"{NS}title") == "Title"
    assert picture.findtext(f"{NS}desc") == "Rows: query. Columns: passages."


def test_rows_go_down_and_columns_to_the_right_and_more_is_darker() -> None:
    found = cells(drawn([[0.0, 0.25], [0.75, 1.0]]))
    in_reading_order = [found[place] for place in sorted(found, key=lambda place: (place[1], place[0]))]
    assert len(in_reading_order) == 4
    assert in_reading_order == sorted(in_reading_order, key=darkness)
    assert len(set(in_reading_order)) == 4


@pytest.mark.parametrize(
    ("form", "values", "shown"),
    [
        ("share", [[0.724, 0.019]], ["72%", "2%", "0%", "100%"]),  # from none to all, whatever there is
        ("distance", [[1214.3, 88.0]], ["1,214", "88", "88", "1,214"]),
        ("score", [[0.5, 0.5]], ["0.50", "0.50", "0.00", "1.00"]),
        ("score", [[None, None]], ["–", "–", "0.00", "1.00"]),
    ],
)
def test_forms(form: str, values: list[list[float | None]], shown: list[str]) -> None:
    assert texts(drawn(values, form=form))[6:] == shown


@pytest.mark.parametrize("form", ["score", "share", "distance"])
def test_every_figure_can_be_read_on_its_colour(form: str) -> None:
    """WCAG 2 asks for a contrast of 4.5."""
    values: list[list[float | None]] = [[(row * 24 + column) / 575 for column in range(24)] for row in range(24)]
    picture = drawn([*values[:23], [None] * 24], form=form)
    inks = [each.get("fill") for each in picture.iter(f"{NS}text") if each.get("fill")]
    found = cells(picture)
    grounds = [found[place] for place in sorted(found, key=lambda place: (place[1], place[0]))]
    assert len(inks) == len(grounds) == 24 * 24
    assert min(contrast(str(ink), ground) for ink, ground in zip(inks, grounds, strict=True)) >= 4.5


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("languages", "figures"), [(1, 1), (24, 576), (25, 0), (122, 0)])
def test_sizes(languages: int, figures: int) -> None:
    tags = [f"l{place}" for place in range(languages)]
    values = [[(row + column) / (2 * languages) for column in range(languages)] for row in range(languages)]
    text = heat_map("Title", tags, tags, values, **SMALL)
    picture = ElementTree.fromstring(text)
    assert len(cells(picture)) == languages**2
    assert sum(bool(each.get("fill")) for each in picture.iter(f"{NS}text")) == figures
    assert {f"l{place}" for place in range(languages)} <= set(texts(picture))
    assert len(text) < 600_000
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    assert all(0 < x < width and 0 < y < height for x, y in cells(picture))
    assert width < 1500 and height < 1500


def test_names_that_are_markup_or_long() -> None:
    name = '<script>"&\x00\u202e' + "long" * 100_000
    text = heat_map(name, [name, "b"], ["a", name], [[0.1, 0.2], [0.3, 0.4]], **SMALL | {"row_axis": name})
    picture = ElementTree.fromstring(text)
    assert [each.tag for each in picture.iter() if "script" in each.tag] == []
    assert len(text) < 20_000
    assert {each.tag.removeprefix(NS) for each in picture.iter()} == {"svg", "title", "desc", "rect", "text", "path"}


def test_it_needs_nothing_from_elsewhere() -> None:
    text = heat_map("Title", ["a"], ["b"], [[0.5]], **SMALL)
    assert re.findall(r"https?://[^\"]+|url\(|href|@import|<style", text) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize(
    ("rows", "columns", "values"), [([], ["a"], []), (["a"], [], [[]]), (["a"], ["b"], []), (["a"], ["b"], [[1, 2]])]
)
def test_values_that_do_not_fit(rows: list[str], columns: list[str], values: list[list[float | None]]) -> None:
    with pytest.raises(ValueError, match=r"rows and columns|values are not"):
        heat_map("Title", rows, columns, values, **SMALL)
