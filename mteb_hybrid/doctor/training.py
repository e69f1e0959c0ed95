"""Work folders of trainings that have not ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mteb_hybrid.alone import holder_of
from mteb_hybrid.doctor.finding import Findings, ok, wrong
from mteb_hybrid.doctor.models import faults
from mteb_hybrid.training.folders import IDENTITY

_SUFFIX = ".training"


def is_training(folder: Path) -> bool:
    """Whether a folder is where a training keeps its checkpoints."""
    return folder.name.endswith(_SUFFIX) and (
        (folder / IDENTITY).exists() or any(folder.glob("checkpoint-*")) or not any(folder.iterdir())
    )


def examine_training(folder: Path) -> Findings:
    """How far it is, and whether it can go on."""
    output = folder.with_name(folder.name.removesuffix(_SUFFIX))
    holder = holder_of(output)
    if holder is not None:
        yield ok(f"{folder} is a training that process {holder} is at")
        return
    if not any(folder.iterdir()):
        yield wrong(f"{folder} is an empty folder of a training that did not begin: delete it")
        return
    if not _is_object(folder / IDENTITY):
        yield wrong(f"{folder / IDENTITY} is missing or damaged: begin anew with --overwrite, or delete {folder}")
        return
    broken = list(_broken(folder))
    yield from (wrong(f"{fault}: delete {path}; --resume goes on from the one before") for path, fault in broken)
    whole = {int(path.name.rpartition("-")[2]) for path in _checkpoints(folder)}
    whole -= {int(path.name.rpartition("-")[2]) for path, _ in broken}
    how = f"the last checkpoint is that of step {max(whole)}" if whole else "it has no checkpoint"
    yield wrong(
        f"{folder} holds an unfinished training, {how}: go on with `mteb-hybrid train RECIPE --output {output} "
        "--resume`, or delete it"
    )


def _checkpoints(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("checkpoint-*")) if path.name.rpartition("-")[2].isdecimal())


def _broken(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in _checkpoints(folder):
        if not _is_object(path / "trainer_state.json"):
            yield path, f"{path} is not whole: trainer_state.json, which is written last, is missing or damaged"
        elif fault := next(faults(path), None):
            yield path, fault


def _is_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError, RecursionError):
        return False
