"""A model that can be published: a short name that stands for a folder of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import (
    LOCAL_ORGANISATION,
    NamedModel,
    check_model_folder,
    fingerprint,
    known_models,
    unknown_model,
)
from mteb_hybrid.publishing.content import Encoder
from mteb_hybrid.publishing.model_files import read_training
from mteb_hybrid.training.outcome import TrainingRecord
from mteb_hybrid.training.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class LocalModel:
    """A model that can be published.

    Attributes:
        named: what the short name stands for.
        folder: its folder.
        fingerprint: of the folder.
        record: how it was trained, without paths of this machine; None if it was not trained here.
        recipe: likewise.
    """

    named: NamedModel
    folder: Path
    fingerprint: str
    record: TrainingRecord | None
    recipe: Recipe | None

    @property
    def result_names(self) -> list[tuple[str, str]]:
        """Under which names and revisions its results may be kept."""
        local = (f"{LOCAL_ORGANISATION}/{self.named.name}", self.fingerprint)
        return [local] if self.named.is_local else [local, (self.named.source, self.named.revision or "")]


def find_model(name: str) -> LocalModel:
    """Find a model by its short name.

    Raises:
        HybridError: there is no such name, its folder is gone or has changed, or holds no model.
    """
    named = known_models().get(name)
    if named is None:
        raise unknown_model(name)
    if named.debias is not None:
        raise HybridError(f"{name} is debiased by a file and no folder; publish the plain model, {named.source}")
    folder = Path(named.source if named.is_local else named.folder or "")
    if not named.is_local and named.folder is None:
        raise HybridError(f"{name} is {named.source} on the Hub already; only models in a folder are published")
    if not folder.is_dir():
        raise HybridError(f"{folder}, the folder of model {name}, is gone; name it anew with `mteb-hybrid models add`")
    check_model_folder(folder)
    now = fingerprint(folder)
    if named.is_local and now != named.revision:
        raise HybridError(f"{folder} has changed since it was named {name}; `mteb-hybrid models add {name} {folder}`")
    return LocalModel(named, folder, now, *read_training(folder))


def load_encoder(model: LocalModel) -> Encoder:
    """Load a model and say how it encodes.

    Raises:
        HybridError: it cannot be loaded, or does not encode as it did when it was trained.
    """
    from mteb_hybrid.encoder_record import differences, encoder_record

    loaded = _load(model.folder)
    now = encoder_record(loaded)
    if model.record is not None and model.record.encoder is not None:
        for difference in differences(model.record.encoder, now):
            raise HybridError(f"{model.folder} is not as it was trained: {one_line(difference, 200)}; change it back")
    return Encoder(
        prompts=now.prompts,
        similarity=now.similarity,
        max_seq_length=now.max_seq_length,
        dimensions=loaded.get_embedding_dimension() or 0,
        parameters=sum(weight.numel() for weight in loaded.parameters()),
    )


def _load(folder: Path) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except Exception as error:  # loading is the library's: whatever it raises, this is no model
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise HybridError(
            f"{folder} holds no model that sentence-transformers loads ({reason}); save it again"
        ) from None
