"""Pictures for the page: no styles, no scripts, names of their own, the page's colours; and as files."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.html_report.content import Data, Picture
from mteb_hybrid.html_report.curves import curve_pictures
from mteb_hybrid.html_report.draw import check_matplotlib, heat_map
from mteb_hybrid.html_report.ranks import OTHERS, RankSpread, rank_picture
from mteb_hybrid.html_report.svg import page_svg, write_pictures
from tests.html_report.made import rows

pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")

HOSTILE = "</svg><script>alert(1)</script>$x$"


def picture(name: str = "toy", tag: str = "de", values: list[list[float | None]] | None = None) -> Picture:
    values = values or [[0.9, 0.1], [None, 0.5]]
    names = [tag, *(f"x{number}" for number in range(1, len(values)))]
    draw = partial(heat_map, names, values, "score", (0.0, 1.0))
    return Picture(name, f"Title & {tag}", f"Seen: {tag}", Data((), ()), draw)


def elements(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter())


@pytest.mark.parametrize("each", [picture(), *curve_pictures(rows())], ids=lambda each: each.name)
def test_nothing_in_it_is_a_style_or_a_link_elsewhere(each: Picture) -> None:
    found = elements(page_svg(each, "p0"))
    assert {element.tag for element in found} <= {
        "svg", "title", "desc", "g", "path", "text", "use", "defs", "clipPath", "rect", "image"
    }  # fmt: skip
    names = [element.get("id") for element in found if element.get("id")]
    assert len(names) == len(set(names))
    for element in found:
        assert "style" not in element.attrib and not any(key.startswith("on") for key in element.attrib)
        for key, value in element.attrib.items():
            if key == "href":
                assert value[1:] in names or value.startswith("data:image/png;base64,")
            for target in re.findall(r"url\((.*?)\)", value):
                assert target[1:] in names


def test_pictures_of_one_page_share_no_names() -> None:
    first, second = (page_svg(picture(name), short) for name, short in (("a", "p0"), ("b", "p1")))
    names = [set(re.findall(r' id="(.*?)"', text)) for text in (first, second)]
    assert all(names) and not names[0] & names[1]


def test_ink_is_the_pages_and_cells_are_read_on_their_own_colour() -> None:
    texts = {element.text: element.get("fill") for element in elements(page_svg(picture(), "p0")) if element.text}
    assert texts["de"] == "currentColor"
    assert texts["0.90"] == "#ffffff"  # on dark blue
    assert texts["0.10"] is None  # black, which is what SVG takes where nothing is said
    text = page_svg(picture(), "p0")
    assert "ground-stroke" in text and "#010203" not in text and "#040506" not in text


def test_it_is_named_and_described() -> None:
    root = ElementTree.fromstring(page_svg(picture(), "p0"))
    assert root.get("role") == "img"
    by_id = {element.get("id"): element.text for element in root.iter()}
    assert [by_id[name] for name in root.attrib["aria-labelledby"].split()] == ["Title & de", "Seen: de"]


def test_names_are_text_whatever_is_in_them() -> None:
    found = elements(page_svg(picture(tag=HOSTILE), "p0"))
    assert HOSTILE in [element.text for element in found]
    assert "script" not in {element.tag for element in found}


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    assert page_svg(picture(), "p0") == page_svg(picture(), "p0")
    for folder in ("a", "b"):
        write_pictures([picture()], tmp_path / folder)
    for name in ("toy.svg", "toy.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_files_for_papers(tmp_path: Path) -> None:
    write_pictures([picture()], tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["toy.png", "toy.svg"]
    png = (tmp_path / "figures" / "toy.png").read_bytes()
    at = png.index(b"pHYs") + 4
    assert int.from_bytes(png[at : at + 4]) == round(300 / 0.0254)  # points a metre
    svg = (tmp_path / "figures" / "toy.svg").read_text(encoding="utf-8")
    assert ">de</text>" in svg and "#1a1a1a" in svg and "#010203" not in svg
    assert not re.search(r"<dc:date|20\d\d-\d\d", svg)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HybridError, match=r"cannot write .*choose another folder"):
        write_pictures([picture()], tmp_path / "file")


def test_many_languages_stay_small() -> None:
    size = 122
    text = page_svg(picture(values=[[row * column / size**2 for column in range(size)] for row in range(size)]), "p0")
    assert "data:image/png;base64," in text and len(text) < 200_000


def test_many_languages_have_their_others_in_one_line() -> None:
    spreads = [RankSpread(f"l{n}", answer, 9, (1, 2, 3, 4, 5)) for n in range(20) for answer in (f"l{n}", OTHERS)]
    found = rank_picture("a", "Toy", spreads, 5)
    assert found is not None
    texts = [element.text for element in elements(page_svg(found, "p0"))]
    assert "l19" in texts and not any(text and text.startswith("queries in") for text in texts)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HybridError, match=r"pip install 'mteb-hybrid\[report\]'"):
        check_matplotlib()
