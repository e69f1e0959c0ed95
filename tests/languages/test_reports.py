"""Reports of very many languages stay readable: tables that fit, pictures whose names can be read, pages that open."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.cli import main
from mteb_hybrid.comparing import compare
from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.publishing.card_tables import listed
from mteb_hybrid.publishing.figures import card_figures, language_shares
from mteb_hybrid.reporting import report
from mteb_hybrid.reporting.results import read_results
from mteb_hybrid.reporting.scripts import in_groups
from tests.languages.belebele_shape import TAGS
from tests.languages.results import QUESTIONS, write_results

ALL = tuple(tag.replace("_", "-") for tag in TAGS)
MANY = ALL[:42]
CROWD = tuple(f"org/model-{number}" for number in range(10, 20))


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results in all 122 languages, of one model."""
    return write_results(tmp_path_factory.mktemp("every"), ALL, ("test/base",), questions=2)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results in 42 languages, of two models."""
    return write_results(tmp_path_factory.mktemp("many"), MANY)


# ---- tables


def test_a_table_by_language_has_a_row_a_language(many: Path) -> None:
    text = report(many, by_language=True, benchmarks=["Belebele"])
    (table,) = (part for part in text.split("\n\nBelebele: ") if part.startswith("monolingual"))
    lines = table.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(MANY)] == sorted(MANY)
    assert "test/base" in lines[2] and "test/better" in lines[2]
    assert max(map(len, text.splitlines())) < 120
    # 0.9 for the first language of the list, .03 more for the better model; 0.9 - 0.6 * 41 / 42 for the last
    assert next(line for line in lines if line.startswith("acm-Arab")).split()[1:] == ["0.900", "0.930"]
    assert next(line for line in lines if line.startswith(MANY[41])).split()[1:] == ["0.314", "0.344"]
    assert [line.split()[0] for line in lines if line.startswith("mean")] == ["mean"]


def test_marks_and_changes_turn_with_the_table(many: Path) -> None:
    text = report(many, by_language=True, baseline="base", confidence=True, format="markdown")
    table = text.split("### Belebele: monolingual")[1].split("###")[0]
    assert "| language | test/base ↑ | test/better ↑ |" in table
    (row,) = (line for line in table.splitlines() if line.startswith("| acm-Arab"))
    assert "(+0.030" in row


def test_csv_has_a_figure_a_line_however_many_languages(many: Path) -> None:
    lines = report(many, by_language=True, format="csv").splitlines()
    (line,) = (line for line in lines if line.startswith("Belebele: monolingual") and ",test/base,acm-Arab," in line)
    assert line.split(",")[3] == "0.9"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of ten models in 26 languages."""
    return write_results(tmp_path_factory.mktemp("crowd"), MANY[:26], CROWD, questions=1)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_is_not_left(width: int, crowd: Path) -> None:
    lines = report(crowd, by_language=True, width=width).splitlines()
    assert max(map(len, lines)) <= width
    for model in CROWD:  # a part repeats the languages; no model is left out
        assert sum(f"{model} " in line for line in lines) >= 6  # two tables, and four by language
    assert sum(line.startswith("acm-Arab") for line in lines) >= (4 if width > 80 else 8)


def test_what_goes_to_no_terminal_is_whole(crowd: Path) -> None:
    lines = report(crowd, by_language=True).splitlines()
    assert sum(line.startswith("acm-Arab") for line in lines) == 4
    assert all(line.count(".") == len(CROWD) for line in lines if line.startswith("acm-Arab"))


def test_a_comparison_says_what_it_leaves_out(many: Path) -> None:
    text = compare(many, ["base"], ["better"])
    assert "The 30 of 42 query languages with the greatest differences; --format csv has all of them." in text
    table = next(part for part in text.split("\n\nBelebele: ") if part.startswith("rank distance"))
    assert sum(line.startswith(MANY) for line in table.splitlines()) == 30
    csv = compare(many, ["base"], ["better"], format="csv")
    assert all(f'rank distance by query language, B against A",{tag},A' in csv for tag in MANY)


# ---- pictures


