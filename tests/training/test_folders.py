"""The folders of a run: when it may begin and be resumed, and that a model's folder is whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.folders import abandon, begin, check_folders, checkpoint_of, work_folder
from mteb_hybrid.training.outcome import RECORD
from mteb_hybrid.whole import whole_folder

IDENTITY = {"recipe's seed": 1, "data": ["0123", "4567"], "base model": "89ab", "number of processes": 1}
RECIPE_TEXT = "seed: 1\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A model's folder to be."""
    return tmp_path / "models" / "ours"


def fails(output: Path, *parts: str, resume: bool = False, overwrite: bool = False) -> None:
    """The run must not begin, for a reason of one line that holds all parts, and nothing changes."""
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(HybridError) as raised:
        check_folders(output, resume=resume, overwrite=overwrite)
    for part in parts:
        assert part in str(raised.value)
    assert sorted(output.parent.rglob("*")) == before


def trained(output: Path) -> None:
    """Make what a run leaves."""
    with whole_folder(output) as folder:
        (folder / RECORD).write_text("{}")


def checkpoint(output: Path, step: int, state: object = None) -> Path:
    """Make a checkpoint."""
    folder = work_folder(output) / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step} if state is None else state))
    return folder


def test_a_first_run_makes_the_folder_above(output: Path) -> None:
    check_folders(output, resume=False, overwrite=False)
    assert not output.parent.exists()
    begin(output, IDENTITY, RECIPE_TEXT)
    assert [path.name for path in output.parent.iterdir()] == ["ours.training"]


def test_a_model_that_is_there(output: Path) -> None:
    output.parent.mkdir()
    trained(output)
    fails(output, str(output), "is there already", "--output", "--overwrite")
    fails(output, str(output), "is there already", resume=True)
    check_folders(output, resume=False, overwrite=True)
    assert output.exists()
    begin(output, IDENTITY, RECIPE_TEXT)
    assert not output.exists()


def test_overwrite_leaves_alone_what_no_run_made(output: Path) -> None:
    output.mkdir(parents=True)
    (output / "letters.txt").touch()
    fails(output, f"{output} is there already", "--overwrite is for models that a training run made", overwrite=True)
    (output / "letters.txt").unlink()
    output.rmdir()
    output.touch()  # a file
    fails(output, "is there already", overwrite=True)
    fails(output, "is there already")
    output.unlink()
    work_folder(output).mkdir()
    (work_folder(output) / "letters.txt").touch()
    fails(output, f"--overwrite leaves {work_folder(output)} alone", overwrite=True)


def test_an_unfinished_run(output: Path) -> None:
    output.parent.mkdir()
    begin(output, IDENTITY, RECIPE_TEXT)
    fails(output, str(work_folder(output)), "unfinished training", "--resume", "--overwrite")
    fails(output, "exclude each other", resume=True, overwrite=True)
    check_folders(output, resume=True, overwrite=False)
    old = checkpoint(output, 3)
    check_folders(output, resume=False, overwrite=True)
    begin(output, IDENTITY, RECIPE_TEXT)
    assert not old.exists()


@pytest.mark.parametrize("empty", [True, False], ids=["an empty folder", "no folder"])
def test_nothing_to_resume(empty: bool, output: Path) -> None:
    output.parent.mkdir()
    if empty:
        work_folder(output).mkdir()
    fails(output, "nothing to resume", str(work_folder(output)), resume=True)
    check_folders(output, resume=False, overwrite=False)


