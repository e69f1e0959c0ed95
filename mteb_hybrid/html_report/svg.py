"""Pictures as SVG within the page, and as files for papers.

matplotlib writes SVG with style attributes and a style sheet of its own, which a page that forbids all styles but its
own does not heed, and with names that are the same in every picture. Here styles become attributes, names become
unique, and the colours of lines and letters are left to the page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from mteb_hybrid.errors import HybridError
from mteb_hybrid.html_report.content import Picture
from mteb_hybrid.html_report.draw import STYLE, drawn
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

_INK, _GROUND = "#010203", "#040506"  # stand for the page's own colours
_PAPER_INK, _PAPER = "#1a1a1a", "#ffffff"
_DPI = 300
_LINK = "{http://www.w3.org/1999/xlink}href"
_NO_ATTRIBUTES = {"font-family", "white-space", "font-variant", "font-stretch"}


def page_svg(picture: Picture, short: str) -> str:
    """A picture as an SVG element for the page: its letters in the page's font, its ink in ``currentColor``.

    Surfaces and lines in the colour of the ground have the classes ``ground-fill`` and ``ground-stroke``.

    Args:
        picture: the picture.
        short: what the names of its parts begin with, of no other picture of the page.
    """
    root = ElementTree.fromstring(_saved(drawn(picture.draw, _INK, _GROUND), "svg"))
    _drop(root, {"metadata", "style"})
    used = set(_references(root))
    names = {name: f"{short}-{number}" for number, name in enumerate(sorted(used, key=_order(root)))}
    for element in root.iter():
        _plain(element, names)
    _flatten(root)
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "width": f"{float(width) * 4 / 3:.0f}",  # points to pixels
        "height": f"{float(height) * 4 / 3:.0f}",
        "role": "img",
        "aria-labelledby": f"{picture.name}-title {picture.name}-desc",
        "stroke-linejoin": "round",
        "font-size": "8.5",
    }
    for place, (tag, text) in enumerate((("title", picture.title), ("desc", picture.description))):
        about = ElementTree.Element(tag, {"id": f"{picture.name}-{tag}"})
        about.text = text
        root.insert(place, about)
    return ElementTree.tostring(root, encoding="unicode")


def write_pictures(pictures: list[Picture], folder: Path) -> None:
    """Write each picture as PNG (300 dpi) and as SVG, whole or not at all; files of the same name are replaced.

    Raises:
        HybridError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            plot = drawn(picture.draw, _PAPER_INK, _PAPER)
            for form in ("svg", "png"):
                with whole_file(folder / f"{picture.name}.{form}") as partial:
                    partial.write_bytes(_saved(plot, form, _PAPER))
    except OSError as error:
        raise HybridError(f"cannot write {folder} ({error.strerror or error}); choose another folder") from None


def _saved(plot: Plot, form: str, ground: str = "none") -> bytes:
    import matplotlib

    about = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")  # names may be in any script
        plot.savefig(out, format=form, dpi=_DPI, metadata=about, facecolor=ground)
    return out.getvalue()


def _drop(element: ElementTree.Element, tags: set[str]) -> None:
    for child in list(element):
        if _tag(child) in tags:
            element.remove(child)
        else:
            _drop(child, tags)


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for value in (element.get(_LINK, ""), element.get("clip-path", "")):
            if match := re.fullmatch(r"#(.+)|url\(#(.+)\)", value):
                yield match[1] or match[2]


def _order(root: ElementTree.Element) -> Callable[[str], int]:
    """By place, as the names themselves differ from one version of matplotlib to the next."""
    places = {element.get("id"): place for place, element in enumerate(root.iter())}
    return lambda name: places.get(name, -1)


def _plain(element: ElementTree.Element, names: dict[str, str]) -> None:
    """Put attributes in the place of styles, unique names in that of names, and round coordinates."""
    element.tag = _tag(element)
    attributes: dict[str, str] = {}
    for key, value in element.attrib.items():
        if key == "style":
            attributes |= dict(_style(value))
        elif key == "id":
            attributes |= {"id": names[value]} if value in names else {}
        elif key == _LINK:
            attributes["href"] = f"#{names[value[1:]]}" if value.startswith("#") else "".join(value.split())
        elif key == "clip-path":
            attributes[key] = f"url(#{names[value[5:-1]]})"
        elif key in {"d", "x", "y", "width", "height", "transform", "points"}:
            rounded = re.sub(r"-?\d+\.\d+(e-?\d+)?", _rounded, " ".join(value.split()))
            attributes |= {} if rounded == "none" else {key: rounded}
        else:
            attributes[key] = value
    classes = [f"ground-{key}" for key in ("fill", "stroke") if attributes.get(key) == _GROUND]
    element.attrib = {key: value for key, value in attributes.items() if value != _GROUND}
    if classes:
        element.set("class", " ".join(classes))
    if element.tag != "text":
        element.text = None
    element.tail = None


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").removesuffix(".")


def _style(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        key, _, value = (each.strip() for each in part.partition(":"))
        if not key or key in _NO_ATTRIBUTES:
            continue
        if key == "font":  # older versions write them together: weight, size, families
            size = re.search(r"([\d.]+)px", value)
            yield "font-size", size[1] if size else "8.5"
            yield from [("font-weight", "700")] if re.match(r"(bold|700)\b", value) else []
        else:
            yield key, "currentColor" if value == _INK else value.removesuffix("px")


def _flatten(element: ElementTree.Element) -> None:
    """Take out groups that say nothing."""
    children: list[ElementTree.Element] = []
    for child in element:
        _flatten(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    for child in list(element):
        element.remove(child)
    element.extend(children)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
