"""Locks of built corpora: written and read back, held against the files, and told what is wrong in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.data.corpus_lock import (
    LOCK,
    CorpusLock,
    FileRecord,
    StageRecord,
    check_files,
    file_digest,
    lock_path,
    read_lock,
    write_lock,
)
from mteb_hybrid.errors import HybridError

READ = StageRecord(stage="read", rows=3, pairs={"en": 3, "de": 2}, dropped={})
CLEANED = StageRecord(stage="clean", rows=2, pairs={"en": 2, "de": 1}, dropped={"too short": 2})


def record(folder: Path, name: str = "NQ", **values: Any) -> FileRecord:
    """Of a file that is there; what it holds does not matter here."""
    path = folder / f"{name}.parquet"
    path.write_text(f"the rows of {name}")
    fixed = {"source": name, "revision": "0" * 40, "url": None, "license": "cc-by-4.0", "mteb_tasks": []}
    return FileRecord(name=name, stages=[READ, CLEANED], sha256=file_digest(path), **fixed | values)


def lock(*files: FileRecord, **values: Any) -> CorpusLock:
    fixed = {"settings": {"sources": []}, "license": "cc-by-4.0", "versions": {"numpy": "2"}}
    return CorpusLock(name="small", files=list(files), **fixed | values)


def test_a_lock_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = lock(record(tmp_path), decontaminated=["XQuADR"])
    write_lock(written, tmp_path / LOCK)
    assert read_lock(tmp_path / LOCK) == written
    assert (written.files[0].rows, written.files[0].pairs) == (2, {"en": 2, "de": 1})


def test_where_the_lock_is(tmp_path: Path) -> None:
    """Of the folder, of a Parquet file in it, and the lock itself; not of any file that lies beside it."""
    made = record(tmp_path)
    assert lock_path(tmp_path) is None
    write_lock(lock(made), tmp_path / LOCK)
    for path in (tmp_path, tmp_path / "NQ.parquet", tmp_path / LOCK):
        assert lock_path(path) == tmp_path / LOCK
    assert lock_path(tmp_path / "notes.jsonl") is None


def test_files_are_held_against_it(tmp_path: Path) -> None:
    made = lock(record(tmp_path), record(tmp_path, "WikiQA"))
    check_files(made, tmp_path)
    (tmp_path / "WikiQA.parquet").write_text("other rows")
    check_files(made, tmp_path, {"NQ"})
    with pytest.raises(HybridError, match=r"WikiQA\.parquet is not the file that .* tells of; build the corpus again"):
        check_files(made, tmp_path)
    (tmp_path / "NQ.parquet").unlink()
    with pytest.raises(HybridError, match=r"NQ\.parquet is missing"):
        check_files(made, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("", "is broken .*build the corpus again"),
        ("[" * 100_000, "is broken"),
        ("[]", "is no lock of a corpus"),
        ("{}", "is no lock of a corpus: name"),
        ({"files": [{"name": "NQ"}]}, r"is no lock of a corpus: files\.0\.source"),
        ({"more": 1}, "is no lock of a corpus: more"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, change: str | dict[str, Any], message: str) -> None:
    path = tmp_path / LOCK
    whole = lock(record(tmp_path)).model_dump(mode="json")
    path.write_text(change if isinstance(change, str) else json.dumps(whole | change))
    with pytest.raises(HybridError, match=message) as raised:
        read_lock(path)
    assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(HybridError, match="cannot read"):
        read_lock(path)