def test_the_pictures_of_a_card_name_every_language(every: Path) -> None:
    (run,) = read_results(every)
    pictures = card_figures(run, language_shares(run.folder))
    assert len(pictures) == 2
    for text in pictures.values():
        assert all(text.count(f">{tag}<") == 2 for tag in ALL)  # of a row and of a column
        assert len(text) < 600_000
        width = float(re.findall(r'width="([\d.]+)"', text)[0])
        assert width < 1400
        latin = [text.index(f">{tag}<") for tag in ALL if tag.endswith("Latn")]
        other = [text.index(f">{tag}<") for tag in ALL if not tag.endswith("Latn")]
        assert max(latin) < min(other)


def test_languages_of_one_script_stand_together() -> None:
    ordered, said = in_groups(("ar", "ary-Arab", "de", "zh-Hans", "zh-Hant", "en", "?!"), at_most=3)
    assert list(ordered) == ["ar", "ary-Arab", "de", "en", "zh-Hans", "zh-Hant", "?!"]
    assert said == " Languages of one script stand together: Arab (2), Latn (2), Hans (1), Hant (1), other (1)."
    assert in_groups(("de", "ar"), at_most=3) == (("de", "ar"), "")


def test_a_card_lists_thirty_languages() -> None:
    assert listed(ALL).endswith("and 92 more")


# ---- the page


@pytest.fixture(scope="module")
def page(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one model's results, with texts."""
    pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")
    ids = tuple(f"q{number}" for number in range(QUESTIONS))
    groups = tuple((f"g{number}",) for number in range(QUESTIONS))
    long = " ".join(["long"] * 999)
    texts = ParallelCollection(
        "Belebele",
        {tag: TextTable(ids, tuple(f"{tag} {id_}?" for id_ in ids), groups) for tag in MANY},
        {tag: TextTable(tuple(f"{tag}-{i}" for i in ids), (f"{tag} {long}",) * QUESTIONS, groups) for tag in MANY},
    )
    folder = tmp_path_factory.mktemp("page")
    save_collection(texts, folder / "Belebele.jsonl")
    for file in many.rglob("Belebele*.json"):  # results of these data
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"dataset_revision": texts.revision}))
    path = folder / "report.html"
    options = ["--models", "test/base", "--data", str(folder / "Belebele.jsonl")]
    assert main(["report", str(many), "-o", str(path), *options]) == 0
    return path


def test_a_page_of_many_languages_is_small_and_holds_all_figures(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text) < 1_500_000
    assert text.count("<td") < 2_000  # 2 x 42 x 42 are made when they are asked for
    matrices = json.loads(text.split('id="matrices">')[1].split("</script>")[0])
    (of_map,) = (each for name, each in matrices.items() if "-map-" in name)
    assert len(of_map["rows"]) == 42
    assert {len(row) for row in of_map["rows"]} == {43}
    row = next(row for row in of_map["rows"] if row[0] == "acm-Arab")
    assert row[of_map["columns"].index("acm-Arab")] == 0.9
    assert "Languages of one script stand together: Latn (" in text
    assert "cut at 160 characters" in text


@pytest.mark.slow
def test_a_cell_is_read_by_pointing_at_it_and_the_table_is_made_when_it_is_opened(browser: Any, page: Path) -> None:
    matrices = json.loads(page.read_text(encoding="utf-8").split('id="matrices">')[1].split("</script>")[0])
    (of_map,) = (each for name, each in matrices.items() if "-map-" in name)
    opened = browser.new_page(viewport={"width": 1280, "height": 1400})
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(page.as_uri())
    figure = opened.locator("figure:has(.large)").first
    figure.scroll_into_view_if_needed()
    boxes = [image.bounding_box() for image in figure.locator("image").all()]
    box = max((each for each in boxes if each), key=lambda each: each["width"])
    # the middle of the third row's fifth cell
    opened.mouse.move(box["x"] + box["width"] * 4.5 / 42, box["y"] + box["height"] * 2.5 / 42)
    query, passages = of_map["rows"][2][0], of_map["columns"][5]
    said = figure.locator(".readout").text_content()
    assert said == f"Query {query}, passages {passages}: {of_map['rows'][2][5]:.3f}"
    assert figure.locator("tr").count() == 0
    figure.locator("summary").click()
    assert figure.locator("tr").count() == 43
    with opened.expect_download() as download:
        figure.get_by_role("button", name="JSON").click()
    rows = json.loads(Path(download.value.path()).read_text())
    assert len(rows) == 42
    assert rows[2][passages] == of_map["rows"][2][5]
    assert not faults
