"""The folders of a training run: the model's, which is whole or not there, and the work folder until it is done."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mteb_hybrid.alone import alone
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.outcome import RECIPE, RECORD, TrainingRecord, read_record
from mteb_hybrid.whole import discard_folder, whole_folder

TRACKED = "runs"
"""Where trackers that write files, such as TensorBoard, write them: in the work folder, later beside the model."""

IDENTITY = "identity.json"


def work_folder(output: Path) -> Path:
    """Where checkpoints are kept until the model is done."""
    return output.with_name(f"{output.name}.training")


def check_folders(output: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise a HybridError if a run must not begin, or cannot be resumed, with what is there."""
    if resume and overwrite:
        raise HybridError("--resume and --overwrite exclude each other: go on, or begin anew")
    if output.name in {"", ".."}:
        raise HybridError(f"{output} is no folder that a model can be written to; choose another --output")
    with _told(output):
        _check_output(output, overwrite)
        _check_work(work_folder(output), resume, overwrite)
        above = next(folder for folder in output.absolute().parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(above, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _check_output(output: Path, overwrite: bool) -> None:
    ours = (output / RECORD).is_file()
    if not output.exists() or (ours and overwrite):
        return
    way = "or replace it with --overwrite" if ours else "as --overwrite is for models that a training run made"
    raise HybridError(f"{output} is there already; choose another --output, {way}")


def _check_work(work: Path, resume: bool, overwrite: bool) -> None:
    # an empty folder is nothing: the trainer makes one before training begins
    there = work.exists() and not (work.is_dir() and not any(work.iterdir()))
    if resume and not there:
        raise HybridError(f"there is nothing to resume: {work} is not there")
    if there and overwrite and not (work / IDENTITY).is_file():
        raise HybridError(f"--overwrite leaves {work} alone: no training run made it; choose another --output")
    if there and not (resume or overwrite):
        raise HybridError(f"{work} holds an unfinished training; go on with --resume, or begin anew with --overwrite")


@contextmanager
def _told(output: Path) -> Iterator[None]:
    """Tell in one line that nothing can be written there."""
    try:
        yield
    except OSError as error:
        raise HybridError(f"cannot write {output} ({error.strerror or error}); choose another --output") from None


@contextmanager
def at_work(output: Path, *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Keep other trainings from the same folder while a block runs; what they left meanwhile is looked at again.

    Raises:
        HybridError: another process is at it, or has done something there since.
    """
    with ExitStack() as held:
        with _told(output):
            output.absolute().parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(alone(output, "choose another --output"))
        check_folders(output, resume=resume, overwrite=overwrite)
        yield


def begin(output: Path, identity: Mapping[str, Any], recipe: str) -> None:
    """Remove what is there, and make the work folder of a new run.

    Args:
        output: the model's folder to be.
        identity: what must be the same for the run to be resumed.
        recipe: the text of the recipe as run, which tells what the checkpoints were trained on.
    """
    with _told(output):
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        for folder in (work_folder(output), output):
            discard_folder(folder)
        with whole_folder(work_folder(output)) as folder:
            (folder / IDENTITY).write_text(json.dumps(identity), encoding="utf-8")
            (folder / RECIPE).write_text(recipe, encoding="utf-8")


def finished(output: Path, recipe: str) -> TrainingRecord | None:
    """The record of a model that a run of this very recipe has made, and then may have been killed; None without one.

    Args:
        output: the model's folder. What else the run left is taken away.
        recipe: the text of the recipe.

    Raises:
        HybridError: the record cannot be read.
    """
    try:
        if (output / RECIPE).read_text(encoding="utf-8") != recipe:
            return None
    except (OSError, UnicodeDecodeError):
        return None
    record = read_record(output)
    if record is not None:
        with suppress(OSError):
            discard_folder(work_folder(output))
    return record


def checkpoint_of(output: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest whole checkpoint of an interrupted run; None if it had none yet.

    Raises:
        HybridError: the run was of another recipe or of other data.
    """
    work = work_folder(output)
    try:
        before = json.loads((work / IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise HybridError(f"{work} cannot be resumed: {IDENTITY} in it is missing or broken; use --overwrite") from None
    if not isinstance(before, dict):
        before = {}
    for what in {**identity, **before}:
        if before.get(what) != identity.get(what):
            raise HybridError(
                f"the {what} changed since {work} was begun; change it back to --resume, or begin anew with --overwrite"
            )
    return _newest_checkpoint(work)


def way_on(output: Path) -> str:
    """What is left to do when a run has failed and is abandoned, once that is mended."""
    return "train again" if _newest_checkpoint(work_folder(output)) is None else "go on with --resume"


def abandon(output: Path) -> None:
    """Remove the work folder of a run that failed, unless there is a checkpoint to go on from."""
    work = work_folder(output)
    if _newest_checkpoint(work) is None:
        shutil.rmtree(work, ignore_errors=True)


def _newest_checkpoint(work: Path) -> Path | None:
    whole = {path: step for path in work.glob("checkpoint-*") if (step := _step(path)) is not None}
    return max(whole, key=lambda path: whole[path], default=None)


def _step(checkpoint: Path) -> int | None:
    """The step of a checkpoint; None if it is not whole: the trainer writes ``trainer_state.json`` last."""
    try:
        return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
