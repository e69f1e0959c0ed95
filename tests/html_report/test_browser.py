"""The page in a real browser: the system's Chromium, driven by playwright; every control, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.data.own import save_collection
from mteb_hybrid.html_report.write import write_report
from mteb_hybrid.reporting.remedies import write_rows
from tests.html_report.made import collection, rows, write_results

pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")
pytestmark = pytest.mark.slow

SIZES = {"wide": {"width": 1200, "height": 900}, "phone": {"width": 360, "height": 740}}
HOSTILE = "</script><img src=x onerror=document.title='gone'>"

# The contrast of WCAG 2 between an element's letters and the ground that it stands on.
CONTRAST = """element => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let under = element;
  while (under && parts(getComputedStyle(under).backgroundColor)[3] === 0) under = under.parentElement;
  const [one, other] = [getComputedStyle(element).color, getComputedStyle(under).backgroundColor].map(light);
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""  # noqa: E501

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_results(tmp_path_factory.mktemp("results"), ["local/base", "local/better", f"x/{HOSTILE}"])
    extra = f" {HOSTILE}"
    hostile = collection(extra=extra)
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace(collection().revision, hostile.revision))
    save_collection(hostile, folder / "own.jsonl")
    write_rows(rows(), folder / "rows.json")
    write_report(folder, folder / "report.html", data=[folder / "own.jsonl"])
    return folder / "report.html"


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[Open]:
    """Give a way to open the report; at the end nothing must have been complained of, or asked of any other place."""
    asked: list[str] = []
    said: list[str] = []
    contexts: list[Any] = []

    def opened(size: str = "wide", **options: Any) -> Any:
        context = browser.new_context(viewport=SIZES[size], **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(report.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {report.as_uri()}


def column(page: Any, place: int) -> list[str]:
    found: list[str] = page.locator(f"#settings-1 tbody tr > :nth-child({place})").all_inner_texts()
    return found


def figures(page: Any, place: int) -> list[float]:
    return [float(text.split()[0].strip("*")) for text in column(page, place) if text != "–"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_readable_everywhere(open_page: Open, scheme: str, size: str) -> None:
    page = open_page(size, color_scheme=scheme)
    page.locator(".explorer summary").first.click()
    for details in page.locator("figure details:visible").all():
        details.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    for letters in ("h1", "p.lead", ".quiet", "nav a", "td.number", "tbody th", ".margin", "button", "select", ".tag"):
        assert page.locator(f"{letters}:visible").first.evaluate(CONTRAST) >= 4.5, letters
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")
    ink = page.locator("svg text:visible").first.evaluate("element => getComputedStyle(element).fill")
    assert ink == page.evaluate("getComputedStyle(document.body).color")
    assert "document.title" not in page.title()


def test_print_is_light_and_without_controls(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    page.locator("#theme").select_option("dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav, .downloads, .theme").filter(visible=True).count() == 0
    assert page.locator("svg:visible").count() == 1 + 3 + 3
    assert len(page.pdf()) > 20_000


def test_the_theme_can_be_chosen(open_page: Open) -> None:
    page = open_page(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    assert page.evaluate(ground) != before
    page.get_by_label("Theme").select_option("as the system")
    assert page.evaluate(ground) == before


def test_one_model_is_shown_at_a_time(open_page: Open) -> None:
    page = open_page()
    titles = page.locator(".of-model:visible h4")
    assert titles.all_inner_texts() == ["local/base"]
    page.locator("select.model").select_option("local/better")
    assert titles.all_inner_texts() == ["local/better"]
    assert page.locator(".of-model:visible svg").count() == 3


def test_tables_are_sorted_by_any_column(open_page: Open) -> None:
    page = open_page()
    before = column(page, 1)
    mono = page.locator("#settings-1 .names th").nth(1)
    mono.locator("button").click()
    assert mono.get_attribute("aria-sort") == "descending"
    assert figures(page, 2) == sorted(figures(page, 2), reverse=True) != []
    mono.locator("button").press("Enter")  # by the keyboard as well
    assert mono.get_attribute("aria-sort") == "ascending"
    assert figures(page, 2) == sorted(figures(page, 2))
    page.locator("#settings-1 .names th button").first.click()
    assert mono.get_attribute("aria-sort") == "none"
    assert sorted(column(page, 1)) == sorted(before)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_data_behind_a_figure_are_downloaded(open_page: Open, form: str) -> None:
    page = open_page()
    with page.expect_download() as download:
        page.locator(f"#toy-map-local-base button[data-form={form}]").click()
    assert download.value.suggested_filename == f"toy-map-local-base.{form}"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    if form == "csv":
        assert text.splitlines()[:2] == ["query language,ar,de,en", "ar,0.8,0.5,0.5"]
    else:
        assert json.loads(text)[0] == {"query language": "ar", "ar": 0.8, "de": 0.5, "en": 0.5}


def test_downloads_hold_intervals_and_no_formulas(open_page: Open) -> None:
    page = open_page()
    page.locator("#settings-1 tbody th").first.evaluate("cell => { cell.textContent = '=1+\"1\"'; }")
    with page.expect_download() as download:
        page.locator("#settings-1 button[data-form=csv]").click()
    head, first = Path(download.value.path()).read_text(encoding="utf-8").splitlines()[:2]
    assert head.startswith("model,Toy mono,Toy cross,Toy multi,Toy multi ±,Toy mean")
    assert first.startswith('"\'=1+""1""",0.8')


def test_questions_one_by_one(open_page: Open) -> None:
    page = open_page()
    explorer = page.locator(".explorer")
    items = explorer.locator("ol > li")

    def distances() -> list[int]:
        shown = explorer.locator("summary > span:last-child").all_inner_texts()
        return [int(text.split("|")[0].split("distance ")[1].replace(",", "")) for text in shown]

    assert items.count() > 3
    assert distances() == sorted(distances(), reverse=True)
    explorer.get_by_label("Order").select_option("answers closest together")
    assert distances() == sorted(distances())
    explorer.get_by_label("Order").select_option("less average precision than the other")
    explorer.get_by_label("Beside").select_option("local/better")
    first = items.first
    first.locator("summary").press("Enter")
    table = first.locator("table")
    heads = table.locator("thead th").all_inner_texts()
    assert heads == ["answer in", "rank: local/base", "rank: local/better", "passage"]
    assert table.locator("tbody tr").count() == 3
    assert "local/base | local/better" in explorer.get_by_role("status").inner_text()


def test_texts_run_in_their_own_direction_and_are_no_markup(open_page: Open) -> None:
    page = open_page()
    page.locator(".explorer li summary").first.click()
    arabic = page.locator(".explorer bdi[lang=ar]").first
    assert arabic.get_attribute("dir") == "auto"
    assert arabic.evaluate("element => getComputedStyle(element).direction") == "rtl"
    german = page.locator(".explorer bdi[lang=de]").first
    assert german.evaluate("element => getComputedStyle(element).direction") == "ltr"
    assert HOSTILE in german.inner_text()
    assert page.locator("img").count() == 0


def test_the_keyboard_reaches_every_control(open_page: Open) -> None:
    page = open_page("phone")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen: set[str] = set()
    kind = "(e => e.tagName + (e.className || e.id ? '.' + (e.className || e.id) : ''))(document.activeElement)"
    for _ in range(200):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(kind))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement === document.body")
    assert {"SELECT.theme", "SELECT.model", "SELECT.of", "SELECT.order", "SELECT.beside", "BUTTON", "SUMMARY"} <= seen
    assert "DIV.scroll" in seen and "A" in seen


def test_without_javascript_all_models_are_shown(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".of-model:visible").count() == 3
    assert page.locator("select:visible, button[data-form]:visible").count() == 0
    assert page.get_by_text("The questions are shown by JavaScript").count() == 1
