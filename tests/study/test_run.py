"""Runs of whole studies: each cell once, whatever ends a run, and whoever else is at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mteb_hybrid.data.own import save_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.claims import Claims
from mteb_hybrid.study.folder import StudyFolder
from mteb_hybrid.study.price import price
from mteb_hybrid.study.run import Ended, open_work, run_study
from mteb_hybrid.study.study_file import read_study
from mteb_hybrid.study.work import Means, Work
from tests.study.small_study import LANGUAGES, TASKS, TINY, Forks, register_small_tasks, write_data, write_study
from tests.training.small_runs import single_thread, weights

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with single_thread():
        register_small_tasks()
        yield


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with training pairs."""
    write_data(tmp_path)
    return tmp_path


def work_of(here: Path, **changes: Any) -> Work:
    """The work of a small study, in ``here/study``."""
    return open_work(read_study(write_study(here, **changes)), here / "study", Means(show_progress_bar=False))


def ran(work: Work) -> tuple[Ended, list[str]]:
    """Run it, and what it said."""
    said: list[str] = []
    return run_study(work, said.append), said


def rows_of(here: Path, name: str = "rows") -> list[dict[str, Any]]:
    return list(json.loads((here / "study" / f"{name}.json").read_text()))


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two cells and a baseline that has run."""
    folder = tmp_path_factory.mktemp("done")
    write_data(folder)
    assert ran(work_of(folder, baselines=[TINY]))[0] == Ended(done=5)
    return folder


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(done / "study", tmp_path / "study", copy_function=shutil.copy2)
    shutil.copy(done / "pairs.jsonl", tmp_path)
    return tmp_path


def test_rows_tell_what_was_done_to_each_model(done: Path) -> None:
    rows = rows_of(done)
    assert [(row["strategy"], row["alpha"], row["seed"], row["steps"]) for row in rows] == [
        ("mono", 1.0, 1, 2),
        ("cross", 0.0, 1, 2),
        ("untrained", None, None, 0),
    ]
    assert {row["base"] for row in rows} == {TINY}
    assert {row["task"] for row in rows} == {"StudyWorld"}
    assert [row["pairs"] for row in rows] == [60, 60, None]
    settings = [{"batches.strategy": "mono", "seed": 1}, {"batches.strategy": "cross", "seed": 1}, None]
    assert [row["settings"] for row in rows] == settings
    assert all(row["multilingual"] > 0 and row["rank_distance"] > 0 for row in rows)
    assert all(row["seconds"] > 0 for row in rows[:2])
    assert len({row["model"] for row in rows}) == 3
    scores = rows_of(done, "scores")
    assert [(score["task"], score["strategy"]) for score in scores] == [
        (task, strategy) for strategy in ("mono", "cross", "untrained") for task in TASKS
    ]
    assert [score["settings"] for score in scores[:: len(TASKS)]] == settings
    assert [score["score"] for score in scores if score["task"] == TASKS[0]] == pytest.approx(
        [row["multilingual"] for row in rows]
    )


def test_an_average_is_made_of_its_cells_and_evaluated_beside_them(copy: Path) -> None:
    over = [{"batches.strategy": ["mono", "cross"]}]
    work = _moved(copy, averages=over, baselines=[TINY])
    assert "2 of 2 cells are done, 0 of 1 averages, 1 of 1 baselines\nleft: 0 trainings, 0 steps; 1 ev" in price(work)
    ended, said = ran(work)
    (average,) = work.study.averages
    assert (ended, said) == (Ended(done=2), [f"{average.name}: average", f"{average.name}: evaluate"])
    folders = (work.folder.model(each) for each in (*work.study.cells, average))
    mono, cross, mean = (load_file(folder / "model.safetensors") for folder in folders)
    for name, tensor in mean.items():
        assert torch.allclose(tensor, (mono[name] + cross[name]) / 2)
    assert any(not torch.equal(tensor, mono[name]) for name, tensor in mean.items())
    row = rows_of(copy)[2]
    kept = ("strategy", "alpha", "seed", "steps", "pairs", "settings")
    settings = {"batches.strategy": ["mono", "cross"], "seed": 1}
    assert [row[key] for key in kept] == ["mono, cross averaged", None, 1, 4, 60, settings]
    assert row["model"] == f"local/{average.name}"
    assert row["seconds"] >= sum(other["seconds"] for other in rows_of(copy)[:2])
    assert ran(_moved(copy, averages=over, baselines=[TINY])) == (Ended(), [])


def test_an_average_of_cells_as_they_were_is_made_again(copy: Path) -> None:
    """One of two cells is trained anew, and is another model now; one that is gone changes nothing."""
    over = [{"batches.strategy": ["mono", "cross"]}]
    work = _moved(copy, averages=over, tasks=TASKS[:1])
    assert ran(work)[0] == Ended(done=2)
    (average,), (mono, cross) = work.study.averages, work.study.cells
    before = weights(work.folder.model(average))
    shutil.rmtree(work.folder.model(mono))
    assert work.folder.is_trained(average)
    shutil.copytree(work.folder.model(cross), work.folder.model(mono))
    record = work.folder.model(mono) / "training.json"
    record.write_text(record.read_text() + " ")
    assert not work.folder.is_trained(average)
    assert ran(work)[0] == Ended(done=3)  # the cell's evaluation, the average, and its evaluation
    assert weights(work.folder.model(average)) == weights(work.folder.model(cross)) != before


def test_an_average_waits_for_cells_that_failed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mteb_hybrid.training import run

    train = run.train
    monkeypatch.setattr(run, "train", lambda recipe, *a, **k: train(recipe, *a, **k) if recipe.seed == 1 else 1 / 0)
    work = work_of(here, grids=[{"seed": [1, 2]}], averages=[{"seed": [1, 2]}], tasks=TASKS[:1])
    ended, _ = ran(work)
    assert (ended.done, [*ended.failed]) == (2, [work.study.cells[1].name])
    monkeypatch.undo()
    assert ran(work)[0] == Ended(done=4)
    assert [(row["strategy"], row["seed"]) for row in rows_of(here)] == [
        ("hybrid", 1),
        ("hybrid", 2),
        ("hybrid averaged", None),
    ]


def test_rows_tell_no_folder_of_this_machine(here: Path) -> None:
    data = [[{"source": str(here / "pairs.jsonl"), "rows": 50}]]
    ended, _ = ran(work_of(here, grids=[{"data": data, "seed": 1}], tasks=TASKS[:1]))
    assert ended == Ended(done=2)
    (row,) = rows_of(here)
    assert row["settings"] == {"data": [{"source": "pairs.jsonl", "rows": 50}], "seed": 1}
    assert str(here) not in (here / "study" / "rows.json").read_text()


def test_models_are_evaluated_on_a_collection_of_ones_own(here: Path) -> None:
    path = here / "Ours.jsonl"
    save_collection(generate_world(12, languages=LANGUAGES), path)
    work = work_of(here, tasks=[TASKS[0], str(path)], grids=[{"seed": 1}])
    assert ran(work)[0] == Ended(done=2)
    (row, *others) = [row for row in rows_of(here) if row["task"] == "Ours"]
    assert others == [] and row["monolingual"] > 0 and row["cross_lingual"] > 0
    assert {score["task"] for score in rows_of(here, "scores")} == {TASKS[0], "Ours", "OursLanguageBias"}


def test_what_is_done_is_not_done_again(copy: Path) -> None:
    (copy / "study" / "rows.json").unlink()
    before = files_of(copy / "study" / "models") | files_of(copy / "study" / "results")
    ended, said = ran(_moved(copy, baselines=[TINY]))
    assert (ended, said) == (Ended(), [])
    assert before == files_of(copy / "study" / "models") | files_of(copy / "study" / "results")
    assert len(rows_of(copy)) == 3  # derived from what is there


def _moved(here: Path, **changes: Any) -> Work:
    """The same cells, as their data are called what they were when they were trained."""
    recipe = next((here / "study" / "models").glob("*/recipe.yaml")).read_text()
    source = next(line.split("source: ")[1] for line in recipe.splitlines() if "source: " in line)
    path = write_study(here, **changes)
    path.write_text(path.read_text().replace(str(here / "pairs.jsonl"), source))
    return open_work(read_study(path), here / "study", Means(show_progress_bar=False))


def test_a_study_that_has_changed_keeps_what_it_has(copy: Path) -> None:
    """Another grid and another task: the cells of before are kept, and nothing of those that left it is deleted."""
    models = sorted(path.name for path in (copy / "study" / "models").iterdir())
    ended, said = ran(_moved(copy, grids=[{"batches.alpha": [1, 0.5], "seed": 1}], tasks=TASKS[:1]))
    assert ended.done == 2
    assert [line.partition("-")[0] for line in said if not line.startswith(" ")] == ["hybrid", "hybrid"]
    assert {*models} < {path.name for path in (copy / "study" / "models").iterdir()}
    assert [row["strategy"] for row in rows_of(copy)] == ["mono", "hybrid"]


def test_the_price_of_a_study_before_it_begins(here: Path) -> None:
    before = price(work_of(here, baselines=[TINY], question="Why?"))
    assert before.startswith("Why?\n")
    assert "0 of 2 cells are done, 0 of 1 baselines" in before
    assert "left: 2 trainings, 4 steps; 3 evaluations" in before
    assert "not measured yet" in before
    assert before.count("batches.strategy=mono, seed=1  ") == 1
    assert not (here / "study").exists()


def test_the_price_of_a_study_that_is_half_done(copy: Path) -> None:
    work = _moved(copy, grids=[{"batches.alpha": [1, 0, 0.5], "seed": 1}])
    work.folder.failure(work.study.cells[2].name).parent.mkdir()
    work.folder.failure(work.study.cells[2].name).write_text("it was full")
    claims = Claims(work.folder.claims)
    claim = claims.take(work.training(work.study.cells[2]).name)
    assert claim is not None
    with claim:
        told = price(work)
    assert "2 of 3 cells are done, 1 failed the last time" in told
    assert f"now: {os.uname().nodename}, process {os.getpid()}" in told
    assert "left: 1 trainings, 2 steps; 1 evaluations" in told
    assert "time: about" in told


def test_a_cell_that_fails_is_told_and_the_rest_is_done(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mteb_hybrid.training import run

    train = run.train

    def no_memory(recipe: Any, *args: Any, **kwargs: Any) -> Any:
        if recipe.batches.strategy == "mono":
            raise RuntimeError("out of memory, says hf_abcdefghijklmnop")
        return train(recipe, *args, **kwargs)

    monkeypatch.setattr(run, "train", no_memory)
    ended, said = ran(work_of(here, tasks=TASKS[:1]))
    (name,) = ended.failed
    assert ended.done == 2
    assert said[1] == f"{name}: train failed: RuntimeError: out of memory, says hf_***"
    written = (here / "study" / "failed" / f"{name}.txt").read_text()
    assert "in no_memory" in written
    assert "hf_a" not in written
    assert [row["strategy"] for row in rows_of(here)] == ["cross"]
    assert [*(here / "study" / "claims").iterdir()] == []
    monkeypatch.undo()
    assert ran(work_of(here, tasks=TASKS[:1]))[0] == Ended(done=2)
    assert [*(here / "study" / "failed").iterdir()] == []
    assert [row["strategy"] for row in rows_of(here)] == ["mono", "cross"]


def test_a_task_that_cannot_be_had_and_data_that_cannot(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other task of the same cell is evaluated; data that are gone are the fault of their cell alone."""
    import mteb

    def offline(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ConnectionError("the Hub cannot be reached")

    monkeypatch.setattr(type(mteb.get_task(TASKS[0])), "load_data", offline)
    other = here / "other.jsonl"
    shutil.copy(here / "pairs.jsonl", other)
    work = work_of(here, grids=[{"seed": 1}, {"seed": 2, "data": [[{"source": str(other)}]]}])
    other.unlink()
    ended, _ = ran(work)
    first, second = work.study.cells
    assert ended.failed[first.name].startswith(f"{TASKS[0]}: ConnectionError: the Hub cannot be reached")
    assert ended.failed[second.name].startswith(f"there is no file {other}")
    assert [score["task"] for score in rows_of(here, "scores")] == [TASKS[1]]
    assert f"{first.name}.txt" in {path.name for path in (here / "study" / "failed").iterdir()}


def test_data_that_change_between_two_cells(here: Path) -> None:
    """It is told once the second is trained; and as long as both are there, the study goes on with nothing."""
    changes: dict[str, Any] = {"tasks": TASKS[:1]}
    assert ran(work_of(here, grids=[{"seed": [1]}], **changes))[0] == Ended(done=2)
    pairs = here / "pairs.jsonl"
    pairs.write_text("".join(pairs.read_text().splitlines(keepends=True)[:-1]))
    work = work_of(here, grids=[{"seed": [1, 2]}], **changes)
    first, second = work.study.cells
    told = f"^{pairs} changed between the trainings of {first.name} and {second.name}, which cannot be comp.*; delete "
    with pytest.raises(HybridError, match=told):
        ran(work)
    with pytest.raises(HybridError, match=told):
        work_of(here, grids=[{"seed": [1, 2]}], **changes)
    shutil.rmtree(work.folder.model(first))
    assert ran(work_of(here, grids=[{"seed": [1, 2]}], **changes))[0].failed == {}
    data = [[{"source": str(pairs)}], [{"source": str(pairs), "rows": 20}]]  # other rows are no change
    assert ran(work_of(here, grids=[{"seed": [1, 2]}, {"seed": 3, "data": data}], **changes))[0].failed == {}


def test_the_work_of_others_is_left_to_them(here: Path) -> None:
    work = work_of(here, tasks=TASKS[:1])
    claim = Claims(work.folder.claims).take(work.training(work.study.cells[0]).name)
    assert claim is not None
    with claim:
        ended, _ = ran(work)
    assert (ended.done, ended.elsewhere) == (2, 1)
    assert [row["strategy"] for row in rows_of(here)] == ["cross"]


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN])  # ignored: begun with & by a script
def test_an_interrupt_gives_the_claim_back(here: Path, monkeypatch: pytest.MonkeyPatch, before: Any) -> None:
    from mteb_hybrid.evaluation import run

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(run, "evaluate", interrupted)
    kept = signal.signal(signal.SIGINT, before)
    try:
        ended, _ = ran(work_of(here, tasks=TASKS[:1]))
        assert signal.getsignal(signal.SIGINT) == before
    finally:
        signal.signal(signal.SIGINT, kept)
    assert ended.stopped_by == signal.SIGINT
    assert (ended.done, ended.failed) == (1, {})
    assert [*(here / "study" / "claims").iterdir()] == []
    assert rows_of(here) == []


