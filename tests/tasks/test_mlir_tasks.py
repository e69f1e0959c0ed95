"""The tasks of the MLIR pools as declared, and XQuAD's pool made of the published files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid import tasks
from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.mlir import BELEBELE, MLQA, MULTIEUP, XQUAD, MlirPool, read_mlir

POOLS = {"MLIRBelebele": BELEBELE, "MLIRMLQA": MLQA, "MLIRXQuAD": XQUAD, "MLIRMultiEuP": MULTIEUP}
PARTS = ("Monolingual", "CrossLingual", "Multilingual", "LanguageBias")


def task_class(name: str) -> Any:
    return getattr(tasks, name)


def test_four_benchmarks_of_five_tasks() -> None:
    expected = {f"{name}{part}" for name in POOLS for part in ("", *PARTS)}
    assert {name for name in tasks.__all__ if name.startswith("MLIR")} == expected
    assert all(task_class(name).metadata.name == name for name in expected)


@pytest.mark.parametrize("name", POOLS)
def test_metadata_are_complete(name: str) -> None:
    for part in PARTS:
        metadata = task_class(f"{name}{part}").metadata
        assert metadata.is_filled()
        assert metadata.dataset["path"] == "yjoonjang/mlir-benchmarks"
        assert "jang2026shift" in metadata.bibtex_citation
        assert metadata.main_score == ("rank_closeness" if part == "LanguageBias" else "map")


@pytest.mark.parametrize(("name", "pool"), POOLS.items())
def test_subsets(name: str, pool: MlirPool) -> None:
    count = len(pool.languages)
    numbers = [len(task_class(f"{name}{part}").metadata.eval_langs) for part in PARTS]
    assert numbers == [count, count * (count - 1), count, count]
    assert set(task_class(name).metadata.eval_langs) == {langscript(tag) for tag in pool.languages}


def test_a_model_that_knows_the_questions_is_not_zero_shot() -> None:
    from mteb.models import ModelMeta

    meta = ModelMeta.create_empty(
        overwrites={"name": "a/b", "revision": "1", "training_datasets": {"XQuADRMonolingual"}}
    )
    seen = meta.get_training_datasets()
    assert seen is not None
    assert {"MLIRXQuADMonolingual", "MLIRXQuADMultilingual", "MLIRXQuADLanguageBias"} <= seen
    assert "MLIRMLQAMultilingual" not in seen


def mlir_xquad(folder: Path, lareqa: Path) -> None:
    """XQuAD's pool made of the published files as the authors' script makes it."""
    folder.mkdir(parents=True)
    queries: dict[str, dict[str, str]] = {}
    corpus: dict[str, dict[str, str]] = {}
    answers: dict[str, dict[str, int]] = {}
    for language in XQUAD.languages:
        articles: list[Any] = json.loads((lareqa / "xquad-r" / f"{language}.json").read_text(encoding="utf-8"))["data"]
        for number, article in enumerate(articles):
            for index, paragraph in enumerate(article["paragraphs"]):
                passage = f"{language}_{number}_{index}"
                corpus[passage] = {"text": paragraph["context"], "lang": language}
                for question in paragraph["qas"]:
                    queries[f"{language}_{question['id']}"] = {"text": question["question"], "lang": language}
                    answers.setdefault(question["id"], {})[passage] = 1
    files: dict[str, list[Any]] = {
        "queries": [{"_id": id_, **queries[id_]} for id_ in sorted(queries)],
        "corpus": [{id_: corpus[id_]} for id_ in sorted(corpus)],
        "qrels": [{id_: answers[id_.partition("_")[2]]} for id_ in sorted(queries)],
    }
    for name, lines in files.items():
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_xquads_pool_made_of_the_published_files(tmp_path: Path, lareqa_folder: Path) -> None:
    mlir_xquad(tmp_path / "pool", lareqa_folder)
    collection = read_mlir(tmp_path / "pool", "MLIRXQuAD", XQUAD.languages)
    assert {len(table) for table in collection.queries.values()} == {1190}
    assert {len(table) for table in collection.passages.values()} == {240}
    for passages in collection.passages.values():
        assert {len(rows) for rows in passages.rows_by_group.values()} == {1}  # a question has one paragraph a language
        assert len(passages.rows_by_group) == 1190
