"""Hostile text in the report: whatever it is, the page has the elements that it has with plain words, and no others."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.html_report.build import build
from mteb_hybrid.html_report.content import Report
from mteb_hybrid.html_report.page import render, script_json
from tests.hostile.held import Cases
from tests.hostile.strategies import TEXTS, as_json, fuzzed, texts, values
from tests.html_report.made import collection, write_results

WORD = "word"
HOSTILE = "".join(
    (
        "</script><script>window.gone=1;document.title='gone'</script>",
        "--><svg onload=window.gone=1>",
        "\"'><img src=x onerror=window.gone=1>",
        "${window.gone=1}{{7*7}}<!--<script>\u2028]]>",
        "\u202egone\u2066\u200b&lt;b&gt;",
    )
)


class _Page(HTMLParser):
    """A page as a browser takes it: its elements, the addresses in it, its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.comments = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action", "xlink:href"}]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def results_of(folder: Path, text: str) -> Path:
    """Results whose model, training data and texts are called so, as far as files can say it."""
    write_results(folder, ["local/base", "local/other"])
    hostile = texts_of(text)
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace(collection().revision, hostile.revision))
    meta = next(folder.glob("01__model/rev1/model_meta.json"))
    meta.write_bytes(as_json({"name": f"x/{text}", "training_datasets": [text, "Toy"]}))
    save_collection(hostile, folder / "own.jsonl")
    return folder


def texts_of(text: str) -> ParallelCollection:
    """A collection that holds it: in every text, or in one where it is large; half a character no file can hold."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return collection(extra=f" {WORD}")
    if len(text) < 100_000:
        return collection(extra=f" {text}")
    plain = collection(extra=f" {WORD}")
    passages = plain.passages["de"]
    large = replace(passages, texts=(text, *passages.texts[1:]))
    return replace(plain, passages={**plain.passages, "de": large})


def without_pictures(report: Report) -> Report:
    """Drawing takes long, and what the pictures are called stands beside them."""
    parts = tuple(
        replace(part, overview=None, models=tuple(replace(model, pictures=()) for model in part.models))
        for part in report.parts
    )
    return replace(report, parts=parts, curves=())


def page_of(folder: Path, text: str) -> str:
    results_of(folder, text)
    return render(without_pictures(build(folder, data=[folder / "own.jsonl"])))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> _Page:
    return _Page(page_of(tmp_path_factory.mktemp("usual"), WORD))


@pytest.mark.parametrize("text", [*TEXTS, HOSTILE, "x" * 10_000_000], ids=lambda text: repr(text[:24]))
def test_a_text_in_the_page(cases: Cases, usual: _Page, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    page = cases.hold("text in the report", lambda: page_of(tmp_path_factory.mktemp("page"), text))
    found = _Page(page)
    assert found.elements == usual.elements, "an element or an attribute more or less"
    assert found.comments == usual.comments
    assert {address[:1] for address in found.addresses} <= {"#"}
    assert len(page) < 400_000
    for sign in page:
        assert (
            sign in "\n\t" or sign.isprintable() or sign in "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u061c\u00a0"
        ), repr(sign)
    page.encode()


@given(value=values)
@fuzzed(150)
def test_what_the_script_reads(cases: Cases, value: Any) -> None:
    try:
        json.dumps(value).encode()
    except (ValueError, TypeError):
        return
    text = cases.hold("JSON in the page", lambda: script_json(value))
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(text)
    assert json.dumps(json.loads(text), sort_keys=True) == json.dumps(value, sort_keys=True)
    page = _Page(f'<script type="application/json">{text}</script><p>after</p>')
    assert [element[0] for element in page.elements] == ["script", "p"]


@given(text=texts)
@fuzzed(40)
def test_any_text_as_the_title_of_a_picture(cases: Cases, text: str) -> None:
    """What the pictures are described with, in the page's own elements."""
    from xml.etree import ElementTree

    from mteb_hybrid.publishing.escape import xml

    written = cases.hold("text in a picture", lambda: xml(text))
    root = ElementTree.fromstring(f'<svg aria-label="{written}"><title>{written}</title></svg>')
    assert [element.tag for element in root.iter()] == ["svg", "title"]


@pytest.mark.slow
def test_no_planted_script_runs_in_a_browser(browser: Any, cases: Cases, tmp_path: Path) -> None:
    page_text = cases.hold("report", lambda: page_of(tmp_path, HOSTILE))
    (tmp_path / "report.html").write_text(page_text, encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    said: list[str] = []

    def dismissed(dialog: Any) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", dismissed)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.locator(".explorer li summary").first.click()
    assert page.evaluate("window.gone") is None
    assert "gone" not in page.title()
    assert page.locator("img, iframe, object, embed, base, [onload], [onerror]").count() == 0
    shown = page.locator(".explorer li").first.inner_text()
    assert "</script><script>window.gone=1" in shown
    assert "\u202e" not in page.content()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "blob:", "file:"))] == []
