"""Built corpora as sources of training: one corpus a file, what the lock says of each, and what cannot be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.data.built_corpus import find_built, load_built
from mteb_hybrid.data.corpus_files import load_corpus, save_corpus
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, FileRecord, StageRecord, file_digest, write_lock
from mteb_hybrid.errors import HybridError


def build(folder: Path, languages: dict[str, list[str]], **values: Any) -> Path:
    """A corpus of one file for each name, with rows of these languages."""
    files = []
    for name, tags in languages.items():
        source = load_corpus("ParallelWorld", rows=4).select_languages(tags)
        save_corpus(source, folder / f"{name}.parquet")
        pairs = dict.fromkeys(tags, len(source))
        files.append(
            FileRecord(
                name=name,
                source=name,
                revision=None,
                url=None,
                license="cc0-1.0",
                mteb_tasks=["MLQAR"] if name == "MLQA" else [],
                stages=[StageRecord(stage="read", rows=len(source), pairs=pairs, dropped={})],
                sha256=file_digest(folder / f"{name}.parquet"),
            )
        )
    fixed = {"settings": {}, "license": "cc0-1.0", "decontaminated": ["XQuADR", "MLQAR"], "versions": {}}
    write_lock(CorpusLock(name="built", files=files, **fixed | values), folder / LOCK)
    return folder


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path, {"NQ": ["en", "de"], "MLQA": ["en", "ar"]})


def test_a_folder_is_a_corpus_for_each_file(built: Path) -> None:
    found = find_built(str(built))
    assert found is not None
    corpora = load_built(found)
    assert [(file.name, corpus.name, corpus.languages) for file, corpus in corpora] == [
        ("NQ", "NQ", ("en", "de")),
        ("MLQA", "MLQA", ("en", "ar")),
    ]
    assert [corpus.trained_on for _, corpus in corpora] == [(), ("MLQAR",)]
    assert [corpus.name for _, corpus in load_built(found, name="ours")] == ["ours-NQ", "ours-MLQA"]


def test_a_file_of_it_is_that_corpus_alone(built: Path) -> None:
    found = find_built(str(built / "MLQA.parquet"))
    assert found is not None
    ((_, corpus),) = load_built(found, name="ours", languages=["ar"], rows=2)
    assert (corpus.name, corpus.languages, len(corpus)) == ("ours", ("ar",), 2)


def test_languages_that_some_files_have(built: Path) -> None:
    found = find_built(built)
    assert found is not None
    assert [(corpus.name, corpus.languages) for _, corpus in load_built(found, languages=["ar"])] == [("MLQA", ("ar",))]
    with pytest.raises(HybridError, match=r"'fr' is in no file of .*; there are en, de, ar"):
        load_built(found, languages=["en", "fr"])


@pytest.mark.parametrize("asked", [{"rows": 2}, {"sample": 2}])
def test_rows_are_of_one_file(built: Path, asked: dict[str, int]) -> None:
    found = find_built(built)
    assert found is not None
    with pytest.raises(HybridError, match=r"has several files; name one \(NQ\.parquet, MLQA\.parquet\)"):
        load_built(found, **asked)


def test_what_is_no_built_corpus(built: Path, tmp_path: Path) -> None:
    """Other files, also those that somebody put beside it."""
    save_corpus(load_corpus("ParallelWorld", rows=2), built / "own.parquet")
    assert find_built(built / "own.parquet") is None
    assert find_built("MLQA-R") is None
    assert find_built(tmp_path / "nowhere") is None


def test_a_file_that_was_changed_is_refused(built: Path) -> None:
    save_corpus(load_corpus("ParallelWorld", rows=2), built / "NQ.parquet")
    for source in (built, built / "NQ.parquet"):
        with pytest.raises(HybridError, match=r"NQ\.parquet is not the file"):
            find_built(source)
    assert find_built(built / "MLQA.parquet") is not None
