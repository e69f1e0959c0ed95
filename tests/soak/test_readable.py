"""What is half written is noticed, whatever kind of file it is, unless its name says so."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from safetensors.numpy import save

from tests.soak.readable import leftovers, newest_checkpoint, unreadable


def parquet_bytes() -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["Wer baute sie?"] * 9}), stream)
    return stream.getvalue()


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data", b"0" * 99)
    return stream.getvalue()


def numpy_bytes() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(9))
    return stream.getvalue()


WHOLE = {
    "a.json": json.dumps({"de": 0.5}).encode(),
    "a.jsonl": b'{"id": 1}\n{"id": 2}\n',
    "a.toml": b'[ours]\nsource = "models/ours"\n',
    "a.parquet": parquet_bytes(),
    "a.safetensors": save({"weights": np.arange(9)}),
    "a.npy": numpy_bytes(),
    "a.pt": zip_bytes(),
    "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><g/></svg>",
}


@pytest.mark.parametrize("name", WHOLE)
def test_half_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    assert list(unreadable(tmp_path)) == []
    (tmp_path / name).write_bytes(WHOLE[name][:-4])
    (fault,) = unreadable(tmp_path)
    assert name in fault


def test_an_empty_file(tmp_path: Path) -> None:
    """Of a YAML file, that is all that can be told."""
    for name in ("a.yaml", "a.json", "a.parquet", "a.toml"):
        (tmp_path / name).touch()
    assert len(list(unreadable(tmp_path))) == 4


def test_a_file_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").touch()
    (fault,) = unreadable(tmp_path)
    assert "no reader for a.pkl" in fault


def test_names_of_what_may_be_half_written(tmp_path: Path) -> None:
    for name in (".a.json.17.partial", ".ours.partial/a.json", ".corpus.new/a.parquet", ".ours.old/a.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{")
    assert list(unreadable(tmp_path)) == []
    assert len(leftovers(tmp_path)) == 4


def test_a_checkpoint_is_whole_when_its_state_is_there(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"half")
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    (fault,) = unreadable(tmp_path)  # checkpoint-2 may be on its way out, checkpoint-6 is not done
    assert "checkpoint-4" in fault
