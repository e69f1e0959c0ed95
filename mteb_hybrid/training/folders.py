"""The folders of a training run: the model's, which is whole or not there, and the work folder until it is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.outcome import RECORD

_IDENTITY = "identity.json"


def work_folder(output: Path) -> Path:
    """Where checkpoints are kept until the model is done."""
    return output.with_name(f"{output.name}.training")


def check_folders(output: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise a HybridError if a run must not begin, or cannot be resumed, with what is there."""
    work = work_folder(output)
    if resume and overwrite:
        raise HybridError("--resume and --overwrite exclude each other: go on, or begin anew")
    if output.exists() and not overwrite:
        raise HybridError(f"{output} is there already; choose another --output, or replace it with --overwrite")
    if overwrite and output.exists() and not (output / RECORD).is_file():
        raise HybridError(f"--overwrite leaves {output} alone: no training run made it; choose another --output")
    if work.exists() and not (resume or overwrite):
        raise HybridError(f"{work} holds an unfinished training; go on with --resume, or begin anew with --overwrite")
    if resume and not work.exists():
        raise HybridError(f"there is nothing to resume: {work} is not there")
    parent = output.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HybridError(f"cannot make {parent} ({error.strerror or error}); choose another --output") from None


def begin(output: Path, identity: Mapping[str, Any]) -> None:
    """Remove what is there, and make the work folder of a new run.

    Args:
        output: the model's folder to be.
        identity: what must be the same for the run to be resumed.
    """
    try:
        for folder in (work_folder(output), output):
            if folder.exists():
                shutil.rmtree(folder)
        with whole_folder(work_folder(output)) as folder:
            (folder / _IDENTITY).write_text(json.dumps(identity), encoding="utf-8")
    except OSError as error:
        raise HybridError(
            f"cannot write beside {output} ({error.strerror or error}); choose another --output"
        ) from None


def checkpoint_of(output: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest whole checkpoint of an interrupted run; None if it had none yet.

    Raises:
        HybridError: the run was of another recipe or of other data.
    """
    work = work_folder(output)
    try:
        before = json.loads((work / _IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise HybridError(
            f"{work} cannot be resumed: {_IDENTITY} in it is missing or broken; use --overwrite"
        ) from None
    for what, now in identity.items():
        if not isinstance(before, dict) or before.get(what) != now:
            raise HybridError(
                f"the {what} changed since {work} was begun; change it back to --resume, or begin anew with --overwrite"
            )
    whole = {path: step for path in work.glob("checkpoint-*") if (step := _step(path)) is not None}
    return max(whole, key=lambda path: whole[path], default=None)


def _step(checkpoint: Path) -> int | None:
    """The step of a checkpoint; None if it is not whole: the trainer writes ``trainer_state.json`` last."""
    try:
        return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that gets its name when all is written; if that fails, nothing stays."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
