"""The files of facebook/belebele as they lie on the Hub, by hand: five questions on three passages in two languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from mteb_hybrid.data.belebele import read_belebele
from mteb_hybrid.data.collection import TextTable
from mteb_hybrid.data.own import load_collection
from mteb_hybrid.errors import HybridError

A, B, C = (f"https://en.wikibooks.org/wiki/{name}" for name in ("Accordion", "Bees", "Castles"))
ROWS = ((B, 1), (A, 1), (B, 2), (C, 1), (A, 2))  # upstream a passage's questions do not stand together


def row(tag: str, link: str, number: int) -> dict[str, Any]:
    """As upstream: four answers to choose from, and more that is of no use here."""
    answers = {f"mc_answer{place}": f"{place}" for place in range(1, 5)}
    return {
        "link": link,
        "question_number": number,
        "flores_passage": f"{tag} passage of {link[-7:]}",
        "question": f"{tag} question {number} on {link[-7:]}?",
        **answers,
        "correct_answer_num": "2",
        "dialect": tag,
        "ds": "2023-05-03",
    }


def write(folder: Path, tag: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / "data" / f"{tag}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "Belebele"
    for tag in ("zho_Hant", "zho_Hans"):
        write(place, tag, [row(tag, *which) for which in ROWS])
    (place / "README.md").write_text("# Belebele")
    (place / ".cache").mkdir()
    (place / ".cache" / "x.jsonl").write_text("the Hub client's own")
    return place


def test_a_folder_of_the_upstream_files_is_a_collection(folder: Path) -> None:
    collection = load_collection(folder)
    assert (collection.name, collection.languages) == ("Belebele", ("zho-Hans", "zho-Hant"))
    ids = ("0-1", "0-2", "1-1", "1-2", "2-1")  # by link, then by number
    texts = tuple(f"zho_Hans question {n} on {link[-7:]}?" for link, n in ((A, 1), (A, 2), (B, 1), (B, 2), (C, 1)))
    assert collection.queries["zho-Hans"] == TextTable(ids, texts, tuple((id_,) for id_ in ids))
    assert collection.passages["zho-Hant"] == TextTable(
        ("zho-Hant-0", "zho-Hant-1", "zho-Hant-2"),
        tuple(f"zho_Hant passage of {link[-7:]}" for link in (A, B, C)),
        (("0-1", "0-2"), ("1-1", "1-2"), ("2-1",)),
    )


def test_parquet_files_are_the_same(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "Belebele"
    for tag in ("zho_Hant", "zho_Hans"):
        path = copy / tag / "test-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist([row(tag, *which) for which in ROWS]), path)
    assert load_collection(copy) == load_collection(folder)


def test_evaluate_takes_the_folder(folder: Path) -> None:
    from mteb_hybrid.evaluation.run import select_tasks

    aggregate, bias = select_tasks(None, folder, None, None)
    assert (aggregate.metadata.name, bias.metadata.name) == ("Belebele", "BelebeleLanguageBias")
    assert bias.hf_subsets == ["zho_Hans-all", "zho_Hant-all"]
    (_, cross, _) = aggregate.tasks  # type: ignore[attr-defined]
    assert cross.hf_subsets == ["zho_Hans-zho_Hant", "zho_Hant-zho_Hans"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"question": " "}, ["zho_Hans.jsonl, line 1", "question"]),
        ({"flores_passage": None}, ["line 1", "flores_passage"]),
        ({"question_number": "one"}, ["line 1", "question_number"]),
        ({"dialect": "klingon"}, ["line 1", "unknown language tag 'klingon'"]),
        ({"link": A, "question_number": 1}, ["line 2", "question 1", "is there twice in zho-Hans"]),
    ],
)
def test_files_of_another_form(change: dict[str, Any], parts: list[str], folder: Path) -> None:
    rows = [row("zho_Hans", *which) for which in ROWS]
    write(folder, "zho_Hans", [rows[0] | change, *rows[1:]])
    with pytest.raises(HybridError) as caught:
        read_belebele(folder)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 600
    assert all(part in message for part in parts), message


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match=r"no \.jsonl or \.parquet files with rows; give a folder with the files"):
        read_belebele(tmp_path)


def test_no_more_than_three_folders_down_are_looked_into(folder: Path, tmp_path: Path) -> None:
    whole = load_collection(folder)
    (folder / "again").symlink_to(folder)
    far = folder / "a" / "b" / "c" / "d"
    far.mkdir(parents=True)
    (far / "other.jsonl").write_text("of another kind")
    assert load_collection(folder) == whole
    near = tmp_path / "x" / "y" / "z" / "Belebele"
    near.parent.mkdir(parents=True)
    folder.rename(near)
    assert read_belebele(tmp_path / "x" / "y", "Belebele") == whole
