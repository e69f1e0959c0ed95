"""kill -9 in trainings: what was begun goes on with ``--resume``, and the model is the same to the bit."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.soak.kills import Activity, Command, Warm, soak
from tests.training.small_runs import rows, transformer_model, words_of, write

pytestmark = pytest.mark.slow

NAME = "ours"
RECIPE: dict[str, Any] = {
    "data": [{"source": "small.jsonl"}],
    "batches": {"size": 8},
    "training": {"max_steps": 12, "learning_rate": 0.05, "save_steps": 3, "use_cpu": True},
}
_TIMES = ("runtime", "per_second")


def command(folder: Path) -> Command:
    """The same command; with --resume where there is something to resume."""
    begun = (folder / "models" / f"{NAME}.training" / "identity.json").exists() or (folder / "models" / NAME).exists()
    words = ("train", "recipe.yaml", "--name", NAME, "-q", *(("--resume",) if begun else ()))
    return Command(words, calls=("transformers.trainer:Trainer.training_step",))


def outcome(folder: Path) -> dict[str, Any]:
    """All files of the model, the record without times, and its name."""
    model = folder / "models" / NAME
    found: dict[str, Any] = {
        path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()
    }
    record = json.loads(found["training.json"])
    for key in ("seconds", "resumed_at"):
        del record[key]
    # the last entry is a summary of times, and of the loss since the last start
    record["curve"] = [entry for entry in record["curve"] if not any(time in key for key in entry for time in _TIMES)]
    assert record["steps"] == 12
    assert len(record["curve"]) == 12
    names = tomllib.loads((folder / "models.toml").read_text())
    left = sorted(path.name for path in (folder / "models").iterdir() if not path.name.startswith("."))
    return found | {"training.json": record, "names": [*names], "left": left}


def test_kills(warm: Warm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a transformer with dropout, so that random numbers count."""
    base = transformer_model(tmp_path / "base", words_of(rows()))

    def lay_out(folder: Path) -> None:
        write(folder / "small.jsonl", rows(ragged=True))
        (folder / "recipe.yaml").write_text(yaml.safe_dump({"model": {"base": str(base)}, **RECIPE}))

    activity = Activity(
        "training",
        "all files of the model byte for byte, its record and training curve without times, its short name",
        lay_out,
        command,
        outcome,
        whole=(f"models/{NAME}",),
    )
    place = tmp_path / "rounds"
    place.mkdir()
    line = soak(activity, warm, place)
    with capsys.disabled():
        print(f"\n{line}")
