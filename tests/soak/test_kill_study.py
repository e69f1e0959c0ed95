"""kill -9 in studies: the same command goes on, and every cell is trained and evaluated once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.study.claims import Claims
from tests.soak.kills import Activity, Command, Warm, soak
from tests.soak.small_model import small_model
from tests.study.small_study import write_data, write_study
from tests.training.small_runs import weights

pytestmark = pytest.mark.slow

CALLS = (
    "transformers.trainer:Trainer.training_step",
    "mteb_hybrid.evaluation.task:AbsTaskParallelRetrieval._evaluate_subset",
    "mteb_hybrid.study.run:_do",
)


def command(folder: Path) -> Command:
    """The same each time."""
    return Command(("study", "study.yaml", "--output", "study", "-q"), calls=CALLS)


def outcome(folder: Path) -> dict[str, Any]:
    """Rows and scores without times, the weights of all models, and that nobody is at anything."""
    study = folder / "study"
    found: dict[str, Any] = {}
    for name in ("rows.json", "scores.json"):
        rows = json.loads((study / name).read_text())
        found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    models = sorted(path for path in (study / "models").iterdir() if not path.name.startswith("."))
    found["models"] = {model.name: weights(model) for model in models}
    # who is killed between the end of a unit and the end of its claim leaves a claim that is void
    units = {path.stem for path in (study / "claims").iterdir() if not path.name.startswith(".")}
    found["held"] = [unit for unit in units if Claims(study / "claims").holder(unit) is not None]
    found["failed"] = [path.name for path in study.glob("failed/*")]
    assert len(found["rows.json"]) == 3
    assert len(found["models"]) == 2
    return found


def test_kills(warm: Warm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two cells and a baseline."""
    data = tmp_path / "data"
    data.mkdir()
    base = str(small_model(tmp_path / "base"))
    recipe = {
        "model": {"base": base},
        "data": [{"source": str(write_data(data))}],
        "batches": {"size": 8},
        "training": {"max_steps": 4, "save_steps": 2, "use_cpu": True},
    }
    activity = Activity(
        "study",
        "rows.json and scores.json without seconds, the weights of all models to the bit, nothing claimed or failed",
        lay_out=lambda folder: write_study(folder, recipe=recipe, baselines=[base]),
        command=command,
        outcome=outcome,
    )
    place = tmp_path / "rounds"
    place.mkdir()
    line = soak(activity, warm, place)
    with capsys.disabled():
        print(f"\n{line}")