# ---- in processes of their own

# Run the study, and note which cells are trained; die where it is asked for.
RUN = """
import os, signal
from pathlib import Path
from transformers import TrainerState
from mteb_hybrid.study.run import open_work, run_study
from mteb_hybrid.study.study_file import read_study
from mteb_hybrid.study.work import Means
from mteb_hybrid.training import run as training
from mteb_hybrid.evaluation import run as evaluation

here, killed_at, killed_in = Path({here!r}), {step!r}, {task!r}
save_to_json, train, evaluate = TrainerState.save_to_json, training.train, evaluation.evaluate

def saving(self, path):
    if self.global_step == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    save_to_json(self, path)

def noted(recipe, output, **kwargs):
    with open(here / "trained", "a") as file:
        file.write(f"{{output.name}}\\n")
    return train(recipe, output, **kwargs)

def killing(name, tasks, **kwargs):
    if tasks[0].metadata.name == killed_in:
        os.kill(os.getpid(), signal.SIGKILL)
    return evaluate(name, tasks, **kwargs)

TrainerState.save_to_json, training.train, evaluation.evaluate = saving, noted, killing
work = open_work(read_study(here / "study.yaml"), here / {folder!r}, Means(show_progress_bar=False))
ended = run_study(work)
assert not ended.failed, ended
"""


