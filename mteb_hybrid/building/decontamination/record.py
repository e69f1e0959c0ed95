"""What the lock file says of the decontamination of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mteb_hybrid.building.decontamination.index import read_manifest
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.building.decontamination.texts import TaskRecord


class DecontaminationRecord(BaseModel):
    """What a corpus was held against, and what was found and taken out.

    Paraphrases, and translations without an id, are found by an encoder alone: without a ``model`` they may be there.

    Attributes:
        settings: what was asked for.
        tasks: what it was held against.
        model: the encoder, where one was named.
        model_revision: its commit on the Hub, or the fingerprint of its folder.
        index: the fingerprint of the index.
        hits: how many texts were found, by kind (``id``, ``exact``, ``ngram``, ``embedding``). What one kind has found
            the next does not look for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    settings: DecontaminationSettings
    tasks: tuple[TaskRecord, ...]
    model: str | None
    model_revision: str | None
    index: str
    hits: dict[str, int]


def decontamination_record(folder: Path, hits: Mapping[str, int]) -> DecontaminationRecord:
    """Say what was done.

    Args:
        folder: of the index.
        hits: how many texts of the corpus were found, by kind.

    Raises:
        HybridError: the index cannot be read.
    """
    manifest = read_manifest(folder)
    return DecontaminationRecord(
        settings=manifest.settings,
        tasks=manifest.tasks,
        model=manifest.model,
        model_revision=manifest.model_revision,
        index=manifest.fingerprint,
        hits=dict(sorted(hits.items())),
    )
