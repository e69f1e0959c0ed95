"""kill -9 in evaluations, of ``mteb-hybrid evaluate`` and ``mteb run`` in turn: both go on by themselves."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.soak.kills import Activity, Command, Moment, Warm, soak
from tests.soak.readable import is_partial, unreadable
from tests.soak.small_model import name_model, small_model

pytestmark = pytest.mark.slow

TASKS = ("StudyWorld", "StudyWorldLanguageBias")
OPTIONS = ("--output-folder", "results", "--prediction-folder", "predictions")
CALLS = (
    "mteb_hybrid.evaluation.encodings:SharedEncodings.encode",
    "mteb_hybrid.evaluation.task:AbsTaskParallelRetrieval._evaluate_subset",
)
# Results are written under their names, as mteb does it.
NOT_WHOLE = """
from contextlib import nullcontext
from mteb_hybrid import mteb_patches

mteb_patches.whole_file = nullcontext
"""
_TIMES = {
    "date",
    "evaluation_time",
    "evaluation_phases",
    "kg_co2_emissions",
    "loader_kwargs",
}  # the last names the device


def command(folder: Path) -> Command:
    """The same command each time; in every other round it is mteb's own."""
    words = ("-m", "small", "-t", *TASKS, *OPTIONS)
    if folder.name.endswith(("0", "2", "4", "6", "8")):
        return Command(("run", *words, "-v", "1"), main="mteb", calls=CALLS)
    return Command(("evaluate", *words, "-q"), calls=CALLS)


def outcome(folder: Path) -> dict[str, Any]:
    """Results without times, with the subsets in one order; the scores of queries; the best-ranked passages."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if is_partial(path.relative_to(folder)) or not path.is_file():
            continue
        if path.name.endswith(".queries.parquet"):
            table = parquet.read_table(path)
            rows = table.select(sorted(table.column_names)).to_pylist()
            found[name] = sorted(map(repr, rows))
        elif path.suffix == ".json":
            found[name] = result(json.loads(path.read_text()))
        elif path.name == "run_settings.jsonl":
            lines = (json.loads(line) for line in path.read_text().splitlines())
            found[name] = sorted((line["task"], *line["subsets"]) for line in lines)
    return found


def result(values: dict[str, Any]) -> dict[str, Any]:
    """A result file without the times in it."""
    kept = {key: value for key, value in values.items() if key not in _TIMES}
    if isinstance(values.get("scores"), dict):
        by_subset = {split: sorted(scores, key=_subset) for split, scores in values["scores"].items()}
        kept["scores"] = by_subset
    return kept


def _subset(scores: dict[str, Any]) -> str:
    return str(scores["hf_subset"])


def test_kills(warm: Warm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activity = Activity(
        "evaluation",
        "all results without times, scores of queries, predictions, model_meta.json, run_settings.jsonl",
        lay_out=partial(name_model, "small", small_model(tmp_path / "model")),
        command=command,
        outcome=outcome,
    )
    place = tmp_path / "rounds"
    place.mkdir()
    line = soak(activity, warm, place)
    with capsys.disabled():
        print(f"\n{line}")


def test_half_a_result_would_be_noticed(warm: Warm, tmp_path: Path) -> None:
    """The check after each kill, where a result is not written whole."""
    name_model("small", small_model(tmp_path / "model"), tmp_path)
    words = ("evaluate", "-m", "small", "-t", "StudyWorldMonolingual", "-q")
    for before, faults in ((NOT_WHOLE, 1), ("", 0)):
        ended = warm(Command(words, before=before), tmp_path, Moment("torn", 1, 3000))
        assert ended.killed
        assert len(list(unreadable(tmp_path / "results"))) == faults
        shutil.rmtree(tmp_path / "results")
