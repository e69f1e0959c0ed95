"""Folders of results: every file that mteb and the tables would read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from mteb_hybrid.doctor.finding import Findings, ok, wrong
from mteb_hybrid.evaluation.query_scores import COLUMNS, query_scores_path
from mteb_hybrid.subsets import RETRIEVAL_SETTINGS

_AGAIN = "delete it, and run the same command again: it goes on with what is missing"
_META = "model_meta.json"
_PREDICTIONS = "_predictions.json"


def is_results(folder: Path) -> bool:
    """Whether a folder is that of one revision of one model."""
    if (folder / _META).is_file():
        return True
    return any(path.name.endswith(_PREDICTIONS) or _looks_like_one(path) for path in folder.glob("*.json"))


def _looks_like_one(path: Path) -> bool:
    """Whether a file begins as a result does, be it whole or not."""
    try:
        with path.open("rb") as file:
            return b'"dataset_revision"' in (head := file.read(400)) and b'"task_name"' in head
    except OSError:
        return False


def examine_results(folder: Path) -> Findings:
    """The results of one revision of one model, and what lies beside them."""
    results: dict[str, Mapping[str, Any]] = {}
    faulty = False
    for path in sorted(folder.glob("*.json")):
        fault = None
        if path.name == _META or path.name.endswith(_PREDICTIONS):
            fault = _json(path)[1]
        elif isinstance(found := _result(path), str):
            fault = found
        else:
            results[path.stem] = found
        if fault is not None:
            faulty = True
            yield wrong(f"{path} is damaged ({fault}): {_AGAIN}")
    others = [*_query_faults(folder), *_stale_means(folder, results)]
    yield from map(wrong, others)
    if not faulty and not others:
        yield ok(f"{folder} holds whole results of {len(results)} tasks")


def _json(path: Path) -> tuple[Any, str | None]:
    """What a file holds, and what is wrong with it."""
    try:
        return json.loads(path.read_bytes()), None
    except OSError as error:
        return None, str(error.strerror or error)
    except (ValueError, RecursionError):
        return None, "cut short, or not JSON"


def _result(path: Path) -> Mapping[str, Any] | str:
    """A result, or what is wrong with it."""
    values, fault = _json(path)
    if fault is not None:
        return fault
    match values:
        case {"task_name": str(task), "dataset_revision": str(), "scores": dict(scores)}:
            entries = [entry for split in scores.values() for entry in (split if isinstance(split, list) else [None])]
            if task != path.stem:
                return "it holds another task"
            if not all(isinstance(entry, dict) and "hf_subset" in entry for entry in entries):
                return "its scores are not one record for each subset"
            return dict(values)
    return "task_name, dataset_revision or scores is missing"


def _query_faults(folder: Path) -> Iterator[str]:
    import pyarrow
    from pyarrow import parquet

    for path in sorted(folder.glob("*.queries.parquet")):
        results = path.with_name(f"{path.name.removesuffix('.queries.parquet')}.json")
        assert query_scores_path(results) == path
        again = f"delete it and {results.name}, and run the same command again"
        try:
            names = parquet.read_table(path).column_names
        except (OSError, pyarrow.ArrowException):
            yield f"{path} is damaged (cut short, or not Parquet): {again}"
            continue
        if not set(COLUMNS) <= set(names):
            yield f"{path} holds no scores of queries: {again}"


def _stale_means(folder: Path, results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Means over the three settings that are not those of the parts; written with six decimals."""
    for name, result in results.items():
        parts = [results.get(setting.task_name(name)) for setting in RETRIEVAL_SETTINGS]
        if not all(parts):
            continue
        kept = _main_scores(result)
        now = [_main_scores(part) for part in parts if part]
        if kept and all(now) and not math.isclose(fmean(kept), fmean(map(fmean, now)), abs_tol=2e-6):
            yield f"{folder / name}.json is not the mean of its parts as they are now: {_AGAIN}"


def _main_scores(result: Mapping[str, Any]) -> list[float]:
    found = (entry.get("main_score") for entries in result["scores"].values() for entry in entries)
    return [float(score) for score in found if isinstance(score, int | float)]
