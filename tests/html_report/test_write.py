"""The page: whole, closed, the same each time, and safe whatever is in results, names and texts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from mteb_hybrid.data.own import save_collection
from mteb_hybrid.errors import HybridError
from mteb_hybrid.html_report import write
from mteb_hybrid.html_report.page import script_json
from mteb_hybrid.html_report.write import write_report
from mteb_hybrid.reporting.remedies import write_rows
from tests.html_report.made import collection, rows, write_results

pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\u2066\u0007'\"&$"


class Page(HTMLParser):
    """The elements of a page, and the text of those that are asked for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside.setdefault(self._open[-1], []).append(data)

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with rows of remedies, and the collection that they are about."""
    folder = write_results(tmp_path_factory.mktemp("results"))
    write_rows(rows(), folder / "rows.json")
    save_collection(collection(), folder / "toy.jsonl")
    return folder


@pytest.fixture(scope="module")
def page(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("page") / "report.html"
    written = write_report(made, path, data=[made / "toy.jsonl"])
    assert (written.models, written.size, written.figures) == (2, path.stat().st_size, 0)
    return Page(path.read_text(encoding="utf-8"))


def explorers(page: Page) -> dict[str, dict[str, object]]:
    text = re.search(r'<script type="application/json" id="explorers">(.*?)</script>', page.text, re.DOTALL)
    assert text
    found: dict[str, dict[str, object]] = json.loads(text[1])
    return found


def test_only_its_own_script_and_style_may_run(page: Page) -> None:
    (policy,) = (each["content"] for each in page.every("meta") if "http-equiv" in each)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not any("style" in attributes for _, attributes in page.elements)
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)


def test_it_names_nothing_elsewhere(page: Page) -> None:
    for _, attributes in page.elements:
        for key in ("src", "href", "action", "srcset", "data", "poster"):
            assert (attributes.get(key) or "#").startswith(("#", "data:image/png;base64,"))
    assert "http://" not in page.text and "https://" not in page.text
    assert "@import" not in page.text


def test_its_names_are_unique_and_what_is_referred_to_is_there(page: Page) -> None:
    names = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(names) == len(set(names))
    for _, attributes in page.elements:
        for key in ("aria-labelledby", "href", "data-table"):
            value = attributes.get(key) or ""
            for name in value.split() if not value.startswith("data:") else ():
                assert name.removeprefix("#") in names, (key, name)


def test_it_can_be_read_without_seeing(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == tags.count("header") == tags.count("nav") == 1
    assert page.every("html")[0]["lang"] == "en"
    pictures = page.every("svg")
    assert len(pictures) == 1 + 2 * 3 + 3  # overview; three of each model; trade-off, alpha, scaling
    assert all(each["role"] == "img" and each["aria-labelledby"] for each in pictures)
    assert tags.count("caption") == tags.count("table") == len(pictures) + 2
    order = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(order))


def test_the_figures_are_there_unrounded(page: Page) -> None:
    values = [attributes.get("data-value") for attributes in page.every("td")]
    assert repr(0.8) in values and repr(0.5 + 0.05) in values
    assert "0.850" in "".join(page.inside["td"])


def test_questions_come_with_texts_and_ranks(page: Page) -> None:
    (found,) = explorers(page).values()
    assert found["models"] == ["local/base", "local/better"]
    questions = found["questions"]
    assert isinstance(questions, list)
    first = next(each for each in questions if (each["language"], each["id"]) == ("de", "q0"))
    assert first["text"] == "Frage 0"
    assert first["scores"][0][2] == [5, 1, 7]


def test_the_same_bytes_and_nothing_half_written(made: Path, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(made, path, data=[made / "toy.jsonl"])
    assert path.read_bytes() == page.text.encode()
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_an_interrupt_leaves_the_page_that_was_there(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def interrupted(report: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(made, path, models=["base"])
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 1


LONG = pytest.param("x" * 10_000_000, marks=pytest.mark.slow, id="10 MB")


@pytest.mark.parametrize("name", [HOSTILE, LONG, "\ud800", ""])
def test_names_of_others_are_text(tmp_path: Path, name: str) -> None:
    write_results(tmp_path / "results", [f"org/{name}", "org/other"])
    path = tmp_path / "report.html"
    write_report(tmp_path / "results", path)
    found = Page(path.read_text(encoding="utf-8"))
    assert not found.every("img") and len(found.every("script")) == 2
    assert len(found.text) < 2_000_000
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", found.text)


def test_texts_of_others_are_text_and_bounded(tmp_path: Path) -> None:
    extra = HOSTILE + "\u2028" + "y" * 200_000
    made = write_results(tmp_path / "results")
    hostile = collection(extra=extra)
    for path in made.rglob("*.json"):
        path.write_text(path.read_text().replace(collection().revision, hostile.revision))
    save_collection(hostile, tmp_path / "hostile.jsonl")
    write_report(made, tmp_path / "report.html", data=[tmp_path / "hostile.jsonl"])
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not found.every("img") and len(found.every("script")) == 2
    assert len(found.text) < 1_500_000 and "\u2028" not in found.text
    (explorer,) = explorers(found).values()
    questions = explorer["questions"]
    assert isinstance(questions, list)
    assert any(each["text"].startswith("Frage 0</script><img src=x onerror=alert(1)>") for each in questions)


def test_json_cannot_end_its_element() -> None:
    value = {"</script>": "<!--<script>&\u2028\u2029é"}
    text = script_json(value)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == value


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    made = write_results(tmp_path / "results", ["local/base"], ranks=False)
    for path in made.rglob("*CrossLingual.json"):
        path.unlink()
    write_report(made, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No curves: there are no rows of measured remedies" in text
    assert "No ranks of the parallel answers" in text
    assert "no task of this name is known; give a collection of your own with --data FILE" in text


def test_without_scores_of_single_queries_there_is_a_page(tmp_path: Path) -> None:
    made = write_results(tmp_path / "results")
    for path in made.rglob("*.parquet"):
        path.unlink()
    write_report(made, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No scores of single queries were kept for the pool of all languages" in text


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", asked)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = write_results(tmp_path / "results", ["local/base"], name="XQuADR")
    for path in made.rglob("*.json"):
        path.write_text(path.read_text().replace(collection().revision, "9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c"))
    write_report(made, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Questions are named by their ids alone: cannot download" in text
    assert "XLM-R, hybrid (published)" in text


@pytest.mark.slow
def test_figures_as_files(made: Path, tmp_path: Path) -> None:
    written = write_report(made, tmp_path / "report.html", models=["base"], figures=tmp_path / "figures")
    assert written.figures == 1 + 3 + 3
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert len(names) == 2 * written.figures
    assert {"toy-overview.svg", "toy-map-local-base.png", "trade-off-toy.svg"} <= names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"output": "."}, "is a folder; name a file"),
        ({"output": "gone/report.html"}, "there is no folder"),
        ({"models": ["nobody"]}, "no results of model 'nobody'"),
        ({"rows": "gone.json"}, "cannot read"),
        ({"data": ["gone.jsonl"]}, "cannot read"),
    ],
)
def test_faults_are_one_line(made: Path, tmp_path: Path, arguments: dict[str, object], words: str) -> None:
    paths = {"output": "report.html"} | {key: arguments[key] for key in ("output", "rows") if key in arguments}
    options = {
        "models": arguments.get("models", ()),
        "data": [tmp_path / str(each) for each in arguments.get("data", ())],  # type: ignore[attr-defined]
        "rows": tmp_path / str(paths["rows"]) if "rows" in paths else None,
    }
    with pytest.raises(HybridError, match=words) as fault:
        write_report(made, tmp_path / str(paths["output"]), **options)  # type: ignore[arg-type]
    assert "\n" not in str(fault.value)
    assert not list(tmp_path.glob("*.html"))
