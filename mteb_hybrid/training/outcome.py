"""What a training run leaves beside the weights: ``recipe.yaml`` and ``training.json``.

This module is light: the registry reads ``training.json`` of every named model when mteb is imported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mteb_hybrid.encoder_record import EncoderRecord
from mteb_hybrid.errors import HybridError, one_line

RECORD = "training.json"
RECIPE = "recipe.yaml"


class SourceRecord(BaseModel):
    """A source that was trained on."""

    model_config = ConfigDict(frozen=True)
    name: str
    source: str
    """A Hub id, a name, or a path; where that would look like a Hub id, from the root on (see ``located``)."""
    revision: str | None
    languages: list[str]
    rows: int
    pairs: int
    fingerprint: str
    """SHA-256 of all its texts, as 40 hexadecimal digits."""
    mteb_tasks: list[str]
    """Tasks whose texts it holds."""
    license: str | None = None
    """As the recipe names it, or the lock of a built corpus."""
    decontaminated: list[str] = []
    """Tasks whose texts were taken out of it, as its lock says."""


class MergedPart(BaseModel):
    """A model whose weights went into a merge."""

    model_config = ConfigDict(frozen=True)
    source: str
    """A Hub id, a folder, or ``mteb-hybrid/tiny``."""
    revision: str | None
    """Its commit on the Hub, or the fingerprint of its folder."""
    weight: float
    """Its share in every weight; the shares of all parts add up to 1."""
    origin: str | None
    """What all training of it began with, as in ``TrainingRecord``; of a model on the Hub itself."""
    mteb_tasks: list[str]
    """Tasks whose texts it was trained on, if a record of ours says so."""


class TrainingRecord(BaseModel):
    """How a model came to be."""

    model_config = ConfigDict(frozen=True)
    base: str
    """What was trained: a Hub id, a folder, or ``mteb-hybrid/tiny``."""
    base_revision: str | None
    """Its commit on the Hub, or the fingerprint of its folder."""
    base_mteb_tasks: list[str]
    """Tasks whose texts the base model was trained on, if a record of ours says so."""
    base_data: list[SourceRecord] = []
    """The sources that the base model was trained on, likewise; none in records of before this was written down."""
    origin: str | None = None
    """What all training began with, here or before: a Hub id or ``mteb-hybrid/tiny``; None if that is not known."""
    data: list[SourceRecord]
    steps: int
    """Steps of the optimizer."""
    best_step: int | None
    """The step whose weights were kept, if a validation chose it."""
    batch_size: int
    """Pairs in a batch, over all processes."""
    processes: int
    batches_digest: str
    """SHA-256 of the rows and languages of all batches, as 40 hexadecimal digits."""
    encoder: EncoderRecord | None = None
    """How the model encodes; None in records of before this was written down."""
    seconds: float
    """Of training; where it was resumed, since it was for the last time."""
    resumed_at: int | None = None
    """The step after which it was resumed for the last time; None if it was not, or of before this was written down."""
    hardware: str
    versions: dict[str, str]
    curve: list[dict[str, Any]]
    """What the trainer logged: step, loss, loss_mono, loss_cross, other parts of the loss, learning_rate, eval_loss."""
    merged_from: list[MergedPart] | None = None
    """The models that this one is the average of, which then was not trained itself: ``base`` is the first of them,
    ``data`` what all of them were trained on, ``seconds`` the merge's own. None of a model that was trained."""

    @property
    def mteb_tasks(self) -> frozenset[str]:
        """All tasks whose texts were trained on, here or before."""
        return frozenset(self.base_mteb_tasks).union(*(source.mteb_tasks for source in self.data))

    @property
    def sources(self) -> list[SourceRecord]:
        """All sources that were trained on, here or before, each once."""
        return [*self.data, *(source for source in self.base_data if source not in self.data)]


def located(sources: Iterable[SourceRecord]) -> list[SourceRecord]:
    """Sources whose paths are told from Hub ids for good: those of files and folders that are there, from the root on.

    Args:
        sources: as the recipe names them.
    """
    places = ((source, os.path.expanduser(source.source)) for source in sources)
    return [
        source.model_copy(update={"source": os.path.abspath(path)})
        if "/" in source.source and os.path.exists(path)
        else source
        for source, path in places
    ]


def read_record(folder: Path) -> TrainingRecord | None:
    """The record in a model's folder; None if it has none.

    Raises:
        HybridError: the file is there and cannot be read.
    """
    path = folder / RECORD
    try:
        return TrainingRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise HybridError(f"{path} is no training record ({where}: {one_line(first['msg'], 100)})") from None


def record_text(record: TrainingRecord) -> str:
    """The record as the text of its file."""
    return json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package; ``unknown`` of one that is run from a folder of sources."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