@pytest.mark.parametrize("path", [".", "..", "models/..", "/"])
def test_folders_that_a_model_cannot_be(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for overwrite in (False, True):
        with pytest.raises(HybridError, match="choose another --output"):
            check_folders(Path(path), resume=False, overwrite=overwrite)


@pytest.mark.parametrize("name", ["a" * 300, "a" * 250])
def test_names_that_are_too_long(name: str, tmp_path: Path) -> None:
    """Of the second, only the work folder's is."""
    with pytest.raises(HybridError, match=r"File name too long.*choose another --output"):
        check_folders(tmp_path / name, resume=False, overwrite=False)
        begin(tmp_path / name, IDENTITY, RECIPE_TEXT)
    assert not list(tmp_path.iterdir())


def test_a_folder_above_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fails(tmp_path / "file" / "ours", f"cannot write {tmp_path / 'file' / 'ours'}", "choose another --output")


def test_a_folder_above_that_cannot_be_written(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output.parent.mkdir()

    def read_only(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", read_only)  # as root, there is no read-only folder
    with pytest.raises(HybridError, match=r"cannot write .*ours \(Permission denied\); choose another --output"):
        begin(output, IDENTITY, RECIPE_TEXT)
    with monkeypatch.context() as patched, pytest.raises(HybridError, match=r"ours \(Permission denied\)"):
        patched.setattr(os, "access", lambda path, mode: path != output.parent)
        check_folders(output, resume=False, overwrite=False)


def test_the_newest_whole_checkpoint(output: Path) -> None:
    output.parent.mkdir()
    begin(output, IDENTITY, RECIPE_TEXT)
    assert checkpoint_of(output, IDENTITY) is None
    expected = checkpoint(output, 9)
    checkpoint(output, 10).joinpath("trainer_state.json").unlink()
    for step, state in enumerate([[], {}, {"global_step": None}, "x"], start=11):
        checkpoint(output, step, state)
    checkpoint(output, 20).joinpath("trainer_state.json").write_bytes(b'{"global_step": \xff')
    assert checkpoint_of(output, IDENTITY) == expected
    assert checkpoint_of(output, IDENTITY) != checkpoint(output, 100) == checkpoint_of(output, IDENTITY)


@pytest.mark.parametrize("what", IDENTITY)
def test_another_run_is_not_resumed(what: str, output: Path) -> None:
    output.parent.mkdir()
    begin(output, IDENTITY, RECIPE_TEXT)
    without = {name: value for name, value in IDENTITY.items() if name != what}
    for changed in (IDENTITY | {what: "other"}, IDENTITY | {"new": 1}, without):
        name = what if "new" not in changed else "new"
        with pytest.raises(HybridError, match=f"the {name} changed since .*ours.training was begun.*--overwrite"):
            checkpoint_of(output, changed)


@pytest.mark.parametrize("text", [None, "", "[]", '"recipe"', "{}", '{"recipe": 1}', "\0"])
def test_a_broken_work_folder(text: str | None, output: Path) -> None:
    work_folder(output).mkdir(parents=True)
    if text is not None:
        (work_folder(output) / "identity.json").write_text(text)
    with pytest.raises(HybridError, match="--overwrite"):
        checkpoint_of(output, IDENTITY)


def test_a_run_without_a_checkpoint_is_abandoned(output: Path) -> None:
    output.parent.mkdir()
    begin(output, IDENTITY, RECIPE_TEXT)
    checkpoint(output, 3, state={})
    abandon(output)
    assert not work_folder(output).exists()
    abandon(output)
    begin(output, IDENTITY, RECIPE_TEXT)
    kept = checkpoint(output, 3)
    abandon(output)
    assert kept.exists()


def test_a_folder_is_whole_or_not_there(output: Path) -> None:
    output.parent.mkdir()
    (output.parent / ".ours.partial").mkdir()  # of a run that was killed
    (output.parent / ".ours.partial" / "old").touch()
    with pytest.raises(KeyboardInterrupt), whole_folder(output) as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt
    assert not list(output.parent.iterdir())
    with whole_folder(output) as folder:
        (folder / "all").touch()
        assert not output.exists()
    assert [path.name for path in output.rglob("*")] == ["all"]
    assert [path.name for path in output.parent.iterdir()] == ["ours"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_files_are_as_readable_as_their_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "model") as folder:
        (folder / "sub").mkdir()
        for name in ("weights", "sub/weights"):
            (folder / name).touch(mode=0o600)
    (tmp_path / "other").touch()
    usual = (tmp_path / "other").stat().st_mode
    assert [(tmp_path / "model" / name).stat().st_mode for name in ("weights", "sub/weights")] == [usual, usual]
