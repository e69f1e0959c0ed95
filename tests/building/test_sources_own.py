"""Sources of the user's own, and faults of the Hub."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow
import pytest

from mteb_hybrid.building.shards import schema_of
from mteb_hybrid.building.sources import SourceSettings, describe, read
from mteb_hybrid.building.sources.errors import told
from mteb_hybrid.errors import HybridError
from tests.building import source_files

ROWS = [
    {"id": "1", "query_ar": source_files.ARABIC, "passage_ar": "آدا", "query_de": "Wer?", "passage_de": "Ada."},
    {"id": "2", "group": "g", "query_de": "Wann?", "passage_de": "1900.", "negative_1_de": "Nie."},
]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    source_files.write_lines(path, rows)
    return str(path)


def test_a_file_is_read_into_shards_without_its_negatives(tmp_path):
    rows = [ROWS[0] | {"negative_1_ar": "لا", "negative_1_de": "Nein."}, ROWS[1]]
    settings = SourceSettings(source=write(tmp_path / "mine.jsonl", rows), license="cc-by-4.0", mteb_tasks=["T"])
    facts = describe(settings)
    assert (facts.name, facts.license, facts.languages, facts.mteb_tasks) == ("mine", "cc-by-4.0", None, ("T",))
    assert (facts.revision, facts.url) == (None, None)
    reading = read(settings, folder=tmp_path)
    table = pyarrow.concat_tables(reading)
    assert reading.languages == ("ar", "de")
    assert table.schema == schema_of(("ar", "de"))
    assert table["query_ar"].to_pylist() == [source_files.ARABIC, None]
    assert table["group"].to_pylist() == [None, "g"]


def test_languages_and_rows_of_a_file(tmp_path):
    source = write(tmp_path / "mine.jsonl", [ROWS[0], {"id": "2", "query_de": "Wann?", "passage_de": "1900."}])
    table = pyarrow.concat_tables(read(SourceSettings(source=source, languages=["de"], rows=1), folder=tmp_path))
    assert table.to_pylist() == [{"id": "1", "group": None, "query_de": "Wer?", "passage_de": "Ada."}]


def test_a_file_that_is_no_corpus_names_its_place(tmp_path):
    source = write(tmp_path / "mine.jsonl", [{"id": "1", "query_de": "Wer?"}])
    with pytest.raises(HybridError, match=r"mine.jsonl, line 1: query_de without passage_de"):
        read(SourceSettings(source=source), folder=tmp_path)


def test_a_built_in_source_knows_its_tasks_and_licence(tmp_path):
    facts = describe(SourceSettings(source="XQuAD-R"))
    assert facts.license == "cc-by-sa-4.0"
    assert "XQuADRMonolingual" in facts.mteb_tasks
    reading = read(SourceSettings(source="ParallelWorld", languages=["en", "de"], rows=3), folder=tmp_path)
    assert sum(map(len, reading)) == 3


def test_a_data_set_on_the_hub_is_pinned_and_its_licence_taken_from_its_card(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    asked = []

    def info(self: object, source: str, revision: str | None = None) -> SimpleNamespace:
        asked.append((source, revision))
        return SimpleNamespace(sha="a" * 40, card_data={"license": "mit"})

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", info)
    facts = describe(SourceSettings(source="me/mine"))
    assert (facts.revision, facts.license, facts.url) == ("a" * 40, "mit", "https://huggingface.co/datasets/me/mine")
    assert asked == [("me/mine", None)]
    facts = describe(SourceSettings(source="me/mine", revision="b" * 40, license="cc0-1.0"))
    assert (facts.revision, facts.license, len(asked)) == ("b" * 40, "cc0-1.0", 1)


class GatedRepoError(Exception):
    """Named as the Hub's client names it."""


class RevisionNotFoundError(Exception):
    """Named as the Hub's client names it."""


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            GatedRepoError("403\n secret"),
            r"^S is gated: accept its terms at http://u, and log in with `hf auth login`$",
        ),
        (RevisionNotFoundError("x"), r"^S has no revision r1; check it"),
        (FileNotFoundError("x"), r"^S has no file p at revision r1: it has changed upstream"),
        (ConnectionError("no\nroute"), r"^S cannot be reached \(no route\); check the network"),
    ],
)
def test_faults_on_the_way_are_one_line(error, fault):
    def fail() -> None:
        with told("S", url="http://u", path="p", revision="r1"):
            raise RuntimeError("wrapped") from error

    with pytest.raises(HybridError, match=fault) as caught:
        fail()
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named_in_one_line():
    with (
        pytest.raises(HybridError, match=r"^S cannot be read: p \(bad bytes\); fetch it again"),
        told("S", url="u", path="p"),
    ):
        raise ValueError("bad\nbytes")
