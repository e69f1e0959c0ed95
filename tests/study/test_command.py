"""The command ``study``: what it prints, and how it ends."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.cli import main
from mteb_hybrid.study import run
from mteb_hybrid.study.run import Ended
from mteb_hybrid.study.work import Work
from tests.study.small_study import write_data, write_study
from tests.test_cli import told


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in the current folder, of tasks that mteb knows."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    write_study(tmp_path, tasks=["ParallelWorld"])
    return tmp_path


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("study nowhere.yaml", ["cannot read nowhere.yaml"]),
        ("study alfa", ["did you mean alpha?"]),
        ("study alpha", ["preset alpha, line", "data is missing"]),
        ("study study.yaml --set tasks=[XQuADS]", ["no task is named 'XQuADS'; did you mean"]),
        ("study study.yaml --set training.max_stepz=1", ["training.max_stepz", "did you mean"]),
        ("study study.yaml --output pairs.jsonl/here", ["cannot make pairs.jsonl/here", "another --output"]),
    ],
)
def test_a_fault_is_one_line_and_nothing_starts(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, parts: list[str]
) -> None:
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    told(captured.err, *parts)
    assert not (here / "studies").exists()


def test_a_dry_run_leaves_nothing_behind(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.rglob("*"))
    assert main(["study", "study.yaml", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cell ")
    assert "left: 2 trainings, 4 steps; 2 evaluations" in out
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("ended", "code", "parts"),
    [
        (Ended(done=4), 0, ["4 done now", "studies/study/rows.json"]),
        (Ended(done=1, elsewhere=3), 0, ["1 done now", "3 being done by other processes"]),
        (Ended(failed={"a": "out of memory"}), 1, ["failed: a: out of memory (more in studies/study/failed/a.txt)"]),
        (Ended(done=1, stopped_by=signal.SIGINT), 130, ["1 done now"]),
        (Ended(done=1, stopped_by=signal.SIGTERM), 143, ["1 done now"]),
    ],
)
def test_how_it_ends(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ended: Ended,
    code: int,
    parts: list[str],
) -> None:
    def run_study(work: Work, say: Any) -> Ended:
        assert [cell.recipe.batches.strategy for cell in work.study.cells] == ["mono", "cross"]
        return ended

    monkeypatch.setattr(run, "run_study", run_study)
    assert main(["study", "study.yaml"]) == code
    captured = capsys.readouterr()
    for part in parts:
        assert part in captured.out
    assert (captured.err != "") == (ended.stopped_by is not None)
