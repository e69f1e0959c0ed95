"""The record of a training run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.outcome import MergedPart, SourceRecord, TrainingRecord, read_record, record_text


def source(**values: Any) -> SourceRecord:
    """A record of a source."""
    fixed = {"name": "x", "source": "x.jsonl", "revision": None, "languages": ["de"], "rows": 2, "pairs": 2}
    return SourceRecord.model_validate(fixed | {"fingerprint": "0" * 40, "mteb_tasks": []} | values)


def training(**values: Any) -> TrainingRecord:
    """A record of a run."""
    fixed: dict[str, Any] = {
        "base": "ada/model",
        "base_revision": "1" * 40,
        "base_mteb_tasks": [],
        "data": [source()],
        "steps": 3,
        "best_step": None,
        "batch_size": 8,
        "processes": 1,
        "batches_digest": "2" * 40,
        "seconds": 1.5,
        "hardware": "1 threads",
        "versions": {"torch": "2"},
        "curve": [{"step": 1, "loss": 0.5}],
    }
    return TrainingRecord.model_validate(fixed | values)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = training(data=[source(name="Märchen", mteb_tasks=["A"]), source()], best_step=2)
    (tmp_path / "training.json").write_text(record_text(record), encoding="utf-8")
    assert read_record(tmp_path) == record
    assert "Märchen" in record_text(record)
    assert record_text(record).endswith("}\n")


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    record = training(curve=[{"step": 1, "loss": math.nan, "grad_norm": math.inf}])
    (tmp_path / "training.json").write_text(record_text(record))
    found = read_record(tmp_path)
    assert found is not None
    assert found.curve == [{"step": 1, "loss": None, "grad_norm": None}]  # JSON has no other word for it


def test_tasks_are_those_of_all_sources_and_of_the_base() -> None:
    record = training(data=[source(mteb_tasks=["A"]), source(mteb_tasks=["B", "A"])], base_mteb_tasks=["C"])
    assert record.mteb_tasks == {"A", "B", "C"}
    assert training().mteb_tasks == frozenset()


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "nowhere") is None
    (tmp_path / "file").touch()
    assert read_record(tmp_path / "file") is None


WHOLE = json.loads(record_text(training()))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "the file: "),
        (record_text(training())[:-40], "the file: "),
        ("[]", "the file: "),
        ('{"epochs": 3, "loss": [1, 2]}', "base: Field required"),  # another program's
        (json.dumps(WHOLE | {"steps": "many"}), "steps: "),
        (json.dumps(WHOLE | {"data": [{}]}), "data.0.name: "),
        ("\ud800", "the file: "),
    ],
)
def test_a_broken_record(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(HybridError) as raised:
        read_record(tmp_path)
    assert str(raised.value).startswith(f"{path} is no training record ({part}")


def test_a_record_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "training.json").mkdir()
    with pytest.raises(HybridError, match=r"cannot read .*training.json: Is a directory"):
        read_record(tmp_path)


def test_a_merge_is_read_as_it_was_written(tmp_path: Path) -> None:
    part = MergedPart(source="ada/model", revision=None, weight=0.25, origin=None, mteb_tasks=["A"])
    record = training(merged_from=[part, part])
    (tmp_path / "training.json").write_text(record_text(record), encoding="utf-8")
    assert read_record(tmp_path) == record
    assert training().merged_from is None


def test_a_record_of_before_there_were_merges(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps({k: v for k, v in WHOLE.items() if k != "merged_from"}))
    assert read_record(tmp_path) == training()
