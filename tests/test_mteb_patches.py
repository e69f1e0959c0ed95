"""What is changed in mteb takes the arguments that mteb's own takes."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import mteb
import pytest
from mteb.cache.result_cache import ResultCache
from mteb.results import TaskResult

import mteb_hybrid  # noqa: F401  (changes mteb)
from mteb_hybrid.evaluation.shared_run import shared_run


def _result() -> TaskResult:
    scores = {"test": {"default": {"main_score": 0.5, "hf_subset": "default", "languages": ["eng-Latn"]}}}
    return TaskResult.from_task_results(task=mteb.get_task("STS12"), scores=scores, evaluation_time=1)


@pytest.mark.parametrize("named", [0, 1, 2, 3])
def test_results_are_saved_whether_arguments_are_given_by_position_or_by_name(tmp_path: Path, named: int) -> None:
    given: dict[str, Any] = {"task_result": _result(), "model_name": "someone/model", "model_revision": "rev1"}
    by_name = dict(list(given.items())[3 - named :])
    by_place = list(given.values())[: 3 - named]
    cache: Any = ResultCache(cache_path=tmp_path)
    cache.save_to_cache(*by_place, **by_name, encode_kwargs={"batch_size": 16})
    (folder,) = {path.parent for path in tmp_path.rglob("STS12.json")}
    assert folder.name == "rev1"
    assert [path.name for path in folder.glob("*.jsonl")] == ["run_settings.jsonl"]


def test_so_they_are_within_a_run(tmp_path: Path) -> None:
    cache: Any = ResultCache(cache_path=tmp_path)
    with shared_run():
        cache.save_to_cache(task_result=_result(), model_name="someone/model", model_revision="rev1")
    assert [path.parent.name for path in tmp_path.rglob("STS12.json")] == ["rev1"]


CHANGED = (
    mteb.evaluate,
    importlib.import_module("mteb.models.get_model_meta").get_model_meta,
    ResultCache.save_to_cache,
    TaskResult.to_disk,
    TaskResult.from_task_results,
)


@pytest.mark.parametrize("changed", CHANGED)
def test_what_is_changed_takes_every_argument_by_mtebs_name(changed: Any) -> None:
    given = dict.fromkeys(inspect.signature(inspect.unwrap(changed)).parameters)
    layers = 0
    while hasattr(changed, "__wrapped__"):  # a function may be changed more than once
        inspect.signature(changed, follow_wrapped=False).bind(**given)
        changed = changed.__wrapped__
        layers += 1
    assert layers