def code(here: Path, folder: str = "study", *, step: int | None = None, task: str | None = None) -> str:
    return RUN.format(here=str(here), folder=folder, step=step, task=task)


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[int]]]:
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    forks = Forks(tmp_path_factory.mktemp("home"))
    yield forks
    forks.close()


def test_what_is_killed_goes_on_and_comes_out_the_same(here: Path, forks: Callable[..., list[int]]) -> None:
    """Killed in a training, between two checkpoints' parts, and again between two tasks of an evaluation."""
    recipe = {
        "preset": "tiny",
        "data": [{"source": str(here / "pairs.jsonl")}],
        "batches": {"size": 8},
        "training": {"max_steps": 6, "save_steps": 2, "use_cpu": True},
    }
    write_study(here, recipe=recipe)
    assert forks(code(here, step=4)) == [-9]
    (cell, other) = read_study(here / "study.yaml").cells
    folder = StudyFolder(here / "study")
    assert folder.has_checkpoints(cell) and not folder.is_trained(cell)
    assert forks(code(here, task=TASKS[1])) == [-9]
    assert folder.is_trained(cell) and not folder.is_trained(other)
    assert forks(code(here)) == [0]
    assert (here / "trained").read_text().split() == [cell.name, cell.name, other.name]
    assert forks(code(here, "whole")) == [0]
    for each in (cell, other):
        assert weights(folder.model(each)) == weights(StudyFolder(here / "whole").model(each))
    resumed = folder.record(cell)
    assert resumed is not None
    assert resumed.resumed_at == 2
    assert [*folder.claims.iterdir()] == []
    kept = ("strategy", "multilingual", "rank_distance", "steps", "model")
    rows, whole = (json.loads((here / name / "rows.json").read_text()) for name in ("study", "whole"))
    assert [[row[key] for key in kept] for row in rows] == [[row[key] for key in kept] for row in whole]


def test_processes_that_share_a_folder_train_each_cell_once(here: Path, forks: Callable[..., list[int]]) -> None:
    write_study(here, grids=[{"batches.strategy": ["mono", "cross"], "seed": [1, 2]}], baselines=[TINY])
    assert forks(*[code(here)] * 3) == [0, 0, 0]
    cells = [cell.name for cell in read_study(here / "study.yaml").cells]
    assert sorted((here / "trained").read_text().split()) == sorted(cells)
    assert forks(code(here)) == [0]
    assert sorted((here / "trained").read_text().split()) == sorted(cells)
    assert len(json.loads((here / "study" / "rows.json").read_text())) == 5
    assert [*(here / "study" / "claims").iterdir()] == []
